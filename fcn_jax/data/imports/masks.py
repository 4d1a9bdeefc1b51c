"""Masks of values or colours, as importers read them."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fcn_jax.data import image_files
from fcn_jax.data.image_files import MASK_ENDINGS, Header
from fcn_jax.data.imports import finding
from fcn_jax.data.imports.contracts import BACKGROUND, VOID, Example, Key, code_of
from fcn_jax.data.label_files import LabelFile
from fcn_jax.data.label_sets import IGNORE_LABEL, VOC
from fcn_jax.data.sources import folder_labels


class Pair(NamedTuple):
    """An image and its mask.

    Attributes:
        name: The id.
        image: Its file.
        mask: The file of its mask.
    """

    name: str
    image: Path
    mask: Path


def pairs(images_at: Path, masks_at: Path) -> tuple[list[Pair], list[str]]:
    """Images of a folder with their masks in another, by their names.

    Args:
        images_at: The folder of images.
        masks_at: The folder of masks.

    Returns:
        The pairs, and notes on what has no counterpart.

    Raises:
        FileNotFoundError: If there are no masks, or none belongs to an image.
        ValueError: If two files differ in their endings alone, or several masks belong
            to an image.
    """
    images = finding.stems(finding.files_below(images_at), images_at)
    masks = finding.stems(finding.files_below(masks_at, MASK_ENDINGS), masks_at)
    others = [] if masks else finding.files_below(masks_at)
    if others:
        raise FileNotFoundError(
            f"{masks_at} holds {others[0].name} and no mask; masks are "
            f"{', '.join(MASK_ENDINGS)}, which keep labels as they are: export them as "
            f"PNG once more."
        )
    found = finding.matched(list(images), list(masks))
    if not found:
        raise FileNotFoundError(
            f"no mask of {masks_at} ({len(masks)} files) belongs to an image of "
            f"{images_at} ({len(images)} files); name masks as their images, or alike "
            f"but for what stands before or after."
        )
    notes: list[str] = []
    for what, names, folder, used in (
        ("images", images, images_at, found.keys()),
        ("masks", masks, masks_at, found.values()),
    ):
        left = sorted(set(names) - set(used))
        if left:
            notes.append(
                f"{len(left)} {what} of {folder} are left out, without a counterpart: "
                f"{', '.join(left[:3])}{', ...' * (len(left) > 3)}"
            )
    return [
        Pair(name, images[name], masks[mask]) for name, mask in found.items()
    ], notes


def example(pair: Pair, split: str, colours: bool) -> Example:
    """An image whose annotation is a mask.

    Args:
        pair: Its files.
        split: Where it belongs.
        colours: Whether colours are the values.
    """
    return Example(
        pair.name, pair.image, split, functools.partial(_read, pair.mask, colours)
    )


def _read(mask: Path, colours: bool, header: Header) -> np.ndarray:
    del header
    return image_files.read_values(mask, by_colour=colours)


def holds_colours(path: Path) -> bool:
    """Whether a mask has colours, and no indices or grey values.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image.
    """
    with image_files.open_image(path) as image:
        return image.mode in ("RGB", "RGBA")


def check_indices(masks: Sequence[Path]) -> None:
    """Refuse palette masks whose indices mean another colour from file to file.

    Args:
        masks: The files, of which indices are to be the values.

    Raises:
        ValueError: Naming the first index that has two colours.
    """
    folder_labels.check_same_palettes(
        masks,
        "Let the colours count: give a table with --labels=FILE, 'R,G,B -> CLASS' a "
        "line (or void).",
    )


def keys_of(named: LabelFile | None, colours: bool) -> list[Key]:
    """What values mean by a file of names, such as classes.txt.

    Args:
        named: The file; None: there is none.
        colours: Whether values are colours; then they are those of the file.
    """
    if named is None:
        return []
    palette = named.palette
    labels = [*range(len(named.classes)), IGNORE_LABEL]
    names = [*named.classes, VOID]
    if not colours:
        return [Key(i, n, default=n) for i, n in zip(labels, names, strict=True)]
    if palette is None:
        return []
    found = [
        (tuple(int(c) for c in palette[i]), n)
        for i, n in zip(labels, names, strict=True)
    ]
    return [Key(code_of(c), n, (c[0], c[1], c[2]), n) for c, n in found]


def numbered_keys(named: LabelFile) -> list[Key]:
    """What values mean where Datumaro has numbered classes: 0 is background.

    Classes count from 0 where the first is background, by its name or black; else from
    1. Without colours in the file they have VOC's, by their numbers.

    Args:
        named: The file of names, such as label_colors.txt.
    """
    palette, first = named.palette, named.classes[0].lower()
    is_background = first == BACKGROUND or (
        palette is not None and not palette[0].any()
    )
    start = 0 if is_background else 1
    names = [*[BACKGROUND] * start, *named.classes]
    keys: list[Key] = []
    for number, name in enumerate(names):
        colour = VOC.palette[number]
        if palette is not None and number >= start:
            colour = palette[number - start]
        red, green, blue = (int(c) for c in colour)
        keys.append(Key(number, name, (red, green, blue), name))
    return keys
