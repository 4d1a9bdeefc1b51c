"""Reading label masks, whichever way a PNG stores them."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

PALETTE = "palette"
GREY = "grey"
RGB = "rgb"


def read_mask(path: str | Path, palette: np.ndarray) -> tuple[np.ndarray, str]:
    """Read a mask as labels.

    Args:
        path: A PNG: with a palette (its indices are the labels), grey (its values
            are), or RGB in the colours of `palette`.
        palette: Colour of every label, uint8 [256, 3].

    Returns:
        Labels, uint8 [H, W], and which of the three it was: "palette", "grey", "rgb".

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, has more than 8 bits or transparency, or
            holds a colour that is not in the palette.
    """
    with open_image(path) as image:
        if image.mode in ("P", "L"):
            return _array(image, path), PALETTE if image.mode == "P" else GREY
        if image.mode == "1":
            return _array(image, path).astype(np.uint8), GREY
        if image.mode == "RGB":
            return colours_to_labels(_array(image, path), palette, path), RGB
        raise ValueError(
            f"{path}: a mask of mode {image.mode!r}; expected a palette PNG (P), grey "
            f"of 8 bits (L), or RGB in the palette of the data set. Convert it, "
            f"without resampling."
        )


def read_photo(path: str | Path) -> np.ndarray:
    """Read an image as uint8 RGB [H, W, 3]; an EXIF orientation is not applied.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read whole.
    """
    with open_image(path) as image:
        return _array(image.convert("RGB") if _loads(image, path) else image, path)


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of an image, from its header."""
    with open_image(path) as image:
        return image.height, image.width


def open_image(path: str | Path) -> Image.Image:
    """Open an image lazily, with an error that names the file."""
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist.") from None
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(
            f"{path} is no readable image ({error}); replace it or take its id off "
            f"the list."
        ) from error


def colours_to_labels(
    colours: np.ndarray, palette: np.ndarray, path: str | Path
) -> np.ndarray:
    """Labels whose palette colours are given, uint8 [H, W].

    Raises:
        ValueError: Naming the first colour that is not in the palette.
    """
    weights = np.array([1 << 16, 1 << 8, 1], np.int64)
    codes = colours.astype(np.int64) @ weights
    # The lowest label wins where a palette repeats a colour.
    known, first = np.unique(palette.astype(np.int64) @ weights, return_index=True)
    at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    unknown = known[at] != codes
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        colour = tuple(int(c) for c in colours[row, column])
        raise ValueError(
            f"{path}: colour {colour} at row {row}, column {column} is "
            f"not in the palette of the data set; save masks "
            f"without smoothing or loss, or with class indices instead of colours."
        )
    return first[at].astype(np.uint8)


def _loads(image: Image.Image, path: str | Path) -> bool:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read whole ({error}); it is truncated or corrupt. "
            f"Replace it or take its id off the list."
        ) from error
    return True


def _array(image: Image.Image, path: str | Path) -> np.ndarray:
    _loads(image, path)
    return np.array(image)
