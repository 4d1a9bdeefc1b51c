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
        path: A PNG: with a palette (its indices are the labels), grey of at most 8
            bits (its values are), or RGB in the colours of `palette`. It is the file
            that decides; masks of one data set may differ.
        palette: Colour of every label, uint8 [256, 3].

    Returns:
        Labels, uint8 [H, W], and which of the three it was: "palette", "grey", "rgb".

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, has 16 bits or transparency, or holds a
            colour that is not in the palette.
    """
    with open_image(path) as image:
        if image.mode == "P":
            return _array(image, path), PALETTE
        if image.mode == "L":
            # Pillow spreads grey of 2 and 4 bits over 0 to 255.
            return _array(image, path) // _grey_step(path), GREY
        if image.mode == "1":
            return _array(image, path).astype(np.uint8), GREY
        if image.mode == "RGB":
            return colours_to_labels(_array(image, path), palette, path), RGB
        raise ValueError(
            f"{path}: a mask of mode {image.mode!r}; expected a palette PNG (P), grey "
            f"of at most 8 bits (L), or RGB in the palette of the data set. Convert "
            f"it, without resampling."
        )


def read_photo(path: str | Path) -> np.ndarray:
    """Read an image as uint8 RGB [H, W, 3].

    Grey, palette and CMYK images are converted, transparency is dropped. An EXIF
    orientation is not applied: masks are drawn over the pixels as they are stored.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read whole, or has more than 8 bits a channel.
    """
    with open_image(path) as image:
        if image.mode == "F" or image.mode.startswith("I"):
            raise ValueError(
                f"{path}: an image of mode {image.mode!r}, with more than 8 bits a "
                f"pixel; save it with 8, scaled as you mean it to be seen."
            )
        return np.array(_loaded(image, path).convert("RGB"))


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of an image, from its header."""
    with open_image(path) as image:
        return image.height, image.width


def open_image(path: str | Path) -> Image.Image:
    """Open an image lazily, with an error that names the file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no image, or a torn one.
    """
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

    Args:
        colours: uint8 RGB [H, W, 3].
        palette: Colour of every label, uint8 [256, 3].
        path: The file, for the message.

    Raises:
        ValueError: Naming the first colour that is not in the palette.
    """
    codes = _codes(colours)
    # The lowest label wins where a palette repeats a colour.
    known, first = np.unique(_codes(palette), return_index=True)
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
    return first.astype(np.uint8)[at]


def _codes(colours: np.ndarray) -> np.ndarray:
    """Colours as numbers, 0xRRGGBB."""
    red, green, blue = (colours[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue


def _grey_step(path: str | Path) -> int:
    """What Pillow multiplies the values of a grey PNG by: 1, 17 or 85."""
    with open(path, "rb") as file:
        header = file.read(25)
    is_png = header.startswith(b"\x89PNG")
    bits = header[24] if is_png else 8  # IHDR: signature 8, length 4, type 4, sizes 8.
    return 255 // (2**bits - 1)


def _loaded(image: Image.Image, path: str | Path) -> Image.Image:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read whole ({error}); it is truncated or corrupt. "
            f"Replace it or take its id off the list."
        ) from error
    return image


def _array(image: Image.Image, path: str | Path) -> np.ndarray:
    return np.array(_loaded(image, path))
