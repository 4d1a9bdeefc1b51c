"""How many bits the samples of an image file have, and those above 8 read as 8.

Pillow gives colour of 16 bits a channel as colour of 8, of which it keeps the upper
ones alone. Many such files hold 10 to 12 bits, as cameras and satellites give them:
then little is left but black.

References:
    PNG, section 11.2.2 (IHDR). TIFF 6.0, tag 258 (BitsPerSample). JPEG 2000,
    ISO/IEC 15444-1, A.5.1 (SIZ).
"""

import re

import numpy as np
from PIL import Image, TiffImagePlugin

from fcn_jax.data.content import File, first_bytes

_PNG_BIT_DEPTH = 24  # IHDR: signature 8, length 4, type 4, sizes 8.
_TIFF_BITS = 258
_CODESTREAM = re.compile(rb"\xff\x4f\xff\x51.{38}(.)", re.DOTALL)  # SOC, SIZ, Ssiz.
_CODESTREAM_WITHIN = 1 << 16
_MOST = 16  # Bits that are read as 8.
_DARK = 16  # Of 255: no sample of 16 bits that has 12 is above it.


def bits_of(image: Image.Image, path: File) -> int:
    """Bits a sample of an image, of its deepest channel.

    Args:
        image: Whose pixels are not read yet.
        path: Its file.

    Returns:
        The bits as they are stored; 8 of formats that have no more, or whose larger
        samples Pillow scales by the range that the file declares (AVIF, PPM).
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(_TIFF_BITS) or (1,))
    if image.format == "PNG":
        return first_bytes(path, _PNG_BIT_DEPTH + 1)[-1]
    if image.format == "JPEG2000":
        found = _CODESTREAM.search(first_bytes(path, _CODESTREAM_WITHIN))
        return (found[1][0] & 0x7F) + 1 if found else 8
    if image.format == "SGI":
        return 8 * first_bytes(path, 4)[3]
    if image.mode == "F":
        return 32
    return 16 if image.mode.startswith("I") else 8


def check_8_bits(bits: int, mode: str, path: File) -> None:
    """Raise unless an image has at most 8 bits a channel.

    Args:
        bits: Of `bits_of`.
        mode: Of the image, Pillow's.
        path: The file, for the message.

    Raises:
        ValueError: Naming the file and the bits.
    """
    if bits > 8 or mode == "F":
        raise ValueError(
            f"{path}: an image of mode {mode!r}, with more than 8 bits a channel "
            f"({bits}); save it with 8, scaled as you mean it to be seen."
        )


def with_8_bits(
    image: Image.Image, values: np.ndarray, bits: int, path: File
) -> Image.Image:
    """An image of 9 to 16 bits a channel as one of 8: the upper 8 count.

    Args:
        image: As Pillow opened it.
        values: Its pixels, whole numbers; of grey as they are stored, of colours the
            upper 8 bits of 16.
        bits: Of `bits_of`.
        path: The file, for messages.

    Returns:
        The image, its orientation kept.

    Raises:
        ValueError: If samples have more bits or are fractions; or if all are so low
            that they have fewer bits than the file says, and would be read as black.
    """
    if bits > _MOST or image.mode == "F":
        check_8_bits(bits, image.mode, path)
    if image.mode.startswith("I"):
        values = np.clip(values.astype(np.int64), 0, 2**bits - 1) >> (bits - 8)
    samples = values.astype(np.uint8)
    alpha = image.mode in ("RGBA", "RGBa", "LA")
    if samples.size and (samples[..., :-1] if alpha else samples).max() < _DARK:
        raise ValueError(
            f"{path}: {bits} bits a channel, of which the upper 4 are 0 throughout: "
            f"its values are of 12 bits or fewer, and would be read as almost black; "
            f"save it with 8 bits, scaled as you mean it to be seen."
        )
    found = image if not image.mode.startswith("I") else Image.fromarray(samples)
    if found is not image:
        found.getexif().update(image.getexif())
    return found
