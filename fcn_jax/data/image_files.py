"""Reading photographs and label masks, whichever way a file stores them."""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fcn_jax.data.label_sets import IGNORE_LABEL

PALETTE = "palette"
GREY = "grey"
RGB = "rgb"

# Endings of files, in the order in which they are looked for; in any case of letters.
PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MASK_ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".gif")
# Formats that may change labels where they compress.
_LOSSY = ("JPEG", "JPEG2000", "MPO", "WEBP", "AVIF")
_UPRIGHT = 1  # The EXIF orientation of an image that is stored as it is seen.
_LYING = (5, 6, 7, 8)  # Those that exchange height and width.
_PNG_BIT_DEPTH = 24  # IHDR: signature 8, length 4, type 4, sizes 8.


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says of its image before it is read.

    Attributes:
        height: Pixels, as they are stored.
        width: Likewise.
        orientation: By EXIF, 1 to 8; 1 where the file has none.
    """

    height: int
    width: int
    orientation: int = _UPRIGHT

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width once the orientation is applied."""
        swapped = self.orientation in _LYING
        return (self.width, self.height) if swapped else (self.height, self.width)

    @property
    def is_upright(self) -> bool:
        """Whether the pixels are stored as they are to be seen."""
        return self.orientation == _UPRIGHT


def read_header(path: str | Path) -> Header:
    """Size and orientation of an image, without reading its pixels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image.
    """
    with open_image(path) as image:
        orientation = _UPRIGHT
        # Of a PNG Pillow reads all pixels to find it behind them, where nobody has it.
        if image.format != "PNG" or "exif" in image.info:
            orientation = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
        valid = orientation in range(1, 9)
        return Header(image.height, image.width, orientation if valid else _UPRIGHT)


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
        ValueError: If it cannot be read, was compressed with loss, has 16 bits or
            transparency, or holds a colour that is not in the palette.
    """
    with open_image(path) as image:
        if image.format in _LOSSY:
            raise _lossy(path, image.format)
        _check_sums(path, image.format)
        if image.mode == "P":
            indices = _array(image, path)
            if by_colour:
                own = own_palette(image)
                indices = _labels_of_colours(indices, own, palette, path, colours_from)
            return indices, PALETTE
        if image.mode == "L":
            # Pillow spreads grey of 2 and 4 bits over 0 to 255.
            return _array(image, path) // _grey_step(path), GREY
        if image.mode == "1":
            return _array(image, path).astype(np.uint8), GREY
        if image.mode == "RGB" or _is_opaque(image, path):
            colours = np.array(_loaded(image, path).convert("RGB"))
            return colours_to_labels(colours, palette, path, colours_from), RGB
        raise ValueError(
            f"{path}: a mask of mode {image.mode!r}; expected a palette PNG (P), grey "
            f"of at most 8 bits (L), or RGB in the palette of the data set. Convert "
            f"it, without resampling."
        )


def read_values(path: str | Path, *, by_colour: bool = False) -> np.ndarray:
    """Read what a mask holds, whatever it means.

    Args:
        path: A file such as `read_mask` reads, or grey of 16 bits.
        by_colour: Whether it is colours that are wanted; of a palette those of its
            indices. Else indices and values are, and colours only of what has neither.

    Returns:
        int32 [H, W]: values, or colours as 0xRRGGBB.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read whole, was compressed with loss, or has a mode
            that is neither.
    """
    with open_image(path) as image:
        if image.format in _LOSSY:
            raise _lossy(path, image.format)
        _check_sums(path, image.format)
        if image.mode in ("RGB", "RGBA") or by_colour:
            if image.mode != "RGBA" or _is_opaque(image, path):
                return _codes(np.array(_loaded(image, path).convert("RGB")))
        elif image.mode in ("P", "L", "1") or image.mode.startswith("I"):
            step = _grey_step(path) if image.mode == "L" else 1
            return _array(image, path).astype(np.int32) // step
        raise ValueError(
            f"{path}: a mask of mode {image.mode!r}; expected a palette PNG (P), grey "
            f"(L), or RGB. Convert it, without resampling."
        )


def read_photo(
    path: str | Path, *, upright: bool = False, deep: bool = False, draft: bool = False
) -> np.ndarray:
    """Read an image as uint8 RGB [H, W, 3].

    Grey, palette and CMYK images are converted, transparency is dropped.

    Args:
        path: The file.
        upright: Whether to turn it as its EXIF orientation says. By default it is not
            turned: then masks are drawn over the pixels as they are stored.
        deep: Whether 16 bits a channel are read too, of which the upper 8 count.
        draft: Whether a JPEG may come grey and smaller, up to an eighth of its sides:
            its file is read to the end all the same, in half of the time.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read whole, or has more than 8 bits a channel.
    """
    with open_image(path) as image:
        _check_sums(path, image.format)
        wide = image.mode == "F" or image.mode.startswith("I")
        if deep and image.mode.startswith("I"):
            image, wide = _upper_bits(image, path), False
        if draft:
            image.draft("L", (1, 1))
        if wide or (not deep and image.format == "PNG" and _png_bits(path) > 8):
            raise ValueError(
                f"{path}: an image of mode {image.mode!r}, with more than 8 bits a "
                f"channel; save it with 8, scaled as you mean it to be seen."
            )
        photo = _loaded(image, path)
        if upright:
            photo = ImageOps.exif_transpose(photo)
        if "transparency" in photo.info:  # Which Pillow warns of; it is dropped.
            photo = photo.convert("RGBA")
        return np.array(photo.convert("RGB"))


def _upper_bits(image: Image.Image, path: str | Path) -> Image.Image:
    """Grey of 16 bits as grey of 8, its orientation kept."""
    values = np.clip(_array(image, path).astype(np.int64), 0, 0xFFFF) >> 8
    grey = Image.fromarray(values.astype(np.uint8))
    grey.getexif().update(image.getexif())
    return grey


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


def open_image(path: str | Path) -> Image.Image:
    """Open an image lazily, with an error that names the file.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no image, a torn one, or larger than Pillow reads.
    """
    try:
        return Image.open(path)
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


def colours_to_labels(
    colours: np.ndarray,
    palette: np.ndarray,
    path: str | Path,
    colours_from: str = "",
) -> np.ndarray:
    """Labels whose palette colours are given, uint8 [H, W].

    Args:
        colours: uint8 RGB [H, W, 3].
        palette: Colour of every label, uint8 [256, 3].
        path: The file, for the message.
        colours_from: The file of the palette, likewise; "": it is of none.

    Raises:
        ValueError: Naming the first colour that is not in the palette.
    """
    labels, unknown = _looked_up(colours, palette)
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        colour = tuple(int(c) for c in colours[row, column])
        exchanged = not _looked_up(colours[..., ::-1], palette)[1].any()
        known = "the palette of the data set"
        if exchanged:
            reason = (
                "all colours are in it once red and blue are exchanged, as OpenCV "
                "writes an array in RGB: exchange them (mask[..., ::-1]) and save again"
            )
        elif colours_from:
            known = colours_from
            reason = (
                "give it a line there (void is 'void R G B'), or save masks without "
                "smoothing or loss"
            )
        else:
            reason = (
                "name a text file of the colours, 'name R G B' a line, as "
                "--config.data.palette, or save masks without smoothing or loss, or "
                "with class indices instead of colours"
            )
        raise ValueError(
            f"{path}: colour {colour} at row {row}, column {column} is not in {known}; "
            f"{reason}."
        )
    return labels


def _looked_up(
    colours: np.ndarray, palette: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The label of every colour, and where there is none."""
    codes = _codes(colours)
    # The lowest label wins where a palette repeats a colour.
    known, first = np.unique(_codes(palette), return_index=True)
    at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return first.astype(np.uint8)[at], known[at] != codes


