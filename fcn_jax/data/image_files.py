"""Reading photographs and label masks, whichever way a file stores them."""

import contextlib
import dataclasses
import struct
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from fcn_jax.data import sample_depths
from fcn_jax.data.colours import colours_to_labels, indices_to_labels, packed
from fcn_jax.data.content import File, formats_of, opened

PALETTE = "palette"
GREY = "grey"
RGB = "rgb"

# Endings of files, in the order in which they are looked for; in any case of letters.
PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".gif")
# Formats that may change labels where they compress.
_LOSSY = ("JPEG", "JPEG2000", "MPO", "WEBP", "AVIF")
_SUBFILE, _COPY_OR_MASK = 254, 0b101  # A TIFF's tag, and its bits for what is no image.
_UPRIGHT = 1  # The EXIF orientation of an image that is stored as it is seen.
_LYING = (5, 6, 7, 8)  # Those that exchange height and width.
# Pillow turns a TIFF by its orientation when it is loaded, and no other format; these
# turn it back.
_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says of its image before it is read.

    Attributes:
        height: Pixels, as they are stored.
        width: Likewise.
        orientation: By EXIF, 1 to 8; 1 where the file has none.
        mode: Pillow's name of what a pixel is: "L" is grey, "P" of a palette, ...
        bits: A channel, as they are stored.
    """

    height: int
    width: int
    orientation: int = _UPRIGHT
    mode: str = "RGB"
    bits: int = 8

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width once the orientation is applied."""
        swapped = self.orientation in _LYING
        return (self.width, self.height) if swapped else (self.height, self.width)

    @property
    def is_upright(self) -> bool:
        """Whether the pixels are stored as they are to be seen."""
        return self.orientation == _UPRIGHT


def read_header(path: File) -> Header:
    """Size, orientation and kind of an image, without reading its pixels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image.
    """
    with open_image(path) as image:
        orientation = _UPRIGHT
        # Of a PNG Pillow reads all pixels to find it behind them, where nobody has it.
        if image.format != "PNG" or "exif" in image.info:
            orientation = orientation_of(image)
        height, width = image.height, image.width
        if image.format == "TIFF" and orientation in _LYING:
            height, width = width, height  # Pillow has turned it, as it says.
        return Header(
            height,
            width,
            orientation,
            image.mode,
            sample_depths.bits_of(image, path),
        )


def read_mask(
    path: str | Path,
    palette: np.ndarray,
    *,
    by_colour: bool = False,
    colours_from: str = "",
) -> tuple[np.ndarray, str]:
    """Read a mask as labels.

    Args:
        path: A PNG (or BMP, TIFF, GIF): with a palette (its indices are the labels),
            grey of at most 8 bits (its values are), or RGB in the colours of
            `palette`. It is the file that decides; masks of one data set may differ.
        palette: Colour of every label, uint8 [256, 3].
        by_colour: Whether the colours of a file's own palette are those of `palette`
            too; then they decide, since programs number them as they like.
        colours_from: The file of `palette`, for messages; "": it is of none.

    Returns:
        Labels, uint8 [H, W], and which of the three it was: "palette", "grey", "rgb".

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, was compressed with loss, holds several
            images, has 16 bits or transparency, or a colour that is not in the palette.
    """
    with open_image(path) as image:
        if image.format in _LOSSY:
            raise _lossy(path, image.format)
        _check_content(image, path)
        bits = sample_depths.bits_of(image, path)
        if image.mode == "P":
            indices = _array(image, path)
            if by_colour:
                own = own_palette(image)
                indices = indices_to_labels(indices, own, palette, path, colours_from)
            return indices, PALETTE
        if image.mode == "L" and bits <= 8:
            # Pillow spreads grey of 2 and 4 bits over 0 to 255.
            return _array(image, path) // (255 // (2**bits - 1)), GREY
        if image.mode == "1":
            return _array(image, path).astype(np.uint8), GREY
        if bits <= 8 and (image.mode == "RGB" or _is_opaque(image, path)):
            colours = np.array(_loaded(image, path).convert("RGB"))
            return colours_to_labels(colours, palette, path, colours_from), RGB
        raise ValueError(
            f"{path}: a mask of mode {image.mode!r}; expected a palette PNG (P), grey "
            f"of at most 8 bits (L), or RGB in the palette of the data set, and it has "
            f"{bits} bits a channel. Convert it, without resampling."
        )


def read_values(path: File, *, by_colour: bool = False) -> np.ndarray:
    """Read what a mask holds, whatever it means.

    Args:
        path: A file such as `read_mask` reads, or grey of 16 bits; or what is one in
            memory.
        by_colour: Whether it is colours that are wanted; of a palette those of its
            indices. Else indices and values are, and colours only of what has neither.

    Returns:
        int32 [H, W]: values, or colours as 0xRRGGBB.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read whole, was compressed with loss, holds several
            images, or has a mode that is neither.
    """
    with open_image(path) as image:
        if image.format in _LOSSY:
            raise _lossy(path, image.format)
        _check_content(image, path)
        bits = sample_depths.bits_of(image, path)
        if bits <= 8 and (by_colour or image.mode in ("RGB", "RGBA")):
            if image.mode != "RGBA" or _is_opaque(image, path):
                return packed(np.array(_loaded(image, path).convert("RGB")))
        elif image.mode in ("P", "L", "1") or image.mode.startswith("I"):
            step = 255 // (2**bits - 1) if image.mode == "L" and bits <= 8 else 1
            return _array(image, path).astype(np.int32) // step
        raise ValueError(
            f"{path}: a mask of mode {image.mode!r}; expected a palette PNG (P), grey "
            f"(L), or RGB. Convert it, without resampling."
        )


