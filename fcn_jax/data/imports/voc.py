"""What CVAT and Datumaro export as VOC, and labelme's `labelme2voc.py`.

    JPEGImages/, SegmentationClass/, ImageSets/Segmentation/SPLIT.txt, labelmap.txt

Names and colours are read from labelmap.txt, or any of `label_files.FILES`; masks in
colours or indices. An image that a list names and that has no mask, as Datumaro leaves
those without annotations, is background. Without lists (labelme) there are no splits.
"""

import functools
from pathlib import Path

import numpy as np

from fcn_jax.data import image_files, label_files
from fcn_jax.data.image_files import MASK_ENDINGS, PHOTO_ENDINGS, Header
from fcn_jax.data.imports import finding
from fcn_jax.data.imports.contracts import VOID, Collection, Example, Key, Places
from fcn_jax.data.label_sets import IGNORE_LABEL, VOC
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources import folder_files, folder_labels
from fcn_jax.data.sources.folder_files import Pair
from fcn_jax.data.sources.listing import Listing

_BACKGROUND = 0


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: The folder.
        places: Where masks are, if not in SegmentationClass.

    Raises:
        FileNotFoundError: If it has no masks, or an image is missing.
        ValueError: If a list or the file of names is wrong, or it has no colours and
            indices mean another colour from mask to mask.
    """
    masks_at = places.masks or "SegmentationClass"
    what = "CVAT and Datumaro write it where there are masks, not outlines alone"
    finding.need_folder(source / masks_at, what)
    named = label_files.find(source)
    classes = named.classes if named else VOC.classes
    palette = named.palette if named and named.palette is not None else VOC.palette
    by_colour = named is not None and named.palette is not None
    colours_from = str(named.colours) if named and by_colour else ""
    read_mask = functools.partial(_read, palette, by_colour, colours_from)
    notes: list[str] = []
    if named is None:
        notes.append("no file of names, so that VOC's 21 classes are taken")
    examples: list[Example] = []
    without = 0
    options = FolderOptions(mask_dir=masks_at, missing_mask="background")
    divided = _pairs(source, options)
    if not by_colour:
        folder_labels.check_same_palettes(
            [pair.mask for pairs in divided.values() for pair in pairs if pair.mask],
            "Name the colours: a labelmap.txt with 'name:R,G,B::' a line.",
        )
    for split, pairs in divided.items():
        for pair in pairs:
            without += pair.mask is None
            draw = functools.partial(read_mask, pair.mask)
            examples.append(Example(pair.name, pair.image, split, draw))
    if without:
        notes.append(f"{without} images without a mask are background ({classes[0]})")
    return Collection(examples, _keys(classes, palette), notes=notes)


def _pairs(source: Path, options: FolderOptions) -> dict[str, list[Pair]]:
    """Images and masks by split; an image is in one, trainval giving way."""
    lists = source / folder_files.LISTS
    found: dict[str, list[Pair]] = {}
    names = sorted(path.stem for path in lists.glob("*.txt"))
    if names:
        seen: set[str] = set()
        for split in sorted(names, key=lambda n: (n.lower() == "trainval", n)):
            pairs, _ = folder_files.read_split(source, split, options)
            found[split] = [pair for pair in pairs if pair.name not in seen]
            seen |= {pair.name for pair in pairs}
        return {split: pairs for split, pairs in found.items() if pairs}
    masks = Listing(source / options.mask_dir, MASK_ENDINGS)
    images = Listing(source / folder_files.IMAGES, PHOTO_ENDINGS)
    for name in masks.ids():
        image = images.find(name)
        if image is None:
            raise FileNotFoundError(
                f"{images.folder} holds no image {name}, of which {masks.folder} has a "
                f"mask; add it, or remove the mask."
            )
        found.setdefault("", []).append(Pair(name, image, masks.find(name)))
    return found


def _keys(classes: tuple[str, ...], palette: np.ndarray) -> list[Key]:
    labels = [*range(len(classes)), IGNORE_LABEL]
    colours = [tuple(int(c) for c in palette[label]) for label in labels]
    return [
        Key(label, name, (red, green, blue), name)
        for label, name, (red, green, blue) in zip(
            labels, [*classes, VOID], colours, strict=True
        )
    ]


def _read(
    palette: np.ndarray,
    by_colour: bool,
    colours_from: str,
    mask: Path | None,
    header: Header,
) -> np.ndarray:
    if mask is None:
        return np.full((header.height, header.width), _BACKGROUND, np.int32)
    labels, _ = image_files.read_mask(
        mask, palette, by_colour=by_colour, colours_from=colours_from
    )
    return labels.astype(np.int32)
