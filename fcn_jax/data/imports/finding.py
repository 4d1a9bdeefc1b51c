"""Files of a source: images below a folder, and which mask belongs to which."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fcn_jax.data.image_files import PHOTO_ENDINGS
from fcn_jax.data.sources import listing


def files_below(folder: Path, endings: Sequence[str] = PHOTO_ENDINGS) -> list[Path]:
    """The files below a folder that have one of some endings, sorted; none hidden.

    Args:
        folder: Where to look.
        endings: In lower case.
    """
    return sorted(
        path
        for path in listing.below(folder)
        if path.suffix.lower() in endings and path.is_file()
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
    all masks, begin and end with: photo_7 and mask_7, 7 and 7_L. That is looked for in
    the names of the files, which then belong together in folders of one name; in those
    of each folder; and last in whole names.

    Args:
        images: Names, with folders, without endings.
        masks: Likewise.

    Returns:
        Mask by image; those without a counterpart are left out.

    Raises:
        ValueError: If several masks belong to an image.
    """
    if set(images) & set(masks):
        known = set(masks)
        return {name: name for name in images if name in known}
    for cores in (_cores_of_files, _cores_of_folders, _cores):
        by_core = {core: name for name, core in cores(masks).items()}
        found = {
            name: by_core[core]
            for name, core in cores(images).items()
            if core in by_core
        }
        if found:
            return found
    # A single one has no common beginning; then one may hold the other.
    return _held(images, masks)


def _held(images: Sequence[str], masks: Sequence[str]) -> dict[str, str]:
    """Mask by image, where a mask's name is an image's with something put to it.

    Of several images that a mask may be of, it is that with the longest name, and that
    in a folder of the same name; where these are several, nothing is found.
    """
    by_name: dict[str, list[str]] = {}
    for image in images:
        by_name.setdefault(PurePosixPath(image).name, []).append(image)
    found: dict[str, list[str]] = {}
    for mask in masks:
        names = [part for part in _parts(mask) if part in by_name]
        longest = [n for n in names if len(n) == max(map(len, names))]
        whose = [image for name in longest for image in by_name[name]]
        beside = [i for i in whose if _folder(i) == _folder(mask)]
        whose = beside or whose
        if len(whose) > 1:
            return {}
        for image in whose:
            found.setdefault(image, []).append(mask)
    for image, several in found.items():
        if len(several) > 1:
            listed = f"{', '.join(several[:3])}{', ...' * (len(several) > 3)}"
            raise ValueError(
                f"image {image} has {len(several)} masks ({listed}); expected one mask "
                f"an image, in which each class has a value: merge them."
            )
    return {image: mask for image, (mask,) in found.items()}


def _folder(name: str) -> PurePosixPath:
    return PurePosixPath(name).parent


def _parts(name: str) -> set[str]:
    """What of a name stands between its ends and signs: a, b and a_b of a_b."""
    signs = [i for i, letter in enumerate(name) if not re.match("[0-9A-Za-z]", letter)]
    firsts = [0, *(i + 1 for i in signs)]
    lasts = [*signs, len(name)]
    return {name[i:j] for i in firsts for j in lasts if i < j}


def _cores_of_files(names: Sequence[str]) -> dict[str, str]:
    """Names with folders, those of files without what all files begin and end with."""
    short = _cores([*{PurePosixPath(name).name for name in names}])
    return {
        name: (_folder(name) / f"_{short[PurePosixPath(name).name]}").as_posix()
        for name in names
    }


def _cores_of_folders(names: Sequence[str]) -> dict[str, str]:
    """Likewise, but what those of a folder begin and end with."""
    by_folder: dict[PurePosixPath, list[str]] = {}
    for name in names:
        by_folder.setdefault(_folder(name), []).append(name)
    return {
        name: core
        for members in by_folder.values()
        for name, core in _cores_of_files(members).items()
    }


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
