"""From photographs to what a network takes, and back."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """(pixel - mean) / std, channels in a given order.

    Attributes:
        name: As it stands in configs and checkpoints.
        channels: "bgr" (Caffe) or "rgb", perhaps with more behind, a letter each
            ("bgrd" for depth, "bgrhha"); "hha", which is no colour; or "grey". Images
            come with red first.
        mean: Of each channel in that order; of colours in [0, 255].
        std: Of each channel in that order, positive.

    Raises:
        ValueError: If the order is none of these, there is not a number for each
            channel, or a std is not positive.
    """

    name: str
    channels: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def num_channels(self) -> int:
        """Of an image."""
        return 1 if self.channels == "grey" else len(self.channels)

    def __post_init__(self):
        """Refuse what `preprocess` would silently take for something else."""
        if self.channels not in ("grey", "hha") and not self.has_colours:
            raise ValueError(
                f"Preprocessing: channels={self.channels!r} is not known; expected "
                f"'bgr' (Caffe) or 'rgb', more letters behind it, 'hha' or 'grey'."
            )
        count = self.num_channels
        if len(self.mean) != count or len(self.std) != count:
            numbers = {1: "one number", 3: "three numbers"}
            raise ValueError(
                f"Preprocessing: mean={self.mean}, std={self.std}; expected "
                f"{numbers.get(count, f'{count} numbers')} each, in "
                f"{self.channels.upper()} order."
            )
        if min(self.std) <= 0:
            raise ValueError(
                f"Preprocessing: std={self.std} is not positive; pass (1, 1, 1) where "
                f"only the mean is to be taken off."
            )

    @property
    def has_colours(self) -> bool:
        """Whether the first three channels are red, green and blue."""
        return self.channels[:3] in ("bgr", "rgb")

    @property
    def takes_photos(self) -> bool:
        """Whether an image is what a camera makes: red, green, blue, and no more."""
        return self.has_colours and self.num_channels == 3

    def part(self, start: int, count: int) -> "Preprocessing":
        """The preprocessing of some of the channels.

        Args:
            start: The first of them.
            count: How many.
        """
        chosen = slice(start, start + count)
        kept = (self.channels[chosen], self.mean[chosen], self.std[chosen])
        return Preprocessing(self.name, *kept)

    @property
    def channels_given(self) -> str:
        """The channels of an image before it is preprocessed, "RGB", "RGBD"."""
        colours = "rgb" if self.channels[:3] == "bgr" else self.channels[:3]
        return (colours + self.channels[3:]).upper()

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "name": self.name,
            "channels": self.channels,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`.

        Raises:
            ValueError: If an entry is missing, or has no meaning.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in names if name not in values]
        if missing:
            raise ValueError(
                f"Preprocessing: {missing[0]!r} is missing from {dict(values)}; "
                f"expected {', '.join(names)}."
            )
        mean, std = (tuple(float(x) for x in values[name]) for name in ("mean", "std"))
        return cls(values["name"], values["channels"], mean, std)


# The mean of the FCN release (infer.py of fcn.berkeleyvision.org).
CAFFE = Preprocessing(
    "caffe", "bgr", (104.00698793, 116.66876762, 122.67891434), (1.0, 1.0, 1.0)
)
# Mean and standard deviation of ImageNet as torchvision states them, times 255.
IMAGENET = Preprocessing(
    "imagenet", "rgb", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
)
# NYUDv2 as the release has it (nyud_layers.py). Its mean of colours is the largest for
# blue, which suggests the order of RGB; its weights want it as it is.
_NYUD_BGR, _NYUD_HHA = (116.190, 97.203, 92.318), (132.431, 94.076, 118.477)
_NYUD_LOG_DEPTH = (7.844,)  # Of millimetres; see `fcn_jax.data.depth`.
NYUD = tuple(
    Preprocessing(f"nyud_{name}", channels, mean, (1.0,) * len(mean))
    for name, channels, mean in (
        ("rgb", "bgr", _NYUD_BGR),
        ("rgbd", "bgrd", _NYUD_BGR + _NYUD_LOG_DEPTH),
        ("hha", "hha", _NYUD_HHA),
        ("rgbhha", "bgrhha", _NYUD_BGR + _NYUD_HHA),
    )
)
# The means of FCN's layers for other data sets (siftflow_layers.py).
SIFT_FLOW = Preprocessing(
    "sift_flow", "bgr", (114.578, 115.294, 108.353), (1.0, 1.0, 1.0)
)
PREPROCESSING = {each.name: each for each in (CAFFE, IMAGENET, *NYUD, SIFT_FLOW)}


def preprocess(images: Array, preprocessing: Preprocessing = CAFFE) -> Array:
    """uint8 RGB -> the input of a network.

    Args:
        images: [..., H, W, 3] uint8 RGB; of other channels than three uint8 or float32
            (depth in its own unit).
        preprocessing: What the network was trained with.

    Returns:
        [..., H, W, 3] float32; for CAFFE: BGR in [-123, 151].

    Raises:
        TypeError: If the images are not uint8.
        ValueError: If the last axis is not the channels of the preprocessing.
    """
    if isinstance(images, list | tuple):
        raise TypeError(
            f"preprocess: images are a {type(images).__name__} of {len(images)}; "
            f"expected one array [..., H, W, {preprocessing.num_channels}]. Pad images "
            f"of several sizes at the bottom and right, and tell the model their sizes."
        )
    given = images.dtype
    if given != jnp.uint8 and not (
        given == jnp.float32 and preprocessing.num_channels != 3
    ):
        raise TypeError(
            f"preprocess: images are {images.dtype}; expected uint8 RGB in [0, 255]. "
            f"If they are preprocessed already, pass them to the model as they are."
        )
    _check_shape("preprocess", images, preprocessing)
    images = _colours_turned(jnp.asarray(images), preprocessing)
    mean, std = _mean_and_std(preprocessing, images.ndim)
    return (images.astype(jnp.float32) - mean) / std


def deprocess(images: Array, preprocessing: Preprocessing = CAFFE) -> Array:
    """The inverse of `preprocess`: the input of a network -> uint8 RGB.

    Args:
        images: [..., H, W, 3] floating point, as `preprocess` returns it.
        preprocessing: What the images were preprocessed with.

    Returns:
        [..., H, W, 3] uint8 RGB, rounded and clipped, and so are other channels.

    Raises:
        TypeError: If the images are not floating point.
        ValueError: If the last axis is not the channels of the preprocessing.
    """
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(
            f"deprocess: images are {images.dtype}; expected what preprocess returns, "
            f"float32."
        )
    _check_shape("deprocess", images, preprocessing)
    images = jnp.asarray(images, jnp.float32)
    mean, std = _mean_and_std(preprocessing, images.ndim)
    images = jnp.clip(jnp.round(images * std + mean), 0, 255).astype(jnp.uint8)
    return _colours_turned(images, preprocessing)


def colours(images: Array) -> Array:
    """The colours of images that have more channels, as a dense CRF compares them.

    Args:
        images: [..., H, W, C], red, green and blue first; uint8, or float32 where there
            are more channels.

    Returns:
        [..., H, W, 3] uint8; images of three channels or fewer as they are.
    """
    if images.shape[-1] <= 3:
        return images
    images = images[..., :3]
    if images.dtype == jnp.uint8:
        return images
    return jnp.clip(jnp.round(images), 0, 255).astype(jnp.uint8)


def _check_shape(function: str, images: Array, preprocessing: Preprocessing) -> None:
    count = preprocessing.num_channels
    if images.ndim < 3 or images.shape[-1] != count:
        raise ValueError(
            f"{function}: images have shape {images.shape}; expected "
            f"[..., H, W, {count}]."
        )


def _colours_turned(images: Array, preprocessing: Preprocessing) -> Array:
    """Red and blue exchanged where the preprocessing has blue first."""
    if not preprocessing.channels.startswith("bgr"):
        return images
    if preprocessing.num_channels == 3:
        return images[..., ::-1]
    return jnp.concatenate([images[..., 2::-1], images[..., 3:]], axis=-1)


def _mean_and_std(preprocessing: Preprocessing, ndim: int) -> tuple[Array, Array]:
    shape = (1,) * (ndim - 1) + (preprocessing.num_channels,)
    mean = jnp.asarray(preprocessing.mean, jnp.float32).reshape(shape)
    return mean, jnp.asarray(preprocessing.std, jnp.float32).reshape(shape)
