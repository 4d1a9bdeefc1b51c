"""Shapes as pixels, as labelme and Pillow draw them.

A pixel belongs to a polygon where its centre is inside, and so does every pixel that
the outline runs through: Pillow fills, and draws the outline. Points are pixels, (0, 0)
the first one.
"""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Point = tuple[float, float]  # (x, y), pixels.

_LINE_WIDTH, _POINT_RADIUS = 10, 5  # labelme's.
# Points that a shape has, as labelme knows it.
_COUNTS = {"circle": 2, "rectangle": 2, "line": 2, "point": 1, "oriented_rectangle": 4}
_LEAST = {"polygon": 3, "linestrip": 2}
SHAPES = (*_COUNTS, *_LEAST)


def draw(
    size: tuple[int, int], kind: str, points: Sequence[Point], where: str
) -> np.ndarray:
    """The pixels of a shape.

    Args:
        size: Height and width of the image.
        kind: One of SHAPES.
        points: Its points.
        where: The file and shape, for messages.

    Returns:
        bool [H, W]; what lies beyond the image is cut off.

    Raises:
        ValueError: If there is no such kind, or it has other points.

    References:
        labelme 7.1.0, examples/utils.py, shape_to_mask.
    """
    if kind not in SHAPES:
        raise ValueError(
            f"{where}: a shape of type {kind!r}; known are {', '.join(SHAPES)} "
            f"and mask."
        )
    wanted = _COUNTS.get(kind, _LEAST.get(kind, 0))
    if len(points) < wanted or (kind in _COUNTS and len(points) != wanted):
        raise ValueError(
            f"{where}: a {kind} with {len(points)} points; it has {wanted}"
            f"{' or more' if kind in _LEAST else ''}. Draw it anew, or remove it."
        )
    canvas = Image.new("1", (size[1], size[0]))
    pen = ImageDraw.Draw(canvas)
    xy = [(float(x), float(y)) for x, y in points]
    match kind:
        case "circle":
            radius = math.dist(*xy)
            pen.ellipse(_around(xy[0], radius), fill=1, outline=1)
        case "point":
            pen.ellipse(_around(xy[0], _POINT_RADIUS), fill=1, outline=1)
        case "rectangle":
            (x0, y0), (x1, y1) = xy
            box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            pen.rectangle(box, fill=1, outline=1)
        case "line":
            pen.line(xy, fill=1, width=_LINE_WIDTH)
        case "linestrip":
            pen.line(xy, fill=1, width=_LINE_WIDTH, joint="curve")
        case _:
            pen.polygon(xy, fill=1, outline=1)
    return np.array(canvas)


def _around(centre: Point, radius: float) -> tuple[float, float, float, float]:
    x, y = centre
    return (x - radius, y - radius, x + radius, y + radius)
