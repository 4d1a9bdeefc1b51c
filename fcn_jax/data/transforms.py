"""Augmentation: an image and its labels changed together, by a given generator.

All are off by default: the FCN nets were trained on whole images as they are (Long et
al. 2015, sec. 4.3, found mirroring and jitter not to help).
"""

import dataclasses

import numpy as np
from PIL import Image

# The mean colour of ImageNet, rounded: what lies outside an image.
MEAN_COLOUR = (123, 117, 104)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What may happen to a training image, in this order.

    Scale and crop (in one go), jitter, flip, brightness.

    Attributes:
        flip: Whether half of the images are mirrored left to right.
        scale: Range of the resize factor, drawn log-uniformly; None: 1.
        crop: Height and width of the result, pixels: a random window of the scaled
            image, filled up with void where it is larger; None: whole images.
        jitter: Largest shift in each direction, pixels; what it uncovers is void.
        brightness: Largest relative change of all channels together.
    """

    flip: bool = False
    scale: tuple[float, float] | None = None
    crop: tuple[int, int] | None = None
    jitter: int = 0
    brightness: float = 0.0

    def __post_init__(self):
        if self.scale is not None and not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(
                f"scale={self.scale} is no range of factors; give (low, high) with "
                f"0 < low <= high."
            )
        if self.crop is not None and min(self.crop) < 1:
            raise ValueError(
                f"crop={self.crop} is no size; give (height, width) in pixels."
            )
        if self.jitter < 0 or not 0 <= self.brightness < 1:
            raise ValueError(
                f"jitter={self.jitter}, brightness={self.brightness}: jitter is a "
                f"number of pixels >= 0, brightness a fraction in [0, 1)."
            )


def augment(
    image: np.ndarray,
    labels: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
    ignore_label: int = 255,
) -> tuple[np.ndarray, np.ndarray]:
    """Change an image and its labels as `augmentation` allows.

    Args:
        image: uint8 RGB [H, W, 3].
        labels: uint8 [H, W].
        augmentation: What may happen.
        rng: Draws all that is random.
        ignore_label: Label of what lies outside the image.

    Returns:
        Image and labels, of the crop's size if there is one.
    """
    factor = 1.0
    if augmentation.scale is not None:
        factor = float(np.exp(rng.uniform(*np.log(augmentation.scale))))
    if augmentation.crop is not None:
        image, labels = random_crop(
            image, labels, factor, augmentation.crop, rng, ignore_label
        )
    elif factor != 1:
        image, labels = rescale(image, labels, factor)
    if augmentation.jitter:
        shift = rng.integers(-augmentation.jitter, augmentation.jitter + 1, size=2)
        image, labels = translate(image, labels, tuple(shift), ignore_label)
    if augmentation.flip and rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    if augmentation.brightness:
        change = rng.uniform(-augmentation.brightness, augmentation.brightness)
        image = brighten(image, 1 + change)
    return np.ascontiguousarray(image), np.ascontiguousarray(labels)


def random_crop(
    image: np.ndarray,
    labels: np.ndarray,
    factor: float,
    size: tuple[int, int],
    rng: np.random.Generator,
    ignore_label: int = 255,
) -> tuple[np.ndarray, np.ndarray]:
    """A random window of the image resized by `factor`; only the window is resized.

    Where the resized image is smaller than the window, it lies at its top left; the
    rest has the mean colour and is void.
    """
    height, width = labels.shape
    crop_h, crop_w = size
    if factor == 1:  # Whole pixels: nothing to interpolate.
        top = rng.integers(max(0, height - crop_h), endpoint=True)
        left = rng.integers(max(0, width - crop_w), endpoint=True)
        rows, columns = slice(top, top + crop_h), slice(left, left + crop_w)
        window, window_labels = image[rows, columns], labels[rows, columns]
    else:
        source_h, source_w = min(height, crop_h / factor), min(width, crop_w / factor)
        top = rng.uniform(0, height - source_h)
        left = rng.uniform(0, width - source_w)
        out_h = min(crop_h, max(1, round(source_h * factor)))
        out_w = min(crop_w, max(1, round(source_w * factor)))
        box = (left, top, left + source_w, top + source_h)
        window, window_labels = resize(image, labels, (out_h, out_w), box)
    if window_labels.shape == size:
        return window, window_labels
    return pad(window, window_labels, size, ignore_label)


def rescale(
    image: np.ndarray, labels: np.ndarray, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Resize both: the image bilinearly (smoothed when reduced), labels to nearest."""
    size = scaled_size(labels.shape, factor)
    return resize(image, labels, size)


def resize(
    image: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Resize both to (height, width), whatever the aspect.

    The image bilinearly (smoothed when reduced), labels to nearest; of `box` (left,
    top, right, bottom; pixels), if there is one, alone.
    """
    resized = Image.fromarray(image).resize(
        size[::-1], Image.Resampling.BILINEAR, box=box
    )
    nearest = Image.fromarray(labels).resize(
        size[::-1], Image.Resampling.NEAREST, box=box
    )
    return np.asarray(resized), np.asarray(nearest)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image to (height, width), bilinearly, smoothed when reduced."""
    resized = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(resized)


def scaled_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """(height, width) times a factor, rounded, at least a pixel."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def translate(
    image: np.ndarray,
    labels: np.ndarray,
    shift: tuple[int, int],
    ignore_label: int = 255,
) -> tuple[np.ndarray, np.ndarray]:
    """Move both down and right by `shift` (rows, columns); the uncovered is void."""
    moved = _mean_coloured(labels.shape)
    moved_labels = np.full_like(labels, ignore_label)
    (to_r, from_r), (to_c, from_c) = (
        _overlap(int(s), n) for s, n in zip(shift, labels.shape, strict=True)
    )
    moved[to_r, to_c] = image[from_r, from_c]
    moved_labels[to_r, to_c] = labels[from_r, from_c]
    return moved, moved_labels


def brighten(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiply all channels, rounded down and clipped to uint8."""
    table = np.clip(np.arange(256) * factor, 0, 255).astype(np.uint8)
    return np.take(table, image)


def pad(
    image: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    ignore_label: int = 255,
) -> tuple[np.ndarray, np.ndarray]:
    """Extend both to `size` at the bottom and right, with mean colour and void."""
    height, width = labels.shape
    padded = _mean_coloured(size)
    padded[:height, :width] = image
    padded_labels = np.full(size, ignore_label, np.uint8)
    padded_labels[:height, :width] = labels
    return padded, padded_labels


def _mean_coloured(size: tuple[int, int]) -> np.ndarray:
    # A row at a time: ten times as quick as a pixel at a time.
    row = np.tile(np.array(MEAN_COLOUR, np.uint8), size[1])
    return np.tile(row, (size[0], 1)).reshape(*size, 3)


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Where the moved pixels go to and come from along one axis."""
    shift = max(-length, min(length, shift))
    if shift >= 0:
        return slice(shift, length), slice(0, length - shift)
    return slice(0, length + shift), slice(-shift, length)
