"""Where a scene lies on the earth: the tags of a GeoTIFF, read and written by Pillow.

References:
    OGC 19-008r4, GeoTIFF 1.1, sec. 7.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from fcn_jax.storage import files

_KEYS = 34735  # GeoKeyDirectory: the reference system; it is in every GeoTIFF.
# ModelPixelScale, ModelTiepoint, ModelTransformation; parameters of the keys.
_TAGS = (33550, 33922, 34264, _KEYS, 34736, 34737)
_ORIENTATION = 274
# The type and the value of each tag.
Coordinates: TypeAlias = Mapping[int, tuple[int, object]]


def coordinates(path: str | Path) -> Coordinates:
    """The coordinates of a scene; empty where a file has none.

    So they are where a file is turned by its orientation when it is read.

    Args:
        path: The file, of any format.
    """
    try:
        with Image.open(path) as image:
            if not isinstance(image, TiffImagePlugin.TiffImageFile):
                return {}
            tags = image.tag_v2
            if _KEYS not in tags or tags.get(_ORIENTATION, 1) != 1:
                return {}
            return {tag: (tags.tagtype[tag], tags[tag]) for tag in _TAGS if tag in tags}
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return {}  # Who reads the image is told why.


def save_labels(
    path: str | Path,
    labels: np.ndarray,
    palette: np.ndarray,
    where: Coordinates,
) -> None:
    """Write labels as a palette TIFF with coordinates, whole or not at all.

    Args:
        path: The file.
        labels: uint8 [H, W], of all of the scene.
        palette: uint8 [256, 3].
        where: Of the scene.
    """
    image = Image.fromarray(labels)
    image.putpalette(palette.reshape(-1).tolist())
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, (kind, value) in where.items():
        tags.tagtype[tag] = kind
        tags[tag] = value

    def write(part: Path) -> None:
        image.save(part, "TIFF", tiffinfo=tags, compression="tiff_deflate")

    files.write_whole(path, write)
