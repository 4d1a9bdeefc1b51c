"""YOLO polygons, as ultralytics takes them: data.yaml, images/SPLIT, labels/SPLIT.

In the place of a folder of images may be a .txt that lists some, from the root on.
A line of labels/SPLIT/ID.txt is `CLASS x y x y ...`, shares of width and height.
Outlines are drawn at whole pixels, rounded down, their borders with them, larger ones
first, as ultralytics does (of slanted borders OpenCV has some other pixels). Photos
count as they are seen (EXIF). Pixels of no outline are background. Lines of five
numbers, which are boxes, are left out.
"""

import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from fcn_jax.data import label_files
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import contracts, drawing, finding
from fcn_jax.data.imports.contracts import NOTHING, Collection, Example, Key, Places
from fcn_jax.storage.files import JsonObject

_SPLITS = ("train", "val", "test")
_BOX = 5  # Numbers of a line that is a box.
Shape = tuple[int, list[float]]  # A class, and x and y in turn.


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: The folder, or its YAML.
        places: Not used.

    Raises:
        FileNotFoundError: If there is no YAML, or no image.
        ValueError: If the YAML or a line is not understood, or no image has an outline.
    """
    del places
    path, record, root = _opened(source)
    names = _names(record, path)
    examples: list[Example] = []
    boxes = without = outlines = 0
    for split in _SPLITS:
        for name, image in _images(record, split, root, path):
            labels = _labels_of(image)
            shapes, left_out = _shapes(labels, len(names))
            boxes, without = boxes + left_out, without + (not labels.is_file())
            outlines += len(shapes)
            draw = functools.partial(_draw, shapes)
            examples.append(Example(name, image, split, draw))
    notes = [f"{boxes} boxes without an outline are left out"] if boxes else []
    if without:
        notes.append(f"{without} images without a file of labels are background")
    if examples and not outlines:
        raise ValueError(
            f"{path}: no image has an outline, so that all would be background"
            f"{'; '.join(['', *notes])}. Export polygons, in labels/ beside images/."
        )
    keys = [Key(label, name, default=name) for label, name in names.items()]
    keys = [contracts.background(), *keys]
    return Collection(examples, keys, notes=notes, upright=True)


def watched(source: Path, places: Places) -> list[Path]:
    """The YAML, its lists, and the folders of images and labels, wherever they are.

    Args:
        source: The folder, or its YAML.
        places: Not used.

    Raises:
        FileNotFoundError: If there is no YAML, or what it names is missing.
        ValueError: If the YAML is not understood.
    """
    del places
    path, record, root = _opened(source)
    found = {path}
    for split in _SPLITS:
        found |= {p for p in _places(record, split, root, path) if p.is_file()}
        for _, image in _images(record, split, root, path):
            found |= {image.parent, _labels_of(image).parent}
    return sorted(each for each in found if each.exists())


def _opened(source: Path) -> tuple[Path, JsonObject, Path]:
    """The YAML, what it holds, and the folder from which its paths are."""
    path = _yaml_of(source)
    record = _parsed(path)
    root = path.parent / str(record.get("path") or "")
    return path, record, root if root.is_dir() else path.parent  # Often another's.


def _yaml_of(source: Path) -> Path:
    if source.is_file():
        return source
    found = [*sorted(source.glob("*.yaml")), *sorted(source.glob("*.yml"))]
    if not found:
        raise FileNotFoundError(
            f"{source} holds no data.yaml, which names the classes and the folders of "
            f"images; add it."
        )
    return next((path for path in found if path.stem == "data"), found[0])


def _parsed(path: Path) -> JsonObject:
    try:
        found = yaml.safe_load(path.read_text("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{path} is no readable YAML ({text}); mend it.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} names no folders and classes; expected 'train: ...'.")
    return found


def _names(record: JsonObject, path: Path) -> dict[int, str]:
    """The names of the classes, by their numbers: of a list, or a table."""
    names = record.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if (
        not names
        or not isinstance(names, dict)
        or sorted(names, key=str) != sorted(range(len(names)), key=str)
    ):
        raise ValueError(
            f"{path}: 'names' is {names!s:.40}; expected a list of names, or names "
            f"by the numbers from 0 on."
        )
    return {number: str(names[number]).strip() for number in sorted(names)}


def _images(
    record: JsonObject, split: str, root: Path, path: Path
) -> Iterator[tuple[str, Path]]:
    """The ids and the images of a split."""
    for place in _places(record, split, root, path):
        if place.is_dir():
            images, folder = finding.files_below(place), place
        else:
            images = _listed(place, root)
            parents = [image.parent for image in images] or [root]
            folder = Path(os.path.commonpath(parents))  # That all of them are in.
        for image in images:
            yield image.relative_to(folder).with_suffix("").as_posix(), image


def _listed(path: Path, root: Path) -> list[Path]:
    """The images that a file lists, one a line."""
    lines = label_files.read_lines(path)
    images = [Path(os.path.abspath(root / line)) for line in lines]
    missing = [image for image in images if not image.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{missing[0]} does not exist, which {path} lists; write paths of images "
            f"from {root} on, one a line."
        )
    return images


def _places(record: JsonObject, split: str, root: Path, path: Path) -> Iterator[Path]:
    """The folders of images of a split, and the files that list some."""
    given = record.get(split)
    if given is None and split == "val":
        given = record.get("valid")
    for each in given if isinstance(given, list) else [given] * (given is not None):
        # Exports say ../train/images from a folder that is not there.
        places = [root / str(each), root / str(each).removeprefix("../")]
        found = [place for place in places if place.is_dir() or _is_list(place)]
        if not found and split != "test":
            raise FileNotFoundError(
                f"{places[0]} does not exist, where {path} has the images of {split}; "
                f"correct it there (a folder or a .txt that lists images, from that of "
                f"the file)."
            )
        yield from found[:1]


def _is_list(place: Path) -> bool:
    return place.suffix == ".txt" and place.is_file()


def _labels_of(image: Path) -> Path:
    """The labels of an image: its path with labels in the place of images."""
    parts = list(image.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _shapes(path: Path, num_classes: int) -> tuple[list[Shape], int]:
    """The outlines of a file of labels, and how many boxes there are."""
    shapes: list[Shape] = []
    boxes = 0
    for line in label_files.read_lines(path) if path.is_file() else ():
        words = line.split()
        try:
            label, numbers = int(float(words[0])), [float(word) for word in words[1:]]
        except ValueError:
            label, numbers = -1, []
        if len(words) == _BOX and 0 <= label < num_classes:
            boxes += 1
            continue
        fine = len(numbers) % 2 == 0 and len(numbers) >= 6
        if not fine or not all(map(math.isfinite, numbers)):
            raise ValueError(
                f"{path}: {line[:40]!r} is not understood; expected 'CLASS x y x y "
                f"...', three points or more."
            )
        if not 0 <= label < num_classes:
            raise ValueError(
                f"{path}: class {label}; the YAML names {num_classes}, 0 to "
                f"{num_classes - 1}."
            )
        if max(map(abs, numbers)) > 2:
            raise ValueError(
                f"{path}: {line[:40]!r} has pixels; YOLO's numbers are shares of width "
                f"and height, 0 to 1."
            )
        shapes.append((label, numbers))
    return shapes, boxes


def _draw(shapes: list[Shape], header: Header) -> np.ndarray:
    """The classes of an image's pixels, int32 [H, W]."""
    height, width = header.upright_size
    values = np.full((height, width), NOTHING, np.int32)
    # Drawn twice, so that one at a time is held: an image may have thousands.
    sizes = [int(_covered(numbers, height, width).sum()) for _, numbers in shapes]
    for place in sorted(range(len(shapes)), key=lambda place: -sizes[place]):
        label, numbers = shapes[place]
        values[_covered(numbers, height, width)] = label
    return values


def _covered(numbers: list[float], height: int, width: int) -> np.ndarray:
    """The pixels of an outline, bool [H, W]."""
    points = np.asarray(numbers).reshape(-1, 2) * (width, height)
    corners = [(float(int(x)), float(int(y))) for x, y in points]
    return drawing.draw((height, width), "polygon", corners, "")
