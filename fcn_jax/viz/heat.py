"""A map of cells drawn over the image that it was made of."""

import numpy as np
from PIL import Image, ImageDraw

from fcn_jax.viz import labels

# Colours from the least to the most: dark blue, violet, red, orange, pale yellow.
_COLOURS = np.array(
    [[20, 20, 80], [110, 30, 140], [210, 50, 60], [250, 150, 40], [255, 250, 170]]
)
_SHARE = 0.65  # Of the colours where they lie over the image.
_MARGIN, _TITLE, _BAR, _LEAST = 6, 22, 12, 200  # Pixels.


def spread(
    values: np.ndarray, size: tuple[int, int], stride: int, first: float
) -> np.ndarray:
    """Values of cells at the pixels of their image, linearly between the centres.

    Args:
        values: [h, w] of the cells.
        size: Height and width of the image, pixels.
        stride: Pixels from cell to cell.
        first: Row and column of the first cell's centre; beyond the outer centres a
            pixel has the value of the nearest.

    Returns:
        [H, W] float64.
    """
    rows, columns = ((np.arange(n) - first) / stride for n in size)
    by_row = np.stack(
        [np.interp(rows, np.arange(len(values)), each) for each in values.T], axis=1
    )
    return np.stack(
        [np.interp(columns, np.arange(values.shape[1]), each) for each in by_row]
    )


def colours(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as uint8 RGB, [..., 3].

    Args:
        values: [...]; what lies outside is taken as the end that it lies beyond.
    """
    places = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(values, places, channel) for channel in _COLOURS.T]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def draw_heat(
    image: np.ndarray, values: np.ndarray, stride: int, first: float, title: str
) -> np.ndarray:
    """An image, and beside it the map over it, with a bar of its colours.

    Args:
        image: uint8 RGB [H, W, 3].
        values: Of the cells, [h, w], at least 0; colours reach from 0 to the largest.
        stride: Pixels of the image from cell to cell.
        first: Row and column of the first cell's centre.
        title: What the map shows.

    Returns:
        uint8 RGB.
    """
    size = image.shape[:2]
    most = float(values.max())
    heat = colours(spread(values, size, stride, first) / (most or 1.0))
    over = image * (1 - _SHARE) + heat * _SHARE
    height, width = size
    cell = max(width, _LEAST)
    sheet = Image.new(
        "RGB",
        (2 * cell + 3 * _MARGIN, height + 2 * _TITLE + _BAR + 2 * _MARGIN),
        "white",
    )
    pen, right = ImageDraw.Draw(sheet), cell + 2 * _MARGIN
    for left, name, picture in (
        (_MARGIN, "image", image),
        (right, title, over.round().astype(np.uint8)),
    ):
        labels.draw_title(pen, (left, _TITLE - 4), name, cell)
        sheet.paste(Image.fromarray(picture), (left, _TITLE))
    bar = np.broadcast_to(colours(np.linspace(0, 1, cell)), (_BAR, cell, 3))
    under = _TITLE + height + _MARGIN
    sheet.paste(Image.fromarray(np.ascontiguousarray(bar)), (right, under))
    place = (right, under + _BAR + _TITLE - 6)
    labels.draw_title(pen, place, f"0 to {most:.3g}", cell)
    return np.asarray(sheet)
