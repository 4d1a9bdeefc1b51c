"""The AlexNet encoder, fully convolutional: image -> named features.

References:
    Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep
    convolutional neural networks", sec. 3;
    BVLC/caffe, models/bvlc_alexnet and models/bvlc_reference_caffenet;
    Long et al. 2015, arXiv:1411.4038; fcn.berkeleyvision.org, voc-fcn-alexnet.
"""

from collections.abc import Mapping
from typing import ClassVar

from fcn_jax.models import layers
from fcn_jax.models.encoders.encoder import Encoder
from fcn_jax.models.encoders.foreign import Objection, StoredLayers
from fcn_jax.models.encoders.layer import Layer, check_padding, smallest_side

FC_FEATURES = 4096
FC6_KERNEL = 6
# Padding of conv1. "caffe" pads the image by 100 pixels, as FCN-AlexNet does, so that
# the 6x6 window of fc6 finds room in images of any size; "valid" pads nothing, as the
# classifiers, which see 227x227 pixels.
PADDINGS = {"caffe": 100, "valid": 0}
GROUPS = 2  # Of conv2, conv4 and conv5: each half of the channels sees a half.
# What the nets of the two releases are called in their files, and whether LRN comes
# before the pooling there; layers, names and shapes are the same.
_RELEASES = {"AlexNet": True, "CaffeNet": False}


def layer_list(
    padding: str = "caffe",
    width: float = 1.0,
    fc_features: int = FC_FEATURES,
    norm_first: bool = False,
) -> tuple[Layer, ...]:
    """The layers from the image to fc7.

    Args:
        padding: A key of `PADDINGS`.
        width: Factor on all channel counts; those of convolutions stay even, for the
            groups.
        fc_features: Channels of fc6 and fc7 before that factor.
        norm_first: Whether LRN comes before the pooling, as in bvlc_alexnet, or after
            it, as in CaffeNet and FCN-AlexNet.

    Returns:
        conv1, pool1, norm1 ... pool5, fc6, fc7.

    Raises:
        ValueError: If the padding is unknown, or width or fc_features not positive.
    """
    check_padding(padding, PADDINGS)
    layers.check_widths("AlexNet", width, fc_features)

    def convolution(
        stage: int, channels: int, kernel_size: int, pad: int, groups: int = 1
    ):
        return Layer(
            f"conv{stage}",
            "conv",
            layers.scaled(channels, width, GROUPS),
            kernel_size=kernel_size,
            stride=4 if stage == 1 else 1,
            pad=pad,
            groups=groups,
        )

    def pooling(stage: int):
        return Layer(f"pool{stage}", "pool", kernel_size=3, stride=2)

    def pooling_and_norm(stage: int):
        both = (pooling(stage), Layer(f"norm{stage}", "lrn", kernel_size=5))
        return both[::-1] if norm_first else both

    def fully_connected(number: int, kernel_size: int):
        return Layer(
            f"fc{number}",
            "conv",
            layers.scaled(fc_features, width),
            kernel_size=kernel_size,
            dropout=f"drop{number}",
        )

    return (
        convolution(1, 96, 11, PADDINGS[padding]),
        *pooling_and_norm(1),
        convolution(2, 256, 5, 2, GROUPS),
        *pooling_and_norm(2),
        convolution(3, 384, 3, 1),
        convolution(4, 384, 3, 1, GROUPS),
        convolution(5, 256, 3, 1, GROUPS),
        pooling(5),
        fully_connected(6, FC6_KERNEL),
        fully_connected(7, 1),
    )


class AlexNet(Encoder):
    """AlexNet from conv1 to fc7, every convolution followed by ReLU.

    As it stands it is CaffeNet, from which FCN-AlexNet is made: pooling, then LRN.
    `norm_first` makes it bvlc_alexnet.
    """

    skips: ClassVar[Mapping[int, str]] = {16: "pool2", 8: "pool1"}
    paddings: ClassVar[tuple[str, ...]] = tuple(PADDINGS)

    padding: str = "caffe"  # A key of PADDINGS.
    width: float = 1.0  # Factor on all channels.
    fc_features: int = FC_FEATURES  # Channels of fc6 and fc7 before that factor.
    norm_first: bool = False  # LRN before pooling, as in bvlc_alexnet.

    def layers(self) -> tuple[Layer, ...]:
        """conv1 ... pool5, fc6, fc7."""
        return layer_list(self.padding, self.width, self.fc_features, self.norm_first)

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return smallest_side(self.layers())

    @classmethod
    def foreign_names(cls, convention: str, layers: set[str]) -> Mapping[str, str]:
        """Caffe's fully convolutional CaffeNet has names of its own (net_surgery).

        Args:
            convention: See `Encoder.foreign_names`.
            layers: The names of layers in the file.
        """
        del convention, layers
        return {"fc6-conv": "fc6", "fc7-conv": "fc7", "fc8-conv": "fc8"}

    def objection(self, stored: StoredLayers) -> Objection | None:
        """What forbids to take the weights of a file, although some would fit.

        Args:
            stored: What the file holds.
        """
        if stored.convention == "Keras" and not stored.has("conv1", "conv2", "conv5"):
            return Objection(
                "it is of Keras, whose applications have no AlexNet",
                "expected bvlc_alexnet or bvlc_reference_caffenet (fcn_jax fetch)",
            )
        first = stored.kernels.get("features.0", ())
        if stored.convention == "torchvision" and first[2:] == (11, 11):
            return Objection(
                "it is torchvision's alexnet, which is another network (Krizhevsky "
                "2014, arXiv:1404.5997: 64, 192, 384, 256, 256 channels, no groups, no "
                "LRN); its fc6 and fc7 would fit all the same",
                "expected bvlc_alexnet or bvlc_reference_caffenet (fcn_jax fetch)",
            )
        norm_first = _RELEASES.get(stored.net)
        if norm_first is None or norm_first == self.norm_first:
            return None
        theirs, ours = ("before", "after") if norm_first else ("after", "before")
        return Objection(
            f"its net is {stored.net}, with LRN {theirs} the poolings, and this one "
            f"has it {ours} them: all weights would fit, and every score be wrong",
            f"create the net with norm_first={norm_first} "
            f"(--config.model.norm_first={norm_first})",
        )
