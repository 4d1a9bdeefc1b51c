"""The files of an annotation tool as a data set, without an import by hand.

When they are opened, the folder is made that `fcn_jax import` makes of them, in a
cache, and read as such. Its name says what it was made of (the state of every file, the
table of labels, the division), so that it is made once, and anew where something has
changed; those of before stay, for runs that read them, and may be removed at any time.
"""

import contextlib
import dataclasses
import json
import logging
import os
import re
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import NamedTuple

import filelock

from fcn_jax.data import fingerprints, imports
from fcn_jax.data.imports import label_table, writing
from fcn_jax.data.imports.contracts import Places
from fcn_jax.data.options import AS_STORED, FolderOptions, Options
from fcn_jax.data.sources import listing
from fcn_jax.data.sources.voc_folder import VocFolder
from fcn_jax.storage import files

_SHARE = 0.8  # Of train, where neither a format nor the config divides.
_LAYOUT = 1  # Of what is made; another number has all made anew.
# Of `FolderOptions`, what has a meaning for the files of tools too.
_OF_TOOLS = ("apply_exif", "split", "split_seed")
# Flags of `fcn_jax import`, and the keys of config.data that stand for them here.
_KEYS = {"seed": "split_seed", **{n: n for n in ("labels", "images", "masks", "split")}}
_FLAG = re.compile(rf"--({'|'.join(_KEYS)})\b")


class Made(NamedTuple):
    """A folder that was made of a tool's files.

    Attributes:
        root: The folder.
        options: How it is to be read.
        notes: What was left out, or has to be known.
    """

    root: Path
    options: FolderOptions
    notes: list[str]


def open_imported(form: str, split: str, options: Options) -> VocFolder:
    """Open a split of a tool's files.

    Args:
        form: One of `imports.FORMATS`.
        split: Such as "train".
        options: Where they are, and what they leave open.

    Returns:
        What `VocFolder` is of the folder that `fcn_jax import` makes.

    Raises:
        FileNotFoundError: If there are none, or one of them is missing.
        OSError: If the cache cannot be written to.
        ValueError: If `root` is missing or holds the cache, a key of folders is given,
            or a file cannot be understood.
    """
    made = make(form, options)
    source = VocFolder(made.root, split, options=made.options)
    source.name, source.notes = form, [*made.notes, *source.notes]
    return source


def make(form: str, options: Options) -> Made:
    """The folder of a tool's files; it is made where there is none.

    Args:
        form: One of `imports.FORMATS`.
        options: Where they are, and what they leave open.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: As `open_imported`, and so are the others.
        OSError: If the cache cannot be written to.
        ValueError: If something has no sense.
    """
    source = _source(form, options)
    place = _place(options)
    if source.is_dir() and place.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"config.data.data_dir={place} lies in config.data.root={source}, whose "
            f"files it is made of; set it to a folder elsewhere."
        )
    with _in_keys():
        root = _made(form, source, place, options)
    report = json.loads((root / writing.REPORT).read_text("utf-8"))
    turn = options.folder.apply_exif or report["upright"]
    notes = [
        _as_keys(note) for note in report["notes"] if note not in report["of_photos"]
    ]
    return Made(root, FolderOptions(apply_exif=turn), notes)


def _source(form: str, options: Options) -> Path:
    """Where a tool's files are."""
    if not options.root:
        raise ValueError(
            f"data set {form!r} needs the path of its files; set "
            f"--config.data.root=SRC (or root=SRC)."
        )
    default = dataclasses.asdict(AS_STORED)
    for name, value in dataclasses.asdict(options.folder).items():
        if name not in _OF_TOOLS and value != default[name]:
            raise ValueError(
                f"config.data.{name}={value!r} is for folders of masks, and data set "
                f"{form!r} has annotations; leave it out, and say in a table "
                f"(config.data.labels=FILE) what each value is."
            )
    return Path(options.root).expanduser()


def _place(options: Options) -> Path:
    """Where the folders are kept."""
    place = Path(options.data_dir or "~/.cache/fcn_jax/imported")
    try:
        return place.expanduser()
    except RuntimeError as error:
        raise ValueError(
            "no home directory is known, in which what is made of annotations is kept; "
            "set --config.data.data_dir=DIR."
        ) from error


def _made(form: str, source: Path, place: Path, options: Options) -> Path:
    """The folder, found or made, whole; of two processes one makes it."""
    tool, share = options.tool, options.folder.split
    table = label_table.read(tool.labels) if tool.labels else None
    places = Places(tool.images, tool.masks, bool(table and table.by_colour))
    division = writing.Options(
        share or _SHARE, options.folder.split_seed, anew=bool(share)
    )
    rows = label_table.written(table.rows) if table else ""
    state = [str(_LAYOUT), form, str(source.resolve()), rows, str((places, division))]
    state += _states(imports.watched(form, source, places))
    root = place / f"{form}-{fingerprints.digits(state)}"
    if (root / writing.REPORT).is_file():
        return root
    with files.writing(root, "config.data.data_dir"):
        place.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place / f"{root.name}.lock"):
            if not (root / writing.REPORT).is_file():
                with _reading(place):
                    _make(form, source, places, root, table, division)
    return root


@contextlib.contextmanager
def _reading(place: Path) -> Generator[None]:
    """Name a file of the tool's that cannot be read: the cache is not to blame."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if not isinstance(name, str | os.PathLike) or error.errno is None:
            raise
        if isinstance(error, FileNotFoundError) or Path(name).is_relative_to(place):
            raise
        raise OSError(
            f"{name} cannot be read ({error.strerror}); get the right to read it, or "
            f"mend its disk."
        ) from error


def _make(
    form: str,
    source: Path,
    places: Places,
    root: Path,
    table: label_table.LabelTable | None,
    division: writing.Options,
) -> None:
    log = logging.getLogger(__name__)
    log.warning("drawing the masks of %s (%s) into %s ...", source, form, root)
    report = writing.write(imports.read(form, source, places), root, table, division)
    log.warning("drew %d masks", sum(report.images.values()))


def _states(watched: Iterable[Path]) -> list[str]:
    """What tells whether files are as they were: their sizes and times of change."""
    found: dict[str, str] = {}
    for each in watched:
        for path in [each] if each.is_file() else listing.below(each):
            if not path.is_file():
                continue  # A link to nothing, or no file of anybody's.
            name = str(path.absolute())
            stat = path.stat()
            found[name] = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
    return [f"{name} {found[name]}" for name in sorted(found)]


def _as_keys(text: str) -> str:
    """A text in which the flags of the command `import` are keys of a config."""
    return _FLAG.sub(lambda flag: f"--config.data.{_KEYS[flag[1]]}", text)


@contextlib.contextmanager
def _in_keys() -> Generator[None]:
    """Have errors name keys of a config, and not flags of the command `import`."""
    try:
        yield
    except (FileNotFoundError, ValueError) as error:
        text = _as_keys(str(error))
        if text == str(error):
            raise
        raise type(error)(text) from error
