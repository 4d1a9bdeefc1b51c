"""COCO instances: annotations/instances_SPLIT.json and the images beside them.

Each JSON is a split. Outlines and run lengths are drawn as pycocotools does
(`coco_masks`), later annotations over earlier ones, those with `iscrowd` (by which
Datumaro marks all masks) first. Pixels of no annotation are background. What has a box
alone, or is of no image, is left out.
"""

import dataclasses
import functools
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from fcn_jax.data import checks
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import coco_masks, contracts, json_files
from fcn_jax.data.imports.contracts import NOTHING, Collection, Example, Key, Places
from fcn_jax.data.imports.json_files import field, whole_number
from fcn_jax.storage.files import JsonObject

# Where a folder has its JSON, in this order.
_PLACES = (
    "annotations/instances_*.json",
    "annotations/*.json",
    "*/_annotations.coco.json",
    "*.json",
)
_OTHERS = ("panoptic", "captions", "person_keypoints", "image_info", "stuff")
# At the end of a name, and no part of a word: that of latest.json is none.
_SPLIT = re.compile(
    r"(?:^|[^a-z])(?:mini)?(trainval|train|val|test)(?:ing|id|idation)?[\d_-]*"
    r"(?:[._-](?:annotations?|instances|coco))*$"
)
_LEAST = 6  # Numbers of an outline: three points.


def read(source: Path, places: Places) -> Collection:
    """See `contracts.Importer`.

    Args:
        source: A JSON, or the folder that holds annotations and images.
        places: Where the images are, if not where they are looked for.

    Raises:
        FileNotFoundError: If there is no JSON, or an image is missing.
        ValueError: If a JSON is not COCO's, two have other categories, or no image has
            an outline.
    """
    root, files = annotation_files(source, _PLACES)
    collection = Collection([], [contracts.background()])
    left_out = _LeftOut()
    for path in files:
        record = json_files.read(path)
        keys = [contracts.background(), *categories(record, path)]
        if len(collection.keys) > 1 and keys != collection.keys:
            raise ValueError(
                f"{path} has other categories than {files[0]}; import one after the "
                f"other, with a table each (--labels)."
            )
        collection.keys = keys
        examples = _examples(record, path, root, places, left_out)
        collection.examples = [*collection.examples, *examples]
    if left_out.without:
        collection.notes.append(
            f"{left_out.without} annotations without an outline of three points are "
            f"left out"
        )
    if left_out.strange:
        collection.notes.append(
            f"{left_out.strange} annotations whose image_id is that of no image are "
            f"left out"
        )
    if not left_out.drawn:
        told = "; ".join(["", *collection.notes])
        raise ValueError(
            f"{source}: no image has an annotation with an outline, so that all would "
            f"be background{told}. Export outlines or masks, with the ids of the "
            f"images."
        )
    return collection


def watched(source: Path, places: Places) -> list[Path]:
    """What a source of one of COCO's formats depends on.

    Args:
        source: A JSON, or the folder that holds annotations and images.
        places: Where images and PNGs are, if not where they are looked for.
    """
    if source.is_dir():
        root, found = source, [source]
    else:  # Where it lies may be a folder of anything; PNGs are in one of its name.
        root, _ = annotation_files(source, ())
        pngs = source.with_suffix("")
        found = [source, *([pngs] if pngs.is_dir() and not places.masks else [])]
    return [*found, *(root / p for p in (places.images, places.masks) if p)]


@dataclasses.dataclass
class _LeftOut:
    """How many annotations there are.

    Attributes:
        without: An outline.
        strange: Of an image that is not listed.
        drawn: Of an image, with an outline.
    """

    without: int = 0
    strange: int = 0
    drawn: int = 0


def annotation_files(source: Path, where: Sequence[str]) -> tuple[Path, list[Path]]:
    """The root of a data set, and its JSON.

    Args:
        source: A JSON, or the root.
        where: Patterns in the root, the preferred first.

    Raises:
        FileNotFoundError: If there is none.
    """
    if source.is_file():
        folder = source.parent
        return (folder.parent if folder.name == "annotations" else folder), [source]
    for pattern in where:
        found = sorted(source.glob(pattern))
        if "panoptic" not in pattern:
            found = [p for p in found if not p.name.startswith(_OTHERS)]
        if found:
            return source, found
    raise FileNotFoundError(
        f"{source} holds no annotations of COCO ({', '.join(where)}); name the JSON "
        f"itself."
    )


def split_of(path: Path, root: Path | None = None) -> str:
    """The split that a JSON is of: train of instances_train2017.json; "": of none.

    Args:
        path: The JSON.
        root: Of the data set; None: a folder above that of the JSON.
    """
    if path.name == "_annotations.coco.json":
        name = path.parent.name
        is_split = path.parent != root or _SPLIT.search(name.lower())
        return name if is_split else ""
    found = _SPLIT.search(path.stem.lower())
    return found[1] if found else ""


def categories(record: JsonObject, path: Path) -> list[Key]:
    """The categories of a JSON.

    Args:
        record: Its content.
        path: The file, for messages.

    Raises:
        ValueError: If it has none, or two have one id or name.
    """
    found: list[Key] = []
    for each in json_files.records(record, "categories", path):
        number = whole_number(each, "id", f"{path}, a category")
        name = field(each, "name", str, f"{path}, category {number}").strip()
        found.append(Key(number, name, default=name))
    for what in ("value", "name"):
        values = [getattr(key, what) for key in found]
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise ValueError(
                f"{path} has two categories {twice[0]!r}; give each an id and a name "
                f"of its own."
            )
    return found


