"""COCO instances as labels of VOC's 20 classes: more images to train on.

Categories are taken by their names, of which six differ from VOC's; objects of the
other 60 are background. A pixel of two objects is void, and so is one of a crowd, which
VOC has not. Of "train" images are kept whose objects of the 20 have more than 1,000
pixels together.

References:
    torchvision, references/segmentation/coco_utils.py (names, the 1,000 pixels, void
    where objects overlap; crowds are painted there as their class).
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import coco, json_files
from fcn_jax.data.imports.contracts import VOID, Collection, Example, Key, Places
from fcn_jax.data.imports.json_files import whole_number
from fcn_jax.data.label_sets import IGNORE_LABEL, VOC
from fcn_jax.storage.files import JsonObject

# COCO's names of what VOC calls otherwise; the ids are 1 to 90, with gaps.
_CALLED = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
_LEAST = 1000  # Pixels of the 20 classes in an image that is trained on.
_PLACES = ("annotations/instances_*.json", "instances_*.json")


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: A JSON, or the folder that holds annotations and images.
        places: Where the images are, if not where they are looked for.

    Raises:
        FileNotFoundError: If there is no JSON, or an image is missing.
        ValueError: If a JSON is not COCO's, or lacks one of the 20 categories.
    """
    root, files = coco.annotation_files(source, _PLACES)
    keys = [Key(i, name, default=name) for i, name in enumerate(VOC.classes)]
    keys.append(Key(IGNORE_LABEL, VOID, default=VOID))
    found = Collection([], keys)
    for path in files:
        record = json_files.read(path)
        examples, left_out = _examples(record, path, root, places)
        found.examples = [*found.examples, *examples]
        if left_out:
            found.notes.append(
                f"{left_out} images of {path.name} are left out, with at most "
                f"{_LEAST:,} pixels of VOC's classes"
            )
    return found


def watched(source: Path, places: Places) -> list[Path]:
    """See `coco.watched`.

    Args:
        source: A JSON, or the folder that holds annotations and images.
        places: Where images are, if not where they are looked for.
    """
    return coco.watched(source, places)


def labels_of(record: JsonObject, path: Path) -> dict[int, int]:
    """VOC's label of each category of COCO that has one, by its id.

    Args:
        record: A JSON.
        path: The file, for messages.

    Raises:
        ValueError: If one of the 20 is missing.
    """
    numbers = {key.name: key.value for key in coco.categories(record, path)}
    found: dict[int, int] = {}
    for label, name in enumerate(VOC.classes):
        if label == 0:
            continue  # Background.
        theirs = _CALLED.get(name, name)
        if theirs not in numbers:
            raise ValueError(
                f"{path} has no category {theirs!r}, which is VOC's {name}; it has "
                f"{len(numbers)} categories ({', '.join(list(numbers)[:3])}, ...). "
                f"Give COCO's own instances_*.json, or import it by the format 'coco'."
            )
        found[numbers[theirs]] = label
    return found


def _examples(
    record: JsonObject, path: Path, root: Path, places: Places
) -> tuple[list[Example], int]:
    """The images of a JSON that are kept, and how many are not."""
    labels = labels_of(record, path)
    of_image: dict[int, list[JsonObject]] = {}
    areas: dict[int, float] = {}
    for each in json_files.records(record, "annotations", path):
        where = f"{path}, annotation {each.get('id')}"
        category = whole_number(each, "category_id", where)
        if category in labels and coco.has_outline(each):
            number = whole_number(each, "image_id", where)
            shape = {**each, "category_id": category}
            of_image.setdefault(number, []).append(shape)
            json_files.check_numbers(each.get("area", 0), f"{where}, its area")
            areas[number] = areas.get(number, 0) + each.get("area", 0)
    split = coco.split_of(path, root)
    examples: list[Example] = []
    left_out = 0
    for each in json_files.records(record, "images", path):
        number = whole_number(each, "id", f"{path}, an image")
        if split == "train" and areas.get(number, 0) <= _LEAST:
            left_out += 1
            continue
        name, image, size = coco.find_image(each, path, root, places)
        shapes = of_image.get(number, [])
        draw = functools.partial(_draw, size, shapes, labels, str(path))
        examples.append(Example(name, image, split, draw))
    return examples, left_out


def _draw(
    size: tuple[int, int],
    shapes: Sequence[JsonObject],
    labels: Mapping[int, int],
    path: str,
    header: Header,
) -> np.ndarray:
    """The labels of an image's pixels, int32 [H, W]."""
    coco.check_size(size, header, path)
    found = np.zeros(size, np.int32)
    objects = np.zeros(size, np.int32)
    crowds = np.zeros(size, bool)
    for each in shapes:
        inside = coco.covered(size, each, path)
        found[inside] = labels[each["category_id"]]
        objects += inside
        if each.get("iscrowd"):
            crowds |= inside
    found[(objects > 1) | crowds] = IGNORE_LABEL
    return found
