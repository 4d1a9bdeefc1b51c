"""The ZF-5 encoder, to its last convolution: image -> named features.

The net of Zeiler and Fergus with five convolutions in the form that SPP-net releases:
its stride is 16, its first centre 20 pixels in.

References:
    Zeiler and Fergus 2014, arXiv:1311.2901.
    He, Zhang, Ren and Sun 2014, arXiv:1406.4729, table 1; ShaoqingRen/SPP_net,
    Zeiler_conv5.prototxt.
"""

from typing import ClassVar

from fcn_jax.models import layers
from fcn_jax.models.encoders.encoder import Encoder
from fcn_jax.models.encoders.layer import Layer, smallest_side

FC_FEATURES = 4096
_NORM_ALPHA = 5e-5  # Within a channel, over 3x3 values.


def layer_list(
    width: float = 1.0, fc_features: int = FC_FEATURES, batch_norm: bool = False
) -> tuple[Layer, ...]:
    """The layers from the image to conv5.

    Args:
        width: Factor on all channel counts.
        fc_features: Channels of fc6 and fc7 before that factor, of what stands on it.
        batch_norm: Whether BatchNorm follows the convolutions.

    Returns:
        conv1, norm1, pool1, conv2, norm2, pool2, conv3, conv4, conv5.

    Raises:
        ValueError: If width or fc_features are not positive.
    """
    layers.check_widths("ZF-5", width, fc_features)

    def convolution(stage: int, channels: int, kernel_size: int, stride: int, pad: int):
        return Layer(
            f"conv{stage}",
            "conv",
            layers.scaled(channels, width),
            kernel_size=kernel_size,
            stride=stride,
            pad=pad,
            batch_norm=f"bn{stage}" if batch_norm else "",
        )

    def norm_and_pooling(stage: int):
        return (
            Layer(f"norm{stage}", "lrn_within", kernel_size=3, alpha=_NORM_ALPHA),
            Layer(f"pool{stage}", "pool", kernel_size=3, stride=2),
        )

    return (
        convolution(1, 96, 7, 2, 1),
        *norm_and_pooling(1),
        convolution(2, 256, 5, 2, 0),
        *norm_and_pooling(2),
        convolution(3, 384, 3, 1, 1),
        convolution(4, 384, 3, 1, 1),
        convolution(5, 256, 3, 1, 1),
    )


class ZF5(Encoder):
    """ZF-5 from conv1 to conv5, every convolution (+ BatchNorm) followed by ReLU."""

    top: ClassVar[str] = "conv5"

    batch_norm: bool = False  # After conv1 ... conv5.
    width: float = 1.0  # Factor on all channels.
    fc_features: int = FC_FEATURES  # Of fc6 and fc7 before that factor.

    def layers(self) -> tuple[Layer, ...]:
        """conv1 ... conv5."""
        return layer_list(self.width, self.fc_features, self.batch_norm)

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return smallest_side(self.layers())
