"""A sheet of images with their labels over them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from fcn_jax.viz import labels as drawing

_SHOWN, _COLUMNS = 240, 4  # Side of the pictures at most, and how many abreast.
_TITLE, _MARGIN = 22, 6  # Pixels.


def overlay_sheet(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray]],
    classes: Sequence[str],
    palette: np.ndarray,
) -> np.ndarray:
    """Images, their labels' colours over them, side by side; a legend below.

    Args:
        rows: (title, image uint8 RGB [H, W, 3], labels uint8 [H, W]) each; sizes may
            differ, and void is 255.
        classes: Names for the legend, in the order of the labels.
        palette: Colour of every label, uint8 [256, 3].

    Returns:
        uint8 RGB.

    Raises:
        ValueError: If there are no images, or image and labels do not fit.
    """
    if not rows:
        raise ValueError("overlay_sheet: no images; give at least one.")
    cells: list[tuple[str, Image.Image]] = []
    for title, image, labels in rows:
        shown = Image.fromarray(drawing.overlay(image, labels, palette=palette))
        shown.thumbnail((_SHOWN, _SHOWN))
        cells.append((title, shown))
    columns, wide = min(_COLUMNS, len(rows)), _SHOWN + _MARGIN
    high = _TITLE + _MARGIN + max(shown.height for _, shown in cells)
    size = (columns * wide + _MARGIN, -(-len(rows) // columns) * high)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for place, (title, shown) in enumerate(cells):
        left, top = _MARGIN + place % columns * wide, place // columns * high
        drawing.draw_title(pen, (left, top + _TITLE - 4), title, _SHOWN)
        sheet.paste(shown, (left, top + _TITLE))
    return drawing.with_legend(np.asarray(sheet), classes, palette)
