"""ImageNet's classifiers, fully convolutional: a class score of every cell of an image.

A fully connected layer is a convolution whose window is the whole of its input; on a
larger image it gives a score wherever that window finds room.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 3.1 and fig. 2.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax import messages
from fcn_jax.models import inputs, layers
from fcn_jax.models.encoders import VGG16, AlexNet, Encoder, GoogLeNet
from fcn_jax.models.network import Network
from fcn_jax.ops import cropping, window_pooling

Array = jax.Array

CLASSES = 1000  # Of ImageNet.


class Kind(NamedTuple):
    """One of the classifiers.

    Attributes:
        encoder: All of it before the last average and the last layer.
        side: Of the image that it sees, pixels.
        average: Side of the average pooling before the last layer, cells.
    """

    encoder: Encoder
    side: int
    average: int = 1


KINDS = {
    "vgg16": Kind(VGG16(padding="valid"), side=224),
    "alexnet": Kind(AlexNet(padding="valid", norm_first=True), side=227),
    "caffenet": Kind(AlexNet(padding="valid"), side=227),
    "googlenet": Kind(GoogLeNet(padding="valid"), side=224, average=7),
}


class Classifier(Network):
    """A classifier as it was trained, its fully connected layers convolutions."""

    encoder_fixed: ClassVar[Mapping[str, object]] = {
        "padding": "valid",
        "return_switches": False,
    }
    classifies: ClassVar[bool] = True

    num_classes: int | Mapping[str, int] = CLASSES
    side: int = 224  # Of the image that one cell sees, as the classifier did.
    average: int = 1  # Side of the average pooling before the last layer, cells.

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return self.side

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> Array:
        """Score the classes in every window of `side` pixels, a stride apart.

        Args:
            images: Preprocessed images, [N, H, W, channels] floating point; H, W >=
                `side`.
            train: Whether dropout drops.

        Returns:
            Scores before the softmax, [N, h, w, num_classes] float32; for an image of
            `side` pixels one cell, which is the classifier's output.

        Raises:
            TypeError: If images are not floating point.
            ValueError: If images are not [N, H, W, channels], or too small.
        """
        inputs.check_images(images, self.channels)
        if min(images.shape[1:3]) < self.side:
            raise ValueError(
                f"an image is {images.shape[1]}x{images.shape[2]} pixels; the "
                f"classifier sees {self.side}x{self.side} at a time: enlarge it until "
                f"its shorter side has {self.side} or more."
            )
        x = self.encoder(images, train=train).maps[self.encoder.top]
        x = window_pooling.mean_pool(x, self.average)
        count = self.heads[""]
        return layers.Score(count, param_dtype=self.encoder.param_dtype, name="fc8")(x)

    def cells(self) -> cropping.CoordinateMap:
        """From the pixels of an image to the cells of its scores."""
        path = self.encoder.coordinate_maps()[self.encoder.top]
        return path.then(cropping.window_map(self.average))


def check_kind(kind: str) -> None:
    """Refuse a name of no classifier.

    Args:
        kind: Said to be a key of `KINDS`.

    Raises:
        ValueError: If it is none.
    """
    if kind not in KINDS:
        raise ValueError(messages.unknown_name("classifier", kind, KINDS))


def create_classifier(
    kind: str,
    num_classes: int = CLASSES,
    width: float = 1.0,
    fc_features: int = 4096,
    dtype: jnp.dtype | None = None,
) -> Classifier:
    """Make a classifier by name.

    Args:
        kind: A key of `KINDS`.
        num_classes: Classes of its last layer.
        width: Factor on all channels but those classes.
        fc_features: Channels of fc6 and fc7, where it has these, before that factor.
        dtype: Of the computation; None: that of the images.

    Raises:
        ValueError: If the name is unknown.
    """
    check_kind(kind)
    found = KINDS[kind]
    encoder = found.encoder.clone(width=width, dtype=dtype)
    if isinstance(encoder, VGG16 | AlexNet):
        encoder = encoder.clone(fc_features=fc_features)
    return Classifier(
        encoder=encoder,
        num_classes=num_classes,
        side=found.side,
        average=found.average,
    )
