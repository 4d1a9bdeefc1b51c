"""Published numbers: the head of the config that a run is most like names them."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

from fcn_jax.config import named
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.types import Config
from fcn_jax.storage.files import JsonObject

# Who differs in one of these is another experiment.
_SAME = ("model.name", "model.num_classes", "data.name", "data.objects.stage")


@dataclasses.dataclass(frozen=True)
class Published:
    """What the head of a config says was published.

    Attributes:
        config: Its name.
        text: The sentences, from "Published" on.
        differing: Keys in which the run differs from it.
    """

    config: str
    text: str
    differing: tuple[str, ...]


def sentences(head: str) -> str:
    """What a config's head says was published, on one line; "" where it says nothing.

    Args:
        head: The docstring.
    """
    found = re.search(r"^Published.*?(?=^Ours|\Z)", head, re.MULTILINE | re.DOTALL)
    return " ".join(found[0].split()) if found else ""


def of_run(config: Config) -> Published | None:
    """The published numbers of the config that a run is most like.

    Args:
        config: Of the run.

    Returns:
        None where that config names none, or the run is like none: another network,
        data set, stage or number of classes; a folder has to have the same name.
    """
    nearest: Published | None = None
    for name, theirs in _configs():
        differing = [key for key, _, _ in workdirs.compare(theirs, config)]
        if set(_SAME) & set(differing) or not _same_folder(theirs, config):
            continue
        if nearest is None or len(differing) < len(nearest.differing):
            text = sentences(named.load(name).__doc__ or "")
            nearest = Published(name, text, tuple(differing))
    return nearest if nearest is not None and nearest.text else None


def _configs() -> Iterator[tuple[str, JsonObject]]:
    """The configs of the package in each of their modes, by name, as JSON has them."""
    for name in named.names():
        module = named.load(name)
        for mode in getattr(module, "MODES", ()) or (None,):
            if mode != "smoke":
                config = module.get_config(*((mode,) if mode else ()))
                yield name, json.loads(config.to_json())


def _same_folder(theirs: JsonObject, config: Config) -> bool:
    """Whether two configs mean one data set, where that is a folder."""
    if config.data.name != "folder":
        return True
    ours, other = (
        Path(root).name.lower() for root in (config.data.root, theirs["data"]["root"])
    )
    return bool(ours) and ours == other
