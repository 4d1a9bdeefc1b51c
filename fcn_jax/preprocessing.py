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
        channels: "bgr" (Caffe) or "rgb".
        mean: Of each channel in that order, in [0, 255].
        std: Of each channel in that order.
    """

    name: str
    channels: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

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
        """The inverse of `to_dict`."""
        return cls(
            values["name"],
            values["channels"],
            tuple(values["mean"]),
            tuple(values["std"]),
        )


# The mean of the FCN release (infer.py of fcn.berkeleyvision.org).
CAFFE = Preprocessing(
    "caffe", "bgr", (104.00698793, 116.66876762, 122.67891434), (1.0, 1.0, 1.0)
)
# Mean and standard deviation of ImageNet as torchvision states them, times 255.
IMAGENET = Preprocessing(
    "imagenet", "rgb", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
)
PREPROCESSING = {recipe.name: recipe for recipe in (CAFFE, IMAGENET)}


def preprocess(images: Array, recipe: Preprocessing = CAFFE) -> Array:
    """uint8 RGB -> the input of a network.

    Args:
        images: [..., H, W, 3] uint8 RGB.
        recipe: What the network was trained with.

    Returns:
        [..., H, W, 3] float32; for CAFFE: BGR in [-123, 151].

    Raises:
        TypeError: If the images are not uint8.
        ValueError: If the last axis is not 3 channels.
    """
    if images.dtype != jnp.uint8:
        raise TypeError(
            f"preprocess: images are {images.dtype}; expected uint8 RGB in [0, 255]. "
            f"If they are preprocessed already, pass them to the model as they are."
        )
    if images.ndim < 3 or images.shape[-1] != 3:
        raise ValueError(
            f"preprocess: images have shape {images.shape}; expected [..., H, W, 3]."
        )
    images = jnp.asarray(images)
    if recipe.channels == "bgr":
        images = images[..., ::-1]
    shape = (1,) * (images.ndim - 1) + (3,)
    mean = jnp.asarray(recipe.mean, jnp.float32).reshape(shape)
    std = jnp.asarray(recipe.std, jnp.float32).reshape(shape)
    return (images.astype(jnp.float32) - mean) / std


def deprocess(images: Array, recipe: Preprocessing = CAFFE) -> Array:
    """The inverse of `preprocess`, rounded and clipped to uint8 RGB."""
    images = jnp.asarray(images)
    shape = (1,) * (images.ndim - 1) + (3,)
    mean = jnp.asarray(recipe.mean, images.dtype).reshape(shape)
    std = jnp.asarray(recipe.std, images.dtype).reshape(shape)
    images = jnp.clip(jnp.round(images * std + mean), 0, 255).astype(jnp.uint8)
    return images[..., ::-1] if recipe.channels == "bgr" else images
