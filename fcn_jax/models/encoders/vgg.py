"""The VGG-16 encoder, fully convolutional: image -> named features.

References:
    Simonyan and Zisserman 2015, arXiv:1409.1556, table 1, column D.
    Long et al. 2015, arXiv:1411.4038; fcn.berkeleyvision.org, voc-fcn*/train.prototxt.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.models import layers
from fcn_jax.ops import cropping, extents, pooling, wide_padding

Array = jax.Array

# Channels of the convolutions of stages 1 to 5; a pooling follows every stage.
STAGES = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
FC_FEATURES = 4096

# Padding of conv1_1 and of fc6. "caffe" pads the image by 100 pixels so that the 7x7
# window of fc6 finds room in images of any size; "same" pads fc6 instead, and every
# map is its input's size, rounded up; "valid" pads neither, as VGG-16 itself and
# DeconvNet do, and needs images whose pool5 is at least as large as that window.
PADDINGS = {"caffe": (100, 0), "same": (1, 3), "valid": (1, 0)}

# Padding of conv1_1, and what is put in later to make it 100 pixels: 8 + 2*6 + 4*8 +
# 8*6. Every convolution carries the outer edge and the image a row further; one row
# that repeats is left between them at each pooling, and pool4 would have none.
NARROW_PAD = 8
WIDENINGS = {
    "pool1": wide_padding.Widening(depth=1, count=6),
    "pool2": wide_padding.Widening(depth=2, count=8),
    "pool3": wide_padding.Widening(depth=3, count=6),
}


class Layer(NamedTuple):
    """A line of the layer list."""

    name: str  # As in the Caffe nets.
    kernel_size: int
    stride: int  # 1: convolution and ReLU; 2: max pooling.
    pad: int  # Zeros (no pixels, where it is a pooling) added on every side.
    features: int  # Output channels.


class Features(NamedTuple):
    """What the encoder knows of an image, by layer name (pool1 ... pool5, fc7)."""

    maps: dict[str, Array]  # [N, h, w, F] of the compute dtype.
    sizes: dict[str, Array | None]  # True extents of the maps, [N, 2], or None.
    switches: dict[str, Array]  # Of pool1 ... pool5 if asked for, [N, h, w, F] uint8.


def layer_list(
    padding: str = "caffe", width: float = 1.0, fc_features: int = FC_FEATURES
) -> tuple[Layer, ...]:
    """The layers from the image to fc7.

    Args:
        padding: A key of `PADDINGS`.
        width: Factor on all channel counts.
        fc_features: Channels of fc6 and fc7 before that factor.

    Returns:
        conv1_1, conv1_2, pool1 ... pool5, fc6, fc7.

    Raises:
        ValueError: If the padding is unknown, or width or fc_features not positive.
    """
    if padding not in PADDINGS:
        raise ValueError(
            f"padding={padding!r} is not known; choose one of {', '.join(PADDINGS)}."
        )
    if width <= 0 or fc_features <= 0:
        raise ValueError(
            f"width={width} and fc_features={fc_features} must be positive; width=1, "
            f"fc_features={FC_FEATURES} make VGG-16."
        )

    first_pad, fc6_pad = PADDINGS[padding]
    fc_channels = layers.scaled(fc_features, width)
    found = []
    for stage, channels in enumerate(STAGES, start=1):
        for i, features in enumerate(channels, start=1):
            pad = first_pad if (stage, i) == (1, 1) else 1
            found.append(
                Layer(f"conv{stage}_{i}", 3, 1, pad, layers.scaled(features, width))
            )
        found.append(Layer(f"pool{stage}", 2, 2, 0, layers.scaled(channels[-1], width)))
    found.append(Layer("fc6", 7, 1, fc6_pad, fc_channels))
    found.append(Layer("fc7", 1, 1, 0, fc_channels))
    return tuple(found)


def coordinate_maps(padding: str = "caffe") -> dict[str, cropping.CoordinateMap]:
    """Where the pixels of the image lie in the map of every layer.

    Args:
        padding: A key of `PADDINGS`.

    Returns:
        The map from image coordinates to those of a layer, by layer name.
    """
    maps, path = {}, None
    for layer in layer_list(padding):
        window = cropping.window_map(layer.kernel_size, layer.stride, layer.pad)
        path = window if path is None else path.then(window)
        maps[layer.name] = path
    return maps


class VGG16(nn.Module):
    """VGG-16 from conv1_1 to fc7, every convolution (+ BatchNorm) followed by ReLU.

    With `sizes` everything outside the true extent of an example is set to zero before
    the first and after every layer, which gives its features exactly the values that
    they have for the image alone. Pooling needs no more: values are at least zero, and
    every window that counts holds a true one.

    With padding="caffe" what repeats in the margin around the image is computed once
    (`ops.margins`), and pool1 and pool2 have less of it, unless BatchNorm counts every
    pixel, switches are asked for, or `full_margin` is set.
    """

    padding: str = "caffe"  # A key of PADDINGS.
    batch_norm: bool = False  # After conv1_1 ... conv5_3.
    batch_norm_fc: bool = False  # After fc6 and fc7.
    width: float = 1.0
    fc_features: int = FC_FEATURES
    dropout_rate: float = 0.5  # After fc6 and fc7.
    return_switches: bool = False
    full_margin: bool = False  # Maps before pool3 as large as in the Caffe nets.
    dtype: jnp.dtype | None = None  # Of the computation; None: that of the images.
    param_dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None  # Mapped axis over which BatchNorm sums.
    bn_momentum: float = 0.9
    bn_epsilon: float = 1e-5
    bn_shift: float = 0.0  # At which the biases of BatchNorm start.
    freeze_batch_norm: bool = False

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        *,
        train: bool = False,
        example_ids: Array | None = None,
    ) -> Features:
        """Encode.

        Args:
            images: Preprocessed images, [N, H, W, 3] floating point.
            sizes: True (height, width) of every example, [N, 2] integer, or None.
            train: Whether dropout drops and BatchNorm uses the statistics of the batch.
            example_ids: Numbers that choose the dropout of every example, [N] integer.

        Returns:
            The features pool1 ... pool5 and fc7, with their extents.
        """
        narrow = self.padding == "caffe" and not (
            self.full_margin or self.batch_norm or self.return_switches
        )
        batch_statistics = train and not self.freeze_batch_norm
        maps, map_sizes, switches = {}, {}, {}
        x = images if self.dtype is None else images.astype(self.dtype)
        x = extents.mask(x, sizes)
        for layer in layer_list(self.padding, self.width, self.fc_features):
            name, fully = layer.name, layer.name.startswith("fc")
            pad = NARROW_PAD if narrow and name == "conv1_1" else layer.pad
            sizes = extents.after_window(sizes, layer.kernel_size, layer.stride, pad)
            if layer.stride > 1:
                if self.return_switches:
                    x, switches[name] = pooling.max_pool_with_switches(
                        x, layer.kernel_size
                    )
                else:
                    x = pooling.max_pool(x, layer.kernel_size)
                if narrow and name in WIDENINGS:
                    x = wide_padding.widen(x, sizes, WIDENINGS[name])
                    sizes = wide_padding.after_widening(sizes, WIDENINGS[name])
            else:
                normalise = self.batch_norm_fc if fully else self.batch_norm
                # The mean that BatchNorm takes away takes the bias along: its gradient
                # is zero, or rounding noise at the price of a pass over all pixels.
                x = layers.Conv(
                    layer.features,
                    layer.kernel_size,
                    pad,
                    param_dtype=self.param_dtype,
                    name=name,
                )(x, train_bias=not (normalise and batch_statistics))
                if normalise:
                    x = layers.BatchNorm(
                        momentum=self.bn_momentum,
                        epsilon=self.bn_epsilon,
                        frozen=self.freeze_batch_norm,
                        axis_name=self.axis_name,
                        param_dtype=self.param_dtype,
                        shift=self.bn_shift,
                        name=f"bn{name.removeprefix('conv')}",
                    )(x, sizes, train=train)
                x = extents.mask(nn.relu(x), sizes)
            if fully:
                x = layers.Dropout(self.dropout_rate, name=f"drop{name[-1]}")(
                    x, example_ids, train=train
                )
            if layer.stride > 1 or name == "fc7":
                maps[name], map_sizes[name] = x, sizes
        return Features(maps, map_sizes, switches)