def find_image(
    record: JsonObject, path: Path, root: Path, places: Places
) -> tuple[str, Path, tuple[int, int]]:
    """An image of a JSON: its id, its file, and its height and width.

    Args:
        record: Of the image.
        path: The JSON.
        root: Of the data set.
        places: Where the images are, if not where they are looked for.

    Raises:
        FileNotFoundError: If it is in none of the usual folders.
        ValueError: If the record lacks something.
    """
    where = f"{path}, an image"
    name = field(record, "file_name", str, where).replace("\\", "/")
    size = (whole_number(record, "height", where), whole_number(record, "width", where))
    if PureWindowsPath(name).anchor:  # Of where it was annotated, perhaps elsewhere.
        here = root.resolve().as_posix()
        name = (
            name.removeprefix(f"{here}/")
            if name.startswith(f"{here}/")
            else PurePosixPath(name).name
        )
    # train2017 of instances_train2017.json.
    whole = re.sub(r"^(instances|panoptic)_", "", path.stem)
    given = [root / places.images] if places.images else []
    folders = [
        *given,
        *(root / "images" / whole, root / whole, root / "images", root, path.parent),
    ]
    for folder in folders:
        if (folder / name).is_file():
            stem = name[: -len(Path(name).suffix)] if Path(name).suffix else name
            return stem, folder / name, size
    raise FileNotFoundError(
        f"{root} holds no image {name}, which {path} lists; looked for in "
        f"{', '.join(str(f) for f in folders)}. Name its folder with --images=DIR."
    )


def _examples(
    record: JsonObject, path: Path, root: Path, places: Places, left_out: _LeftOut
) -> list[Example]:
    """The images of a JSON; annotations are counted."""
    known = {key.value for key in categories(record, path)}
    of_image: dict[int, list[JsonObject]] = {}
    for each in json_files.records(record, "annotations", path):
        where = f"{path}, annotation {each.get('id')}"
        number = whole_number(each, "category_id", where)
        if number not in known:
            raise ValueError(
                f"{where}: category {number} is none of the categories "
                f"{sorted(known)}; export it once more."
            )
        if has_outline(each):
            shape = {**each, "category_id": number}
            of_image.setdefault(whole_number(each, "image_id", where), []).append(shape)
        else:
            left_out.without += 1
    examples: list[Example] = []
    numbers: set[int] = set()
    for each in json_files.records(record, "images", path):
        name, image, size = find_image(each, path, root, places)
        number = whole_number(each, "id", f"{path}, {name}")
        shapes = of_image.get(number, [])
        numbers.add(number)
        draw = functools.partial(_draw, size, shapes, str(path))
        examples.append(Example(name, image, split_of(path, root), draw))
    for number, shapes in of_image.items():
        if number in numbers:
            left_out.drawn += len(shapes)
        else:
            left_out.strange += len(shapes)
    return examples


def has_outline(record: JsonObject) -> bool:
    """Whether an annotation has an outline of three points, or run lengths.

    Args:
        record: The annotation.
    """
    shape = record.get("segmentation")
    if isinstance(shape, list):
        bare = len(shape) >= _LEAST and not isinstance(shape[0], list)
        return bare or any(isinstance(o, list) and len(o) >= _LEAST for o in shape)
    return isinstance(shape, dict)


def check_size(size: tuple[int, int], header: Header, path: str) -> None:
    """Raise unless an image is of the size that its JSON says, as stored or upright.

    Args:
        size: Height and width by the JSON.
        header: Of the image.
        path: The JSON, for the message.

    Raises:
        ValueError: Naming both sizes.
    """
    if size not in ((header.height, header.width), header.upright_size):
        own = (header.height, header.width)
        checks.check_sizes(own, size, f"an image of {path} and its annotations")


def _draw(
    size: tuple[int, int], shapes: Sequence[JsonObject], path: str, header: Header
) -> np.ndarray:
    """The categories of an image's pixels, int32 [H, W]."""
    check_size(size, header, path)
    values = np.full(size, NOTHING, np.int32)
    for each in sorted(shapes, key=lambda shape: not shape.get("iscrowd")):
        values[covered(size, each, path)] = each["category_id"]
    return values


def covered(size: tuple[int, int], record: JsonObject, path: str) -> np.ndarray:
    """The pixels of an annotation.

    Args:
        size: Height and width of the image.
        record: The annotation; it has outlines or run lengths (`has_outline`).
        path: The JSON, for messages.

    Returns:
        bool [H, W].

    Raises:
        ValueError: If these are wrong.
    """
    where = f"{path}, annotation {record.get('id')}"
    outline = record["segmentation"]
    if isinstance(outline, dict):
        return coco_masks.decode_runs(size, outline, where)
    inside = np.zeros(size, bool)
    if not isinstance(outline[0], list):
        outline = [outline]  # VIA writes the numbers of one as they are.
    for points in outline:
        json_files.check_numbers(points, where)
        if len(points) % 2:
            raise ValueError(
                f"{where}: an outline of {len(points)} numbers; they are x and y "
                f"of each point."
            )
        if len(points) >= _LEAST:
            inside |= coco_masks.draw_polygon(size, points)
    return inside
