"""Annotations of other tools, made into a folder in VOC layout.

One format a module, with a function `read` (`contracts.Importer`). To add one, write
the module and give it a line here.
"""

import importlib
from pathlib import Path
from types import ModuleType

from fcn_jax import messages
from fcn_jax.data.imports.contracts import Collection, Importer, Places

FORMATS = {
    "folders": "two folders, of images and of masks, with any names",
    "coco": "COCO instances: one JSON, or a folder with annotations/",
    "coco_panoptic": "COCO panoptic: likewise, with its PNGs",
    "coco_voc": "COCO instances as labels of VOC's 20 classes",
    "labelme": "labelme: a folder of JSON, or what its exporter writes",
    "voc": "what CVAT and Datumaro export as VOC, with labelmap.txt",
    "yolo": "YOLO polygons: a folder with data.yaml, or that file",
    "cityscapes": "leftImg8bit/ and gtFine/: the 19 classes that are scored",
    "ade20k": "images/ and annotations/ of the scene parsing challenge",
    "camvid": "CamVid's folders: SegNet's, Kaggle's, Cambridge's, Datumaro's",
}
# The flags of places that a format uses.
_PLACES = {
    "folders": ("images", "masks"),
    "coco": ("images",),
    "coco_voc": ("images",),
    "coco_panoptic": ("images", "masks"),
    "voc": ("masks",),
    "cityscapes": ("images", "masks"),
    "ade20k": ("images", "masks"),
}

# Formats that may begin with a file.
_WITH_FILES = ("coco", "coco_panoptic", "coco_voc", "yolo")
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def read(form: str, source: str | Path, places: Places | None = None) -> Collection:
    """What a source of a format holds.

    Args:
        form: One of FORMATS.
        source: A folder, or a file that the format begins with.
        places: Where its files are, where the format leaves it open.

    Returns:
        What was found, for `writing.write`.

    Raises:
        FileNotFoundError: If the source is not there, or holds nothing of the format.
        ValueError: If the format is not known or has no use for a place, the source is
            an archive or a file in the place of a folder, or a file cannot be
            understood.
    """
    places = places or Places()
    source = _checked(form, source, places)
    importer: Importer = _module(form).read
    return importer(source, places)


def watched(form: str, source: str | Path, places: Places | None = None) -> list[Path]:
    """What a collection depends on: it is as it was where all of these are.

    Args:
        form: As of `read`, and so are the others.
        source: A folder or a file.
        places: Where its files are.

    Returns:
        Files, and folders with all that is below them; they may overlap.

    Raises:
        FileNotFoundError: If the source is not there.
        ValueError: As `read`.
    """
    places = places or Places()
    source = _checked(form, source, places)
    own = getattr(_module(form), "watched", None)
    if own is not None:
        return own(source, places)
    return [source, *(source / p for p in (places.images, places.masks) if p)]


def _module(form: str) -> ModuleType:
    return importlib.import_module(f"fcn_jax.data.imports.{form}")


def _checked(form: str, source: str | Path, places: Places) -> Path:
    """The source of a format, where that has a use for the places."""
    if form not in FORMATS:
        raise ValueError(messages.unknown_name("format", form, FORMATS))
    used = _PLACES.get(form, ())
    for name, given in (("images", places.images), ("masks", places.masks)):
        if given and name not in used:
            has = " and ".join(f"--{each}" for each in used) or "neither"
            raise ValueError(
                f"--{name}={given} is not used by the format {form!r}, which has "
                f"{has}; leave it out, or use 'folders'."
            )
    source = Path(source).expanduser()
    if not source.exists():
        raise FileNotFoundError(
            f"{source} does not exist; name what is to be imported."
        )
    packed = source.suffix.lower() in _PACKED
    if source.is_file() and (packed or form not in _WITH_FILES):
        raise ValueError(
            f"{source} is {'an archive' if packed else 'a file'}, and the format "
            f"{form!r} is a folder; {'unpack it, and ' if packed else ''}name the "
            f"folder that holds the files."
        )
    return source
