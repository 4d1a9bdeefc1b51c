"""Files of a source: images below a folder, and which mask belongs to which."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fcn_jax.data.image_files import PHOTO_ENDINGS


def files_below(folder: Path, endings: Sequence[str] = PHOTO_ENDINGS) -> list[Path]:
    """The files below a folder that have one of some endings, sorted; none hidden.

    Args:
        folder: Where to look.
        endings: In lower case.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings
        and not any(p.startswith(".") for p in path.relative_to(folder).parts)
        and path.is_file()
    )


def need_folder(folder: Path, what: str) -> Path:
    """A folder that a format needs.

    Args:
        folder: The folder.
        what: Of the format, for the message.

    Raises:
        FileNotFoundError: If it is not there.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} does not exist; {what}.")
    return folder


def stems(paths: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Files by their paths from a folder without endings.

    Args:
        paths: The files.
        folder: Where they lie.

    Raises:
        ValueError: If two differ in their endings alone.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise ValueError(
                f"{found[name]} and {path} differ in their endings alone; remove one."
            )
        found[name] = path
    return found


def matched(images: Sequence[str], masks: Sequence[str]) -> dict[str, str]:
    """Which mask belongs to which image, by their names.

    Names are compared as they are; where none is alike, without what all images, and
    all masks, begin and end with: photo_7 and mask_7, 7 and 7_L.

    Args:
        images: Names, with folders, without endings.
        masks: Likewise.

    Returns:
        Mask by image; those without a counterpart are left out.
    """
    if set(images) & set(masks):
        known = set(masks)
        return {name: name for name in images if name in known}
    by_core = {core: name for name, core in _cores(masks).items()}
    found = {
        name: by_core[core] for name, core in _cores(images).items() if core in by_core
    }
    if found or not images or not masks:
        return found
    # A single one has no common beginning; then one may hold the other.
    ends = {name: mask for name in images for mask in masks if _holds(mask, name)}
    return ends if len(set(ends.values())) == len(ends) else {}


def _holds(mask: str, image: str) -> bool:
    """Whether the name of a mask is that of an image with something put to it."""
    name = re.escape(PurePosixPath(image).name)
    return bool(re.search(rf"(^|[^0-9A-Za-z]){name}($|[^0-9A-Za-z])", mask))


def _cores(names: Sequence[str]) -> dict[str, str]:
    """Names without what all of them begin and end with; numbers stay whole."""
    if len(names) < 2:
        return {name: name for name in names}
    first = re.sub(r"\d+$", "", _common_start(names))
    backward = _common_start([name[::-1] for name in names])[::-1]
    last = re.sub(r"^\d+", "", backward)
    return {
        name: name[len(first) : len(name) - len(last)]
        if len(first) + len(last) <= len(name)
        else name
        for name in names
    }


def _common_start(names: Sequence[str]) -> str:
    """What all names begin with: what the first and the last of them share."""
    low, high = min(names), max(names)
    alike = itertools.takewhile(
        lambda pair: pair[0] == pair[1], zip(low, high, strict=False)
    )
    return "".join(letter for letter, _ in alike)
