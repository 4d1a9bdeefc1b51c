"""COCO's outlines and run lengths as pixels, exactly as pycocotools has them.

An outline is drawn on a grid five times as fine, of which every column's crossings are
kept: a pixel is inside where its centre is, but for the rounding of that grid; the
outline itself covers nothing.

References:
    cocoapi, common/maskApi.c: rleFrPoly, rleFrString, rleDecode.
"""

from collections.abc import Sequence

import numpy as np

from fcn_jax.data.imports import json_files
from fcn_jax.storage.files import JsonObject

_FINER = 5  # The grid's pixels along a pixel.


def draw_polygon(size: tuple[int, int], outline: Sequence[float]) -> np.ndarray:
    """The pixels inside an outline.

    Args:
        size: Height and width of the image.
        outline: x and y of each point in turn, pixels; three points or more.

    Returns:
        bool [H, W].
    """
    height, width = size
    fine = np.trunc(_FINER * np.asarray(outline, np.float64) + 0.5).astype(np.int64)
    corners = fine.reshape(-1, 2)
    us, vs = _boundary(corners, np.roll(corners, -1, axis=0))
    step = np.flatnonzero(us[1:] != us[:-1]) + 1
    before, after = us[step - 1], us[step]
    x = np.where(after < before, after, after - 1)
    x = (x + 0.5) / _FINER - 0.5
    y = (np.minimum(vs[step], vs[step - 1]) + 0.5) / _FINER - 0.5
    kept = (np.floor(x) == x) & (x >= 0) & (x <= width - 1)
    rows = np.ceil(np.clip(y[kept], 0, height)).astype(np.int64)
    places = x[kept].astype(np.int64) * height + rows
    # Down the columns, every crossing changes between outside and inside.
    crossings = np.bincount(places, minlength=height * width + 1)[: height * width]
    inside = np.cumsum(crossings) % 2 == 1
    return inside.reshape(width, height).T


def _boundary(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of the fine grid along an outline, in order: columns and rows."""
    us: list[np.ndarray] = []
    vs: list[np.ndarray] = []
    for (x0, y0), (x1, y1) in zip(starts.tolist(), ends.tolist(), strict=True):
        dx, dy = abs(x1 - x0), abs(y1 - y0)
        flat = dx >= dy
        turned = x0 > x1 if flat else y0 > y1
        if turned:
            x0, y0, x1, y1 = x1, y1, x0, y0
        along = np.arange((dx if flat else dy) + 1)
        along = along[::-1] if turned else along
        longer = dx if flat else dy
        slope = ((y1 - y0) if flat else (x1 - x0)) / longer if longer else 0.0
        across = np.trunc((y0 if flat else x0) + slope * along + 0.5).astype(np.int64)
        us.append(x0 + along if flat else across)
        vs.append(across if flat else y0 + along)
    return np.concatenate(us), np.concatenate(vs)


def decode_runs(size: tuple[int, int], record: JsonObject, where: str) -> np.ndarray:
    """The pixels of a mask by run lengths, compressed or not.

    Args:
        size: Height and width of the image.
        record: `size` and `counts`.
        where: The file and annotation, for messages.

    Returns:
        bool [H, W].

    Raises:
        ValueError: If the size is not the image's, or the runs do not fill it.
    """
    own = json_files.field(record, "size", list, where)
    if tuple(own) != size:
        raise ValueError(
            f"{where}: run lengths of a mask of {own} (height, width), but its image "
            f"is {list(size)}; export it once more."
        )
    counts = record.get("counts")
    if isinstance(counts, str):
        counts = _decompressed(counts)
    if not isinstance(counts, list) or not all(type(n) is int for n in counts):
        raise ValueError(
            f"{where}: 'counts' is neither a list of whole numbers nor text; export it "
            f"once more."
        )
    if min(counts, default=0) < 0 or sum(counts) != size[0] * size[1]:
        raise ValueError(
            f"{where}: run lengths of {sum(counts)} pixels for an image of "
            f"{size[0] * size[1]}; export it once more."
        )
    inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return inside.reshape(size[1], size[0]).T  # Runs go down the columns.


def _decompressed(text: str) -> list[int]:
    """Run lengths from COCO's text: five bits a letter, differences from the third."""
    counts: list[int] = []
    value = shift = 0
    for letter in text.encode():
        code = letter - 48
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts
