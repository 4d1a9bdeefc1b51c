"""The VGG-16 encoder, fully convolutional: image -> named features.

References:
    Simonyan and Zisserman 2015, arXiv:1409.1556, table 1, column D.
    Long et al. 2015, arXiv:1411.4038; fcn.berkeleyvision.org, voc-fcn*/train.prototxt.
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax

from fcn_jax.models import layers
from fcn_jax.models.encoders.encoder import Encoder
from fcn_jax.models.encoders.layer import Layer, check_padding
from fcn_jax.models.encoders.rarefaction import rarefied
from fcn_jax.ops import wide_padding

Array = jax.Array

# Channels of the convolutions of stages 1 to 5; a pooling follows every stage.
STAGES = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
FC_FEATURES = 4096
FC6_KERNEL = 7
# Distances between the taps of fc6 by which it sees the same 7x7 cells, with kernels of
# 7, 4, 3 and 2. That of 3x3, by 3, is LargeFOV's form of it.
FC6_DILATIONS = (1, 2, 3, 6)
_POOL5_STRIDE = 32  # Image pixels per cell of pool5.
STRIDES = (1, 2, 4, 8, 16, _POOL5_STRIDE)  # Of maps, after 0 to 5 poolings.
# Side of the smallest image whose pool5 holds a window of fc6.
SMALLEST_VALID = (FC6_KERNEL - 1) * _POOL5_STRIDE + 1

# Padding of conv1_1 and of fc6. "caffe" pads the image by 100 pixels so that the 7x7
# window of fc6 finds room in images of any size; "same" pads fc6 instead, and every
# map is its input's size, rounded up; "valid" pads neither, as VGG-16 itself and
# DeconvNet do, and needs images whose pool5 is at least as large as that window.
PADDINGS = {"caffe": (100, 0), "same": (1, 3), "valid": (1, 0)}

# Padding of conv1_1, and what is put in later to make it 100 pixels: 8 + 2*6 + 4*8 +
# 8*6. Every convolution carries the outer edge and the image a row further; one row
# that repeats is left between them at each pooling, and pool4 would have none.
NARROW_PAD = 8
REPEATS = {
    "pool1": wide_padding.Repeat(depth=1, count=6),
    "pool2": wide_padding.Repeat(depth=2, count=8),
    "pool3": wide_padding.Repeat(depth=3, count=6),
}


def layer_list(
    padding: str = "caffe",
    width: float = 1.0,
    fc_features: int = FC_FEATURES,
    batch_norm: bool = False,
    batch_norm_fc: bool = False,
    fc6_dilation: int = 1,
) -> tuple[Layer, ...]:
    """The layers from the image to fc7.

    Args:
        padding: A key of `PADDINGS`.
        width: Factor on all channel counts.
        fc_features: Channels of fc6 and fc7 before that factor.
        batch_norm: Whether BatchNorm follows conv1_1 ... conv5_3.
        batch_norm_fc: Whether it follows fc6 and fc7.
        fc6_dilation: Of `FC6_DILATIONS`; the window of fc6 stays that of 7x7 cells.

    Returns:
        conv1_1, conv1_2, pool1 ... pool5, fc6, fc7.

    Raises:
        ValueError: If the padding or the dilation is unknown, or width or fc_features
            not positive.

    References:
        Chen et al. 2015, arXiv:1412.7062, sec. 3.2 (LargeFOV).
    """
    check_padding(padding, PADDINGS)
    layers.check_widths("VGG-16", width, fc_features)
    if fc6_dilation not in FC6_DILATIONS:
        raise ValueError(
            f"fc6_dilation={fc6_dilation} does not make a window of "
            f"{FC6_KERNEL}x{FC6_KERNEL}; choose one of "
            f"{', '.join(map(str, FC6_DILATIONS))}."
        )

    first_pad, fc6_pad = PADDINGS[padding]
    found = []
    for stage, channels in enumerate(STAGES, start=1):
        for i, features in enumerate(channels, start=1):
            pad = first_pad if (stage, i) == (1, 1) else 1
            count = layers.scaled(features, width)
            bn = f"bn{stage}_{i}" if batch_norm else ""
            name = f"conv{stage}_{i}"
            found.append(
                Layer(name, "conv", count, kernel_size=3, pad=pad, batch_norm=bn)
            )
        found.append(Layer(f"pool{stage}", "pool", kernel_size=2, stride=2))
    fc6_kernel = (FC6_KERNEL - 1) // fc6_dilation + 1
    for name, kernel_size, pad in (("fc6", fc6_kernel, fc6_pad), ("fc7", 1, 0)):
        found.append(
            Layer(
                name,
                "conv",
                layers.scaled(fc_features, width),
                kernel_size=kernel_size,
                pad=pad,
                dilation=fc6_dilation if name == "fc6" else 1,
                batch_norm=f"bn{name}" if batch_norm_fc else "",
                dropout=f"drop{name[-1]}",
            )
        )
    return tuple(found)


class VGG16(Encoder):
    """VGG-16 from conv1_1 to fc7, every convolution (+ BatchNorm) followed by ReLU.

    With padding="caffe" what repeats in the padding around the image is computed once
    (`ops.wide_padding`), and pool1 and pool2 have less of it, unless BatchNorm counts
    every pixel, switches are asked for, or `full_padding` is set.
    """

    skips: ClassVar[Mapping[int, str]] = {16: "pool4", 8: "pool3"}
    paddings: ClassVar[tuple[str, ...]] = tuple(PADDINGS)

    padding: str = "caffe"  # A key of PADDINGS.
    batch_norm: bool = False  # After conv1_1 ... conv5_3.
    batch_norm_fc: bool = False  # After fc6 and fc7.
    width: float = 1.0  # Factor on all channels.
    fc_features: int = FC_FEATURES  # Channels of fc6 and fc7 before that factor.
    fc6_dilation: int = 1  # Of FC6_DILATIONS; 3: fc6 is 3x3, dilated, as in LargeFOV.
    full_padding: bool = False  # Maps before pool3 as large as in the Caffe nets.
    # Image pixels per cell of fc7, of STRIDES: poolings whose strides would lead beyond
    # it have none, and what follows is dilated; 1 scores every pixel. 0: the poolings'.
    output_stride: int = 0

    def layers(self) -> tuple[Layer, ...]:
        """conv1_1 ... pool5, fc6, fc7, with the padding as it is published.

        Raises:
            ValueError: If `output_stride` is no stride that its poolings leave.
        """
        listed = layer_list(
            self.padding,
            self.width,
            self.fc_features,
            self.batch_norm,
            self.batch_norm_fc,
            self.fc6_dilation,
        )
        if not self.output_stride:
            return listed
        if self.output_stride not in STRIDES:
            raise ValueError(
                f"output_stride={self.output_stride} is no stride that poolings of 2 "
                f"leave; choose one of {', '.join(map(str, STRIDES))}, or 0 to leave "
                f"them as they are."
            )
        return rarefied(listed, self.output_stride)

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return SMALLEST_VALID if self.padding == "valid" else 1

    @classmethod
    def foreign_names(cls, convention: str, layers: set[str]) -> Mapping[str, str]:
        """VGG-16 of torchvision, timm and Keras, by name or by number.

        Args:
            convention: See `Encoder.foreign_names`.
            layers: The names of layers in the file.
        """
        if convention == "torchvision":
            return _torchvision(batch_norm="features.1" in layers)
        if convention == "Keras":
            return _keras_numbered() if "conv2d" in layers else _keras()
        return {}

    @property
    def repeats(self) -> Mapping[str, wide_padding.Repeat]:
        """What is put into maps of repeated padding that is computed once, by layer."""
        wide = self.full_padding or self.batch_norm or self.return_switches
        wide = wide or self.output_stride
        return REPEATS if self.padding == "caffe" and not wide else {}

    def computed(self, layer: Layer) -> Layer:
        """A layer of the list as it is computed: with the padding that `repeats` leave.

        Args:
            layer: As it is published.
        """
        if self.repeats and layer.name == "conv1_1":
            return dataclasses.replace(layer, pad=NARROW_PAD)
        return layer

    def _convolve(
        self,
        layer: Layer,
        x: Array,
        sizes: Array | None,
        train: bool,
    ):
        return super()._convolve(self.computed(layer), x, sizes, train)

    def _pool(
        self, layer: Layer, x: Array, sizes: Array | None
    ) -> tuple[Array, Array | None, Array | None]:
        x, sizes, switch = super()._pool(layer, x, sizes)
        if layer.name in self.repeats:
            repeat = self.repeats[layer.name]
            x = wide_padding.expand(x, sizes, repeat)
            sizes = wide_padding.after_expansion(sizes, repeat)
        return x, sizes, switch


class VGG16Trunk(VGG16):
    """VGG-16 without its fully connected layers: conv1_1 to pool5."""

    top: ClassVar[str] = "pool5"

    def layers(self) -> tuple[Layer, ...]:
        """conv1_1 ... pool5."""
        return tuple(x for x in super().layers() if not x.name.startswith("fc"))

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return 1


class VGG16Convolutions(VGG16Trunk):
    """VGG-16 from conv1_1 to its last convolution, conv5_3, whose map is `conv5`."""

    top: ClassVar[str] = "conv5"

    def layers(self) -> tuple[Layer, ...]:
        """conv1_1 ... conv5_3, and their last map by the name of its stage."""
        listed = super().layers()[:-1]
        return (*listed, Layer(self.top, "concat", inputs=(listed[-1].name,)))


# Options of it that networks of boxes leave nobody: images are seen without a margin,
# cells lie as the published nets have them, and fc6 and fc7 are the networks' own.
CONVOLUTIONS_FIXED: Mapping[str, object] = {
    "padding": "same",
    "batch_norm_fc": False,
    "return_switches": False,
    "full_padding": False,
    "output_stride": 0,
    "fc6_dilation": 1,
    "bn_shift": 0.0,
}


class VGG16EveryConvolution(VGG16Trunk):
    """VGG-16 from conv1_1 to conv5_3, of which every convolution may be looked at."""

    top: ClassVar[str] = "conv5_3"
    feature_kinds: ClassVar[tuple[str, ...]] = ("conv",)

    def layers(self) -> tuple[Layer, ...]:
        """conv1_1 ... conv5_3."""
        return super().layers()[:-1]


def check_strides(encoder: VGG16, net: str) -> None:
    """Refuse poolings without their strides where they are to be undone.

    Args:
        encoder: Whose poolings are undone.
        net: Which undoes them, for the error.

    Raises:
        ValueError: If a stride is missing.
    """
    if encoder.is_rarefied:
        raise ValueError(
            f"{net}: output_stride={encoder.output_stride} of the encoder leaves "
            f"poolings without strides, which no unpooling undoes; pass 0."
        )


def _torchvision(batch_norm: bool) -> dict[str, str]:
    """Names of torchvision's vgg16 or vgg16_bn: "features.0" -> "conv1_1"."""
    found, index = {}, 0
    for stage, channels in enumerate(STAGES, start=1):
        for i in range(1, len(channels) + 1):
            found[f"features.{index}"] = f"conv{stage}_{i}"
            if batch_norm:
                found[f"features.{index + 1}"] = f"bn{stage}_{i}"
            index += 3 if batch_norm else 2  # Convolution, (BatchNorm,) ReLU.
        index += 1  # Pooling.
    # timm keeps fc6 and fc7 as the convolutions that they are.
    found |= {"pre_logits.fc1": "fc6", "pre_logits.fc2": "fc7", "head.fc": "fc8"}
    return found | {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}


def _keras() -> dict[str, str]:
    """Names of keras.applications: "block1_conv1" -> "conv1_1"."""
    return {
        f"block{stage}_conv{i}": f"conv{stage}_{i}"
        for stage, channels in enumerate(STAGES, start=1)
        for i in range(1, len(channels) + 1)
    } | {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}


def _keras_numbered() -> dict[str, str]:
    """Keras 3 numbers the layers of a class: conv2d, conv2d_1, ..., dense_2."""
    convolutions = [x.name for x in layer_list() if x.name.startswith("conv")]
    return {
        f"conv2d_{i}" if i else "conv2d": name for i, name in enumerate(convolutions)
    } | {"dense": "fc6", "dense_1": "fc7", "dense_2": "fc8"}
