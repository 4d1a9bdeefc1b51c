"""The GoogLeNet encoder, fully convolutional: image -> named features.

References:
    Szegedy et al. 2015, arXiv:1409.4842, table 1;
    BVLC/caffe, models/bvlc_googlenet (order of layers, padding, LRN);
    Long et al. 2015, arXiv:1411.4038, sec. 4.1: of its three losses the last one is
    kept, and the average pooling at the end is not.
"""

from collections.abc import Mapping
from typing import ClassVar

from fcn_jax.models import layers
from fcn_jax.models.encoders.encoder import Encoder
from fcn_jax.models.encoders.foreign import LEFT_OUT, Objection, StoredLayers
from fcn_jax.models.encoders.layer import Layer, check_padding, smallest_side

# Channels of the blocks: 1x1; before 3x3, 3x3; before 5x5, 5x5; after the pooling.
BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
_POOLED = {"3b": "pool3", "4e": "pool4"}  # Blocks before a pooling.
# Padding of conv1. "caffe" pads the image by 100 pixels, as the other FCNs do, so that
# upsampled scores cover images of any size (the authors never released theirs);
# "valid" by 3, as the classifier, which sees 224x224 pixels.
PADDINGS = {"caffe": 100, "valid": 3}
FIRST = "conv1_7x7_s2"


def layer_list(padding: str = "caffe", width: float = 1.0) -> tuple[Layer, ...]:
    """The layers from the image to the last block.

    Layers have the names of BVLC's net, an underscore for its slash; its poolings, that
    hold no weights, are pool1 to pool4.

    Args:
        padding: A key of `PADDINGS`.
        width: Factor on all channel counts.

    Returns:
        conv1_7x7_s2 ... inception_5b_output.

    Raises:
        ValueError: If the padding is unknown, or the width not positive.
    """
    check_padding(padding, PADDINGS)
    layers.check_widths("GoogLeNet", width)

    def convolution(name: str, channels: int, kernel_size: int = 1, source: str = ""):
        return Layer(
            name,
            "conv",
            layers.scaled(channels, width),
            kernel_size=kernel_size,
            pad=kernel_size // 2,
            inputs=(source,) if source else (),
        )

    def pooling(name: str):
        return Layer(name, "pool", kernel_size=3, stride=2)

    found = [
        Layer(
            FIRST,
            "conv",
            layers.scaled(64, width),
            kernel_size=7,
            stride=2,
            pad=PADDINGS[padding],
        ),
        pooling("pool1"),
        Layer("pool1_norm1", "lrn", kernel_size=5),
        convolution("conv2_3x3_reduce", 64),
        convolution("conv2_3x3", 192, 3),
        Layer("conv2_norm2", "lrn", kernel_size=5),
        pooling("pool2"),
    ]
    for block, (one, to_3, three, to_5, five, pooled) in BLOCKS.items():
        before, name = found[-1].name, f"inception_{block}"
        branches = (
            (convolution(f"{name}_1x1", one, 1, before),),
            (
                convolution(f"{name}_3x3_reduce", to_3, 1, before),
                convolution(f"{name}_3x3", three, 3),
            ),
            (
                convolution(f"{name}_5x5_reduce", to_5, 1, before),
                convolution(f"{name}_5x5", five, 5),
            ),
            (
                Layer(f"{name}_pool", "pool", kernel_size=3, pad=1, inputs=(before,)),
                convolution(f"{name}_pool_proj", pooled),
            ),
        )
        found += [layer for branch in branches for layer in branch]
        ends = tuple(branch[-1].name for branch in branches)
        dropout = "drop" if block == "5b" else ""
        found.append(Layer(f"{name}_output", "concat", inputs=ends, dropout=dropout))
        if block in _POOLED:
            found.append(pooling(_POOLED[block]))
    return tuple(found)


class GoogLeNet(Encoder):
    """GoogLeNet from conv1 to the last block, every convolution followed by ReLU."""

    top: ClassVar[str] = "inception_5b_output"
    skips: ClassVar[Mapping[int, str]] = {16: "pool3", 8: "pool2"}
    paddings: ClassVar[tuple[str, ...]] = tuple(PADDINGS)

    dropout_rate: float = 0.4  # Before the scores.
    padding: str = "caffe"  # A key of PADDINGS.
    width: float = 1.0  # Factor on all channels.

    def layers(self) -> tuple[Layer, ...]:
        """conv1_7x7_s2 ... inception_5b_output."""
        return layer_list(self.padding, self.width)

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return smallest_side(self.layers())

    @classmethod
    def foreign_names(cls, convention: str, layers: set[str]) -> Mapping[str, str]:
        """BVLC's net: "inception_3a/1x1"; its two other losses are left out.

        Args:
            convention: See `Encoder.foreign_names`.
            layers: The names of layers in the file.
        """
        del convention
        found = {
            name: LEFT_OUT for name in layers if name.startswith(("loss1/", "loss2/"))
        }
        found["loss3/classifier"] = "fc8"
        ours = {layer.name for layer in layer_list()}
        renamed = {name: name.replace("/", "_") for name in layers}
        return found | {name: x for name, x in renamed.items() if x in ours}

    def objection(self, stored: StoredLayers) -> Objection | None:
        """What forbids to take the weights of a file, although some would fit.

        Args:
            stored: What the file holds.
        """
        ours = "expected bvlc_googlenet (fcn_jax fetch)"
        names = stored.kernels
        if any(name.startswith("inception3a.branch1") for name in names):
            return Objection(
                "it is torchvision's googlenet, which is another network (BatchNorm "
                "and no biases, no LRN, 3x3 where this one has 5x5, a pooling of 2x2)",
                ours,
            )
        if any(name.startswith(("Mixed_5b.", "Conv2d_1a_3x3")) for name in names):
            return Objection("it is an Inception-v3, which is another network", ours)
        if stored.convention == "Keras" and not stored.has(FIRST, "inception_3a_1x1"):
            return Objection(
                "it is of Keras, whose applications have no GoogLeNet (its "
                "InceptionV3 is another network)",
                ours,
            )
        return None
