"""labelme: a folder of JSON files beside their images, or what its exporter writes.

Shapes are drawn in their order, later ones over earlier ones, as labelme's own
`labelme2voc.py` does (`drawing`). Pixels of no shape are background, and so is what is
labelled `_background_`; `__ignore__` is void. labelme shows photos upright, so that its
points are those of the turned image, unless imageHeight and imageWidth are those of
the stored one. An image that is in the JSON alone is written out.
What `labelme2voc.py` has written (SegmentationClass, class_names.txt) is read as such.
"""

import base64
import functools
import io
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import contracts, drawing, finding, json_files, voc
from fcn_jax.data.imports.contracts import (
    BACKGROUND,
    NOTHING,
    VOID,
    Collection,
    Example,
    Key,
    Places,
)
from fcn_jax.data.imports.json_files import field
from fcn_jax.storage.files import JsonObject

_NO_IMAGE = (UnidentifiedImageError, OSError, SyntaxError)
_LISTED = 3  # Files that a note names.
_SPECIAL = {"_background_": BACKGROUND, "__ignore__": VOID}


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: The folder.
        places: Not used.

    Raises:
        FileNotFoundError: If it holds nothing of labelme's, or an image is missing.
        ValueError: If a JSON cannot be read, one of labelme's not be understood, or no
            image has a shape.
    """
    if (source / "SegmentationClass").is_dir():
        return voc.read(source, places)
    records, notes = _records(source)
    names: dict[str, int] = {}
    for path, record in records.items():
        for shape in json_files.records(record, "shapes", path):
            name = field(shape, "label", str, f"{path}, a shape")
            if not name.strip():
                raise ValueError(
                    f"{path}: a shape's label is empty; name it, or remove the shape."
                )
            names.setdefault(name.strip(), 0)
    if not names:
        raise ValueError(
            f"{source}: no image has a shape, so that all would be background; draw "
            f"some, or name the folder of JSON that has them."
        )
    for value, name in enumerate(sorted(names), start=1):
        names[name] = value
    keys = [
        Key(v, n, default=_SPECIAL.get(n, n), internal=True) for n, v in names.items()
    ]
    keys.sort(key=lambda key: key.value)
    examples = [_example(p, r, source, names) for p, r in records.items()]
    keys = [contracts.background(), *keys]
    return Collection(examples, keys, notes=notes, upright=True)


def _records(source: Path) -> tuple[dict[Path, JsonObject], list[str]]:
    """The JSON files of labelme's below a folder, and a note on the others."""
    records: dict[Path, JsonObject] = {}
    others: list[str] = []
    for path in finding.files_below(source, (".json",)):
        found = json_files.parse(path)
        if isinstance(found, dict) and ("shapes" in found or "imagePath" in found):
            records[path] = found
        else:
            others.append(path.relative_to(source).as_posix())
    listed = f"{', '.join(others[:_LISTED])}{', ...' * (len(others) > _LISTED)}"
    if not records:
        held = f" ({listed} have neither shapes nor an imagePath)" if others else ""
        raise FileNotFoundError(
            f"{source} holds no JSON of labelme's{held}, nor SegmentationClass/ as its "
            f"exporter writes it; name the folder that does."
        )
    if not others:
        return records, []
    return records, [
        f"{len(others)} JSON files with neither shapes nor an imagePath are left out, "
        f"as not labelme's: {listed}"
    ]


def _example(
    path: Path, record: JsonObject, source: Path, names: dict[str, int]
) -> Example:
    """The image of a JSON."""
    name = path.relative_to(source).with_suffix("").as_posix()
    given = PureWindowsPath(field(record, "imagePath", str, path))
    image = path.parent / given.as_posix()
    if given.anchor and not image.is_file():  # A whole path, of another machine.
        image = path.parent / given.name
    draw = functools.partial(_draw, record, names, path)
    if image.is_file():
        return Example(name, image, "", draw)
    content = record.get("imageData")
    if not isinstance(content, str):
        raise FileNotFoundError(
            f"{image} does not exist, which {path} is of, and there is no image in it; "
            f"put the image there."
        )
    return Example(name, image, "", draw, _decoded(content, f"{path}: imageData"))


def _draw(
    record: JsonObject, names: dict[str, int], path: Path, header: Header
) -> np.ndarray:
    """The labels of an image's pixels, int32 [H, W]."""
    size = _size(record, path, header)
    values = np.full(size, NOTHING, np.int32)
    for number, shape in enumerate(record["shapes"]):
        where = f"{path}, shape {number} ({shape['label']})"
        points = _points(shape, where)
        kind = shape.get("shape_type") or "polygon"
        if kind == "mask":
            covered = _mask_of(size, shape, points, where)
        else:
            covered = drawing.draw(size, kind, points, where)
        values[covered] = names[shape["label"].strip()]
    return values


def _size(record: JsonObject, path: Path, header: Header) -> tuple[int, int]:
    """Height and width of what was annotated: the upright image, or that stored."""
    height, width = record.get("imageHeight"), record.get("imageWidth")
    if not isinstance(height, int) or not isinstance(width, int):
        return header.upright_size
    size, stored = (height, width), (header.height, header.width)
    if size not in (header.upright_size, stored):
        raise ValueError(
            f"{path}: its shapes are of an image of {height}x{width} (imageHeight x "
            f"imageWidth), but {record['imagePath']} is {stored[0]}x{stored[1]}; put "
            f"the image there that was annotated, or, if the points are of this one, "
            f"correct the two numbers."
        )
    return size


def _points(shape: JsonObject, where: str) -> list[drawing.Point]:
    found: list[drawing.Point] = []
    for point in field(shape, "points", list, where):
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError(f"{where}: {point!r:.40} is no point; expected [x, y].")
        json_files.check_numbers(point, where)
        found.append((float(point[0]), float(point[1])))
    return found


def _mask_of(
    size: tuple[int, int],
    shape: JsonObject,
    points: Sequence[drawing.Point],
    where: str,
) -> np.ndarray:
    """The pixels of a shape that is a mask in a box, as its two points lay it."""
    if len(points) != 2:
        raise ValueError(f"{where}: a mask with {len(points)} points; it has 2.")
    content = _decoded(field(shape, "mask", str, where), f"{where}: mask")
    try:
        with Image.open(io.BytesIO(content)) as image:
            patch = np.array(image).astype(bool)
    except (*_NO_IMAGE, Image.DecompressionBombError) as error:
        raise ValueError(f"{where}: its mask is no image ({error}).") from error
    if patch.ndim != 2:
        raise ValueError(
            f"{where}: its mask has {patch.shape[-1]} channels; it has one. Save it "
            f"anew."
        )
    (left, top), (right, bottom) = np.round(points).astype(int).tolist()
    if all(float(x).is_integer() for point in points for x in point):
        patch = patch[: bottom - top + 1, : right - left + 1]
    covered = np.zeros(size, bool)
    rows = slice(max(top, 0), max(min(top + patch.shape[0], size[0]), 0))
    columns = slice(max(left, 0), max(min(left + patch.shape[1], size[1]), 0))
    inside = covered[rows, columns]
    skipped = (rows.start - top, columns.start - left)
    inside[:] = patch[
        skipped[0] : skipped[0] + inside.shape[0],
        skipped[1] : skipped[1] + inside.shape[1],
    ]
    return covered


def _decoded(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # Of binascii, or of letters beyond ASCII.
        raise ValueError(f"{where} is no base64 ({error}); save it anew.") from error
