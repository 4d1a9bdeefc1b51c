"""Augmentation: an image and its labels changed together, by a given generator.

All are off by default: the FCN nets were trained on whole images as they are (Long et
al. 2015, sec. 4.3, found mirroring and jitter not to help).
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from fcn_jax.data import appearance, transforms
from fcn_jax.data.channels import Channels
from fcn_jax.data.contracts import Labels, first_labels, map_labels
from fcn_jax.data.label_sets import IGNORE_LABEL

HALF_A_TURN = 180.0
# Options that change the colours of an image, in the order in which they do.
OF_LOOKS = ("blur", "hue", "saturation", "contrast", "brightness")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What may happen to a training image, in this order.

    Scale and crop (in one go), jitter, flip, rotation, blur, hue, saturation, contrast,
    brightness, cutout; then classes of another image, which has gone through the same.

    Attributes:
        flip: Whether half of the images are mirrored left to right.
        scale: Range of the resize factor, drawn log-uniformly; None: 1.
        crop: Height and width of the result, pixels: a random window of the scaled
            image, filled up with void where it is larger; None: whole images.
        jitter: Largest shift in each direction, pixels; what it uncovers is void.
        brightness: Largest relative change of all channels together.
        rotation: Largest angle, degrees either way; the corners are void.
        blur: Largest standard deviation of a Gaussian, pixels.
        hue: Largest turn, degrees either way.
        saturation: Largest relative change of the distance from grey.
        contrast: Largest relative change of the distance from the mean.
        cutout: Height and width of a box, pixels, whose centre is anywhere in the image
            and under which all is void; None: none.
        class_mix: Share of the images over which half of the classes of another one are
            laid.
    """

    flip: bool = False
    scale: tuple[float, float] | None = None
    crop: tuple[int, int] | None = None
    jitter: int = 0
    brightness: float = 0.0
    rotation: float = 0.0
    blur: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    contrast: float = 0.0
    cutout: tuple[int, int] | None = None
    class_mix: float = 0.0

    def __post_init__(self):
        if self.scale is not None and not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(
                f"scale={self.scale} is no range of factors; give (low, high) with "
                f"0 < low <= high."
            )
        for name in ("crop", "cutout"):
            size = getattr(self, name)
            if size is not None and min(size) < 1:
                raise ValueError(
                    f"{name}={size} is no size; give (height, width) in pixels."
                )
        if self.jitter < 0 or not 0 <= self.brightness < 1:
            raise ValueError(
                f"jitter={self.jitter}, brightness={self.brightness}: jitter is a "
                f"number of pixels >= 0, brightness a fraction in [0, 1)."
            )
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ValueError(f"{name}={value} is not in 0 to {most:g}.")
        if not 0 <= self.blur < float("inf"):
            raise ValueError(f"blur={self.blur} is no number of pixels from 0 on.")


_MOST = {
    "rotation": HALF_A_TURN,
    "hue": HALF_A_TURN,
    "saturation": 1.0,
    "contrast": 1.0,
    "class_mix": 1.0,
}


def augment(
    image: np.ndarray,
    labels: Labels,
    augmentation: Augmentation,
    rng: np.random.Generator,
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
    channels: Channels | None = None,
) -> tuple[np.ndarray, Labels]:
    """Change an image and its labels as `augmentation` allows, but for `class_mix`.

    Nothing is drawn for what is off, so that a new kind changes no older run.

    Args:
        image: uint8 or float32 [H, W, channels].
        labels: uint8 [H, W]; by head where there are several, all changed alike.
        augmentation: What may happen.
        rng: Draws all that is random.
        ignore_label: Label of what lies outside the image; by head likewise.
        channels: Of the image; None: colours first. Only colours change in looks.

    Returns:
        Image and labels, of the crop's size if there is one.
    """
    factor = 1.0
    if augmentation.scale is not None:
        factor = float(np.exp(rng.uniform(*np.log(augmentation.scale))))
    if augmentation.crop is not None:
        image, labels = transforms.random_crop(
            image, labels, factor, augmentation.crop, rng, ignore_label, channels
        )
    elif factor != 1:
        image, labels = transforms.rescale(image, labels, factor, channels)
    if augmentation.jitter:
        shift = rng.integers(-augmentation.jitter, augmentation.jitter + 1, size=2)
        image, labels = transforms.translate(
            image, labels, tuple(shift), ignore_label, channels
        )
    if augmentation.flip and rng.random() < 0.5:
        image = transforms.mirrored(image)
        labels = map_labels(transforms.mirrored, labels)
    if augmentation.rotation:
        degrees = rng.uniform(-augmentation.rotation, augmentation.rotation)
        image, labels = transforms.rotate(
            image, labels, degrees, ignore_label, channels
        )
    if channels is None or channels.has_colours:
        image = _changed_in_looks(image, augmentation, rng, channels)
    if augmentation.cutout is not None:
        box = _box(augmentation.cutout, image.shape, rng)
        image, labels = transforms.cover(image, labels, box, ignore_label, channels)
    return np.ascontiguousarray(image), map_labels(np.ascontiguousarray, labels)


