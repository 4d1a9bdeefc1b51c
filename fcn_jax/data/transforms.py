"""An image and its labels moved together: cut, resized, shifted, turned, covered."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image

from fcn_jax.data import channels as channels_of
from fcn_jax.data.channels import Channels
from fcn_jax.data.contracts import Labels, map_labels
from fcn_jax.data.label_sets import IGNORE_LABEL


def random_crop(
    image: np.ndarray,
    labels: Labels,
    factor: float,
    size: tuple[int, int],
    rng: np.random.Generator,
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
    channels: Channels | None = None,
) -> tuple[np.ndarray, Labels]:
    """A random window of the image resized by `factor`; only the window is resized.

    Where the resized image is smaller than the window, it lies at its top left; the
    rest has the mean colour and is void.

    Args:
        image: uint8 or float32 [H, W, channels].
        labels: uint8 [H, W], by head where there are several.
        factor: On height and width.
        size: Height and width of the window, pixels.
        rng: Draws its place.
        ignore_label: Label of what lies outside the image.
        channels: Of the image; None: colours first, all else filled with 0.

    Returns:
        Image and labels of that size.
    """
    height, width = image.shape[:2]
    crop_h, crop_w = size
    if factor == 1:  # Whole pixels: nothing to interpolate.
        top = rng.integers(max(0, height - crop_h), endpoint=True)
        left = rng.integers(max(0, width - crop_w), endpoint=True)
        rows, columns = slice(top, top + crop_h), slice(left, left + crop_w)
        window = image[rows, columns]
        window_labels = map_labels(lambda x: x[rows, columns], labels)
    else:
        source_h, source_w = min(height, crop_h / factor), min(width, crop_w / factor)
        top = rng.uniform(0, height - source_h)
        left = rng.uniform(0, width - source_w)
        out_h = min(crop_h, max(1, round(source_h * factor)))
        out_w = min(crop_w, max(1, round(source_w * factor)))
        box = (left, top, left + source_w, top + source_h)
        size_there = (out_h, out_w)
        window, window_labels = resize(image, labels, size_there, box, channels)
    if window.shape[:2] == tuple(size):
        return window, window_labels
    return pad(window, window_labels, size, ignore_label, channels)


def rescale(
    image: np.ndarray,
    labels: Labels,
    factor: float,
    channels: Channels | None = None,
) -> tuple[np.ndarray, Labels]:
    """Resize both: the image bilinearly (smoothed when reduced), labels to nearest.

    Args:
        image: uint8 or float32 [H, W, channels].
        labels: uint8 [H, W], by head where there are several.
        factor: On height and width.
        channels: Of the image; None: colours first, all else filled with 0.

    Returns:
        Image and labels of `scaled_size`.
    """
    size = scaled_size(image.shape[:2], factor)
    return resize(image, labels, size, channels=channels)


def resize(
    image: np.ndarray,
    labels: Labels,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
    channels: Channels | None = None,
) -> tuple[np.ndarray, Labels]:
    """Resize both to (height, width), whatever the aspect.

    Args:
        image: uint8 or float32 [H, W, channels]; bilinearly, smoothed when reduced.
        labels: uint8 [H, W], by head where there are several; to nearest.
        size: Height and width of the result, pixels.
        box: The part that is resized (left, top, right, bottom; pixels); None: all.
        channels: Of the image; None: colours first, all else filled with 0.

    Returns:
        Image and labels of that size.
    """

    def nearest(x: np.ndarray):
        return _resized(x, size, Image.Resampling.NEAREST, box)

    resized = resize_image(image, size, box, channels)
    return resized, map_labels(nearest, labels)


def resize_image(
    image: np.ndarray,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
    channels: Channels | None = None,
) -> np.ndarray:
    """Resize an image to (height, width), bilinearly, smoothed when reduced.

    Args:
        image: uint8 or float32 [H, W, channels]; depth is resized to nearest.
        size: Height and width of the result, pixels.
        box: The part that is resized (left, top, right, bottom; pixels); None: all.
        channels: Of the image; None: none of them is depth.

    Returns:
        The image, of its dtype.
    """
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return _resized(image, size, Image.Resampling.BILINEAR, box)
    # Pillow knows no image of other channels: one at a time.
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    found = [
        _resized(plane, size, how, box)
        for plane, how in zip(planes, _samplings(image, channels), strict=True)
    ]
    return np.stack(found, axis=-1)


def _samplings(
    image: np.ndarray, channels: Channels | None
) -> Iterator[Image.Resampling]:
    """How each channel of an image is resampled."""
    known = channels or channels_of.counted(image.shape[2])
    for to_nearest in known.to_nearest:
        yield Image.Resampling.NEAREST if to_nearest else Image.Resampling.BILINEAR


def _resized(
    x: np.ndarray,
    size: tuple[int, int],
    how: Image.Resampling,
    box: tuple[float, float, float, float] | None,
) -> np.ndarray:
    return np.asarray(Image.fromarray(x).resize((size[1], size[0]), how, box=box))


def mirrored(image: np.ndarray) -> np.ndarray:
    """An image left to right.

    Args:
        image: uint8 or float32 [H, W, channels]; or labels, uint8 [H, W].
    """
    if image.dtype == np.uint8 and image.shape[2:] == (3,):  # Five times as quick.
        flip = Image.Transpose.FLIP_LEFT_RIGHT
        return np.asarray(Image.fromarray(image).transpose(flip))
    return np.ascontiguousarray(image[:, ::-1])


def scaled_size(size: Sequence[int], factor: float) -> tuple[int, int]:
    """(height, width) times a factor, rounded, at least a pixel.

    Args:
        size: Height and width, pixels.
        factor: Above 0.
    """
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def translate(
    image: np.ndarray,
    labels: Labels,
    shift: tuple[int, int],
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
    channels: Channels | None = None,
) -> tuple[np.ndarray, Labels]:
    """Move both down and right; what that uncovers has the mean colour and is void.

    Args:
        image: uint8 or float32 [H, W, channels].
        labels: uint8 [H, W], by head where there are several.
        shift: Rows and columns, pixels; negative: up and left.
        ignore_label: Label of void.
        channels: Of the image; None: colours first, all else filled with 0.

    Returns:
        Image and labels, of their size.
    """
    moved = mean_coloured(image.shape[:2], image, channels)
    (to_r, from_r), (to_c, from_c) = (
        _overlap(int(s), n) for s, n in zip(shift, image.shape[:2], strict=True)
    )
    moved[to_r, to_c] = image[from_r, from_c]

    def move(x: np.ndarray, ignored: int):
        found = np.full_like(x, ignored)
        found[to_r, to_c] = x[from_r, from_c]
        return found

    return moved, map_labels(move, labels, ignore_label)


def rotate(
    image: np.ndarray,
    labels: Labels,
    degrees: float,
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
    channels: Channels | None = None,
) -> tuple[np.ndarray, Labels]:
    """Turn both about their centre, counter-clockwise; the corners are void.

    Args:
        image: uint8 or float32 [H, W, channels]; bilinearly, the mean colour where
            nothing is known.
        labels: uint8 [H, W], by head where there are several; to nearest.
        degrees: By which they are turned.
        ignore_label: Label of void.
        channels: Of the image; None: colours first, all else filled with 0.

    Returns:
        Image and labels, of their size.
    """

    def turned(x: np.ndarray, how: Image.Resampling, fill: float | tuple[int, ...]):
        return np.asarray(Image.fromarray(x).rotate(degrees, how, fillcolor=fill))

    bilinear, nearest = Image.Resampling.BILINEAR, Image.Resampling.NEAREST
    # To nearest, Pillow rounds places otherwise: at the edge it may know a pixel more.
    seen = turned(np.full(image.shape[:2], 255, np.uint8), bilinear, 0) > 0

    def turn(x: np.ndarray, ignored: int):
        return np.where(seen, turned(x, nearest, ignored), np.uint8(ignored))

    labels = map_labels(turn, labels, ignore_label)
    fill = channels_of.filling(channels, image).tolist()
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return turned(np.ascontiguousarray(image), bilinear, tuple(fill)), labels
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    samplings = _samplings(image, channels)
    found = [
        np.where(seen, turned(x, how, of), x.dtype.type(of))
        for x, how, of in zip(planes, samplings, fill, strict=True)
    ]
    return np.stack(found, axis=-1), labels


def cover(
    image: np.ndarray,
    labels: Labels,
    box: tuple[int, int, int, int],
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
    channels: Channels | None = None,
) -> tuple[np.ndarray, Labels]:
    """Cover a box with the mean colour; what is under it is void.

    Args:
        image: uint8 or float32 [H, W, channels].
        labels: uint8 [H, W], by head where there are several.
        box: (row0, col0, row1, col1), pixels; what lies beyond the image is left out.
        ignore_label: Label of void.
        channels: Of the image; None: colours first, all else filled with 0.

    Returns:
        Image and labels, of their size.
    """
    row0, col0, row1, col1 = (max(0, n) for n in box)
    image = image.copy()
    image[row0:row1, col0:col1] = channels_of.filling(channels, image)

    def void(x: np.ndarray, ignored: int):
        x = x.copy()
        x[row0:row1, col0:col1] = ignored
        return x

    return image, map_labels(void, labels, ignore_label)


def pad(
    image: np.ndarray,
    labels: Labels,
    size: tuple[int, int],
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
    channels: Channels | None = None,
) -> tuple[np.ndarray, Labels]:
    """Extend both at the bottom and right, with the mean colour and void.

    Args:
        image: uint8 or float32 [H, W, channels].
        labels: uint8 [H, W], by head where there are several.
        size: Height and width of the result, pixels.
        ignore_label: Label of void.
        channels: Of the image; None: colours first, all else filled with 0.

    Returns:
        Image and labels of that size.
    """
    height, width = image.shape[:2]
    padded = mean_coloured(size, image, channels)
    padded[:height, :width] = image

    def extend(x: np.ndarray, ignored: int):
        found = np.full(size, ignored, np.uint8)
        found[:height, :width] = x
        return found

    return padded, map_labels(extend, labels, ignore_label)


def mean_coloured(
    size: Sequence[int], like: np.ndarray, channels: Channels | None = None
) -> np.ndarray:
    """An image of what lies outside another, in its channels and dtype.

    Args:
        size: Height and width, pixels.
        like: [H, W, channels].
        channels: Of it; None: colours first, all else filled with 0.
    """
    pixel = channels_of.filling(channels, like)
    # A row at a time: ten times as quick as a pixel at a time.
    row = np.tile(pixel, size[1])
    return np.tile(row, (size[0], 1)).reshape(*size, len(pixel))


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Where the moved pixels go to and come from along one axis."""
    shift = max(-length, min(length, shift))
    if shift >= 0:
        return slice(shift, length), slice(0, length - shift)
    return slice(0, length + shift), slice(-shift, length)
