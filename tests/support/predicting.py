"""Images to be predicted, and what is recorded of them."""

import io
import json

from fcn_jax.data import photos
from fcn_jax.runs import predicted
from tests.support import folders
from tests.support.runs import make_folder, saved_run, tiny_config


def write_pictures(folder):
    """A folder of three."""
    for number, name in enumerate(("one", "two", "sub/one")):
        folders.save(folder / f"{name}.png", folders.photo(number))
    return folder


def saved_workdir(folder):
    """A run of which only the checkpoint is real."""
    saved_run(folder / "run", tiny_config(make_folder(folder / "data")))
    return folder / "run"


def listed(*given):
    """The images of files and folders."""
    return photos.listed(map(str, given), io.BytesIO())


def lines(out):
    """The records of a directory of predictions."""
    return [json.loads(n) for n in (out / predicted.LINES).read_text().splitlines()]