def read_photo(
    path: File, *, upright: bool = False, deep: bool = False, draft: bool = False
) -> np.ndarray:
    """Read an image as uint8 RGB [H, W, 3].

    Grey, palette and CMYK images are converted, transparency is dropped.

    Args:
        path: The file, or what is one in memory.
        upright: Whether to turn it as its EXIF orientation says. By default it is not
            turned: then masks are drawn over the pixels as they are stored.
        deep: Whether 9 to 16 bits a channel are read too, of which the upper 8 count.
        draft: Whether a JPEG may come grey and smaller, up to an eighth of its sides:
            its file is read to the end all the same, in half of the time.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read whole, holds several images, has more than 8
            bits a channel, or, read by its upper bits, would be almost black.
    """
    with open_image(path) as image:
        _check_content(image, path)
        bits = sample_depths.bits_of(image, path)
        if draft:
            image.draft("L", (1, 1))
        if bits > 8 and deep:
            values = _array(image, path)
            image = sample_depths.with_8_bits(image, values, bits, path)
        else:
            sample_depths.check_8_bits(bits, image.mode, path)
        orientation = orientation_of(image)
        photo = _loaded(image, path)
        if upright:
            if orientation != _UPRIGHT:
                ImageOps.exif_transpose(photo, in_place=True)
        elif image.format == "TIFF" and orientation in _BACK:
            photo = photo.transpose(_BACK[orientation])
        if "transparency" in photo.info:  # Which Pillow warns of; it is dropped.
            photo = photo.convert("RGBA")
        return np.array(photo if photo.mode == "RGB" else photo.convert("RGB"))


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of an image, 1 to 8; 1 where it has none that can be read.

    Args:
        image: As Pillow opened it.
    """
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
    except (SyntaxError, ValueError, struct.error):  # Its pixels may be whole.
        return _UPRIGHT
    return found if found in range(1, 9) else _UPRIGHT


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of an image as it is stored, from its header.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image.
    """
    header = read_header(path)
    return header.height, header.width


def is_bilevel(path: str | Path) -> bool:
    """Whether an image has one bit a pixel, for black and white.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image.
    """
    with open_image(path) as image:
        return image.mode == "1"


def own_palette(image: Image.Image) -> np.ndarray:
    """The colours of an image's own palette, uint8 [at most 256, 3].

    Args:
        image: Of mode "P".
    """
    mode, colours = image.palette.getdata() if image.palette else ("", b"")
    if mode == "RGB":  # Without reading the pixels.
        return np.frombuffer(colours, np.uint8).reshape(-1, 3)[:256].copy()
    return np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)[:256]


def open_image(path: File) -> Image.Image:
    """Open an image lazily, with an error that names the file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no image, a torn one, or larger than Pillow reads.
    """
    try:
        return Image.open(opened(path), formats=formats_of(path))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist.") from None
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{path}: {error} Cut the image and its mask into tiles, or shrink both."
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(
            f"{path} is no readable image ({error}); replace it or take its id off "
            f"the list."
        ) from error


def _is_opaque(image: Image.Image, path: File) -> bool:
    """Whether it is RGB with a transparency that says nothing."""
    if image.mode != "RGBA":
        return False
    return bool((_array(image, path)[..., 3] == 255).all())


def _check_content(image: Image.Image, path: File) -> None:
    """Raise if what Pillow would read in silence is not the image that was meant."""
    if image.format == "PNG":
        _check_sums(path)
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_pages(image, path)


def _check_sums(path: File) -> None:
    """Raise if a PNG's data are not those of its checksums, which reading ignores."""
    try:
        with Image.open(opened(path), formats=formats_of(path)) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError) as error:
        raise _not_whole(path, error) from error


def _check_pages(image: TiffImagePlugin.TiffImageFile, path: File) -> None:
    """Raise if a TIFF is a stack; smaller copies, thumbnails and masks are none."""
    size, alike = image.size, 0
    # A page that cannot be read is no image, and the first may be whole all the same.
    with contextlib.suppress(EOFError, OSError, SyntaxError, ValueError, TypeError):
        for number in range(image.n_frames):
            image.seek(number)
            kind = int(image.tag_v2.get(_SUBFILE, 0))
            alike += image.size == size and not kind & _COPY_OR_MASK
    image.seek(0)
    if alike > 1:
        raise ValueError(
            f"{path} holds {alike} images, one behind the other, of which only the "
            f"first would be read; write each to a file of its own."
        )


def _loaded(image: Image.Image, path: File) -> Image.Image:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise _not_whole(path, error) from error
    return image


def _not_whole(path: File, error: Exception) -> ValueError:
    return ValueError(
        f"{path} cannot be read whole ({error}); it is truncated or corrupt. Replace "
        f"it or take its id off the list."
    )


def _lossy(path: File, kind: str | None) -> ValueError:
    return ValueError(
        f"{path}: a mask in the format {kind}, whose compression changes labels; "
        f"export the masks as PNG from where they were drawn."
    )


def _array(image: Image.Image, path: File) -> np.ndarray:
    return np.array(_loaded(image, path))