def _labels_of_colours(
    indices: np.ndarray,
    own: np.ndarray,
    palette: np.ndarray,
    path: str | Path,
    colours_from: str,
) -> np.ndarray:
    """The labels of a mask whose own palette has the colours of the data set's.

    Void may have any colour where its index is 255.
    """
    used = np.unique(indices)
    table = np.full(256, IGNORE_LABEL, np.uint8)
    held = used[used < len(own)]
    labels, unknown = _looked_up(own[held], palette)
    table[held[~unknown]] = labels[~unknown]
    wrong = held[unknown & (held != IGNORE_LABEL)]
    if len(wrong):
        index = int(wrong[0])
        row, column = np.argwhere(indices == index)[0]
        colour = tuple(int(c) for c in own[index])
        raise ValueError(
            f"{path}: index {index} at row {row}, column {column} has the colour "
            f"{colour}, which is not in {colours_from or 'the palette given'}; give it "
            f"a line there, or take the colours away from where they are if the "
            f"indices are the labels."
        )
    return table[indices]


def _codes(colours: np.ndarray) -> np.ndarray:
    """Colours as numbers, 0xRRGGBB."""
    red, green, blue = (colours[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue


def _is_opaque(image: Image.Image, path: str | Path) -> bool:
    """Whether it is RGB with a transparency that says nothing."""
    if image.mode != "RGBA":
        return False
    return bool((_array(image, path)[..., 3] == 255).all())


def _grey_step(path: str | Path) -> int:
    """What Pillow multiplies the values of a grey PNG by: 1, 17 or 85."""
    return 255 // (2 ** min(_png_bits(path), 8) - 1)


def _png_bits(path: str | Path) -> int:
    """Bits a channel of a PNG; 8 of any other file."""
    with open(path, "rb") as file:
        header = file.read(_PNG_BIT_DEPTH + 1)
    return header[_PNG_BIT_DEPTH] if header.startswith(b"\x89PNG") else 8


def _check_sums(path: str | Path, kind: str | None) -> None:
    """Raise if a PNG's data are not those of its checksums, which reading ignores."""
    if kind != "PNG":
        return
    try:
        with Image.open(path) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError) as error:
        raise _not_whole(path, error) from error


def _loaded(image: Image.Image, path: str | Path) -> Image.Image:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise _not_whole(path, error) from error
    return image


def _not_whole(path: str | Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} cannot be read whole ({error}); it is truncated or corrupt. Replace "
        f"it or take its id off the list."
    )


def _lossy(path: str | Path, kind: str | None) -> ValueError:
    return ValueError(
        f"{path}: a mask in the format {kind}, whose compression changes labels; "
        f"export the masks as PNG from where they were drawn."
    )


def _array(image: Image.Image, path: str | Path) -> np.ndarray:
    return np.array(_loaded(image, path))
