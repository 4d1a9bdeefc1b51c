"""From the bytes of a stranger to an image: bounded, and refused in words."""

import functools
import warnings

import numpy as np
from PIL import Image

from fcn_jax.data import image_files, photos
from fcn_jax.data.content import Content
from fcn_jax.serving.refusals import NO_IMAGE, TOO_LARGE, Refusal

# Of Pillow; what it reads beside these is rare, or starts other programs. Its "JPEG"
# reads MPO too.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")


@functools.cache
def formats() -> tuple[str, ...]:
    """Those that are read; without one that this Pillow does not have.

    `Image.open(formats=...)` of Pillow 13 raises a KeyError where it meets such a one.
    """
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def read(data: bytes, max_pixels: int) -> np.ndarray:
    """An image as it is seen, as `fcn_jax predict` reads it: uint8 RGB [H, W, 3].

    In one thread at a time: Pillow's limit is the process's.

    Args:
        data: The file.
        max_pixels: Of which larger images are refused, by what their header says.

    Raises:
        Refusal: If it is no image, is larger, or cannot be read whole.
    """
    content = Content("the image", data, formats())
    with photos.room_for_large_images(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of what is odd in the file, not in the image.
        _check(content, max_pixels)
        try:
            return image_files.read_photo(content, upright=True, deep=True)
        except Exception as error:  # Pillow's readers raise what they happen to.
            whole = isinstance(error, ValueError) and error.__cause__ is None
            why = str(error) if whole else f"its data are damaged ({_named(error)})"
            why = why.removeprefix(f"{content}: ")
            raise Refusal(NO_IMAGE, f"the image cannot be read: {why}") from error


def _check(content: Content, max_pixels: int) -> None:
    """Refuse what is no image, or too large a one, by its header."""
    try:
        header = image_files.read_header(content)
    except Exception as error:
        if isinstance(error.__cause__, photos.TooManyPixels):
            raise Refusal(
                TOO_LARGE, f"the image has more than {max_pixels:,} pixels"
            ) from error
        *most, last = formats()
        raise Refusal(
            NO_IMAGE,
            f"what came is no image ({len(content.data):,} bytes); send one as "
            f"{', '.join(most)} or {last}",
        ) from error
    pixels = header.height * header.width
    if pixels > max_pixels:
        height, width = header.upright_size
        raise Refusal(
            TOO_LARGE,
            f"the image has {width}x{height} = {pixels:,} pixels, and {max_pixels:,} "
            f"is the most; send a smaller one, or start the server with --max_pixels",
        )


def _named(error: Exception) -> str:
    """An error, or what it came from, in a few words."""
    first = error.__cause__ or error
    return " ".join(f"{type(first).__name__}: {first}".split())[:200]
