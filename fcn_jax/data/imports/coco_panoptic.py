"""COCO panoptic: annotations/panoptic_SPLIT.json, its PNGs, and the images.

A PNG's colours are numbers of segments, R + 256 G + 65536 B; `segments_info` says of
which category each is. Pixels of no segment (0) are void.
"""

import functools
from pathlib import Path

import numpy as np

from fcn_jax.data import image_files
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import coco, json_files
from fcn_jax.data.imports.contracts import (
    NOTHING,
    VOID,
    Collection,
    Example,
    Key,
    Places,
    colour_of,
)
from fcn_jax.data.imports.json_files import field, whole_number
from fcn_jax.storage.files import JsonObject

_PLACES = ("annotations/panoptic_*.json", "panoptic_*.json")
_UNLABELLED = Key(NOTHING, "unlabelled", default=VOID)


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: A JSON, or the folder that holds annotations and images.
        places: Where images and PNGs are, if not where they are looked for.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a JSON is not COCO's panoptic one, or two have other categories.
    """
    root, files = coco.annotation_files(source, _PLACES)
    keys: list[Key] = []
    examples: list[Example] = []
    for path in files:
        record = json_files.read(path)
        found = [_UNLABELLED, *coco.categories(record, path)]
        if keys and found != keys:
            raise ValueError(
                f"{path} has other categories than {files[0]}; import one after the "
                f"other, with a table each (--labels)."
            )
        keys = found
        examples += _examples(record, path, root, places)
    return Collection(examples, keys)


watched = coco.watched


def _examples(
    record: JsonObject, path: Path, root: Path, places: Places
) -> list[Example]:
    """The images of a JSON that have a PNG."""
    known = {key.value for key in coco.categories(record, path)}
    images = {
        whole_number(each, "id", f"{path}, an image"): each
        for each in json_files.records(record, "images", path)
    }
    masks_at = root / places.masks if places.masks else path.with_suffix("")
    found: list[Example] = []
    for each in json_files.records(record, "annotations", path):
        number = whole_number(each, "image_id", f"{path}, an annotation")
        where = f"{path}, annotation of image {number}"
        if number not in images:
            raise ValueError(f"{where}: no image has this id; export it once more.")
        mask = masks_at / field(each, "file_name", str, where)
        if not mask.is_file():
            raise FileNotFoundError(
                f"{mask} does not exist, which {path} lists; name the folder of the "
                f"PNGs with --masks=DIR."
            )
        segments = {
            whole_number(s, "id", where): whole_number(s, "category_id", where)
            for s in json_files.records(each, "segments_info", where)
        }
        wrong = sorted(set(segments.values()) - known)
        if wrong:
            raise ValueError(
                f"{where}: category {wrong[0]} is not among the categories."
            )
        name, image, _ = coco.find_image(images[number], path, root, places)
        draw = functools.partial(_read, mask, segments)
        found.append(Example(name, image, coco.split_of(path, root), draw))
    return found


def _read(mask: Path, segments: dict[int, int], header: Header) -> np.ndarray:
    """The categories of an image's pixels, int32 [H, W]."""
    del header
    codes = image_files.read_values(mask, by_colour=True)
    held, inverse = np.unique(codes, return_inverse=True)
    table = np.empty(len(held), np.int32)
    for place, code in enumerate(held.tolist()):
        red, green, blue = colour_of(code)
        number = red + 256 * green + 65536 * blue
        if number and number not in segments:
            raise ValueError(
                f"{mask}: segment {number}, colour {(red, green, blue)}, is not in "
                f"segments_info; export it once more."
            )
        table[place] = segments.get(number, NOTHING)
    return table[inverse].reshape(codes.shape)