def _changed_in_looks(
    image: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
    channels: Channels | None,
) -> np.ndarray:
    if not any(getattr(augmentation, name) for name in OF_LOOKS):
        return image
    if image.dtype != np.uint8 and channels is not None and image.shape[2] >= 3:
        # Beside depth colours are floats, in the range that they have without.
        colours = np.clip(np.rint(image[..., :3]), 0, 255).astype(np.uint8)
        colours = _changed_in_looks(colours, augmentation, rng, channels)
        return np.concatenate([colours.astype(image.dtype), image[..., 3:]], axis=-1)
    if augmentation.blur:
        image = appearance.blur(image, rng.uniform(0, augmentation.blur))
    if augmentation.hue:
        degrees = rng.uniform(-augmentation.hue, augmentation.hue)
        image = appearance.turn_hue(image, degrees)
    for most, change in (
        (augmentation.saturation, appearance.change_saturation),
        (augmentation.contrast, appearance.change_contrast),
        (augmentation.brightness, appearance.brighten),
    ):
        if most:
            image = change(image, 1 + rng.uniform(-most, most))
    return image


def _box(
    size: tuple[int, int], shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """A box of a size about a pixel of an image, as (row0, col0, row1, col1).

    DeVries and Taylor 2017, arXiv:1708.04552: it may lie outside in part.
    """
    top, left = (
        int(rng.integers(n)) - side // 2 for n, side in zip(shape, size, strict=False)
    )
    return top, left, top + size[0], left + size[1]


def mix_classes(
    image: np.ndarray,
    labels: Labels,
    other: tuple[np.ndarray, Labels],
    rng: np.random.Generator,
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
) -> tuple[np.ndarray, Labels]:
    """Lay half of the classes of another image over an image, pixel by pixel.

    Both lie at the top left. Of an odd number of classes the smaller half is taken.
    Where there are several heads, classes are those of the first.

    Args:
        image: uint8 or float32 [H, W, channels].
        labels: uint8 [H, W]; by head where there are several.
        other: Image and labels of the other, of any size.
        rng: Draws which classes.
        ignore_label: Void, which is no class; by head likewise.

    Returns:
        Image and labels, of the first one's size.

    References:
        Olsson et al. 2021, arXiv:2007.07936 (ClassMix), there of predicted labels.
    """
    other_image, other_labels = other
    held = first_labels(other_labels)
    void = ignore_label
    if isinstance(void, Mapping):
        void = void[next(iter(other_labels))]
    classes = np.flatnonzero(np.bincount(held.ravel(), minlength=256))
    classes = classes[classes != void]
    taken = np.zeros(256, bool)
    taken[rng.choice(classes, len(classes) // 2, replace=False)] = True
    rows, columns = np.minimum(image.shape[:2], held.shape).tolist()
    over = taken[held[:rows, :columns]]

    def lay(below: np.ndarray, above: np.ndarray):
        found, where = below.copy(), over[..., None] if below.ndim == 3 else over
        np.copyto(found[:rows, :columns], above[:rows, :columns], where=where)
        return found

    return lay(image, other_image), map_labels(lay, labels, other_labels)
