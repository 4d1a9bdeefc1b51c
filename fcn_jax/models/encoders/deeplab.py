"""The encoder of DeepLab v1: VGG-16 that goes on at stride 8, by holes in its kernels.

What makes it DeepLab's: all poolings are 3x3, those after stages 4 and 5 of stride 1,
and what follows them sees the cells that it saw in VGG-16 by kernels with holes (2 in
conv5, 4 or 12 in fc6). With a padding of one pixel every cell lies on a pixel of the
image: cell i of fc7 on pixel 8 i, cell i of pool1 on pixel 2 i.

References:
    Chen, Papandreou, Kokkinos, Murphy and Yuille 2015, arXiv:1412.7062, sec. 3;
    deeplab-public, DeepLab, DeepLab-LargeFOV and DeepLab-MSc-LargeFOV/train.prototxt.
"""

from collections.abc import Mapping
from typing import NamedTuple

from fcn_jax.models import layers
from fcn_jax.models.encoders.encoder import Encoder
from fcn_jax.models.encoders.layer import Layer
from fcn_jax.models.encoders.vgg import STAGES, VGG16

POOL_STRIDES = (2, 2, 2, 1, 1)  # Of pool1 to pool5, windows of 3x3.
CONV5_DILATION = 2
SCORE = "fc8_score"  # Of DeepLab's score layer; Caffe's is fc8_<experiment>.


class Fc6(NamedTuple):
    """What tells the nets apart.

    Attributes:
        features: Channels of fc6 and fc7.
        kernel_size: Of fc6, taps on a side.
        dilation: Of fc6, cells from tap to tap.
        average: Whether the average pooling pool5a precedes it.
    """

    features: int
    kernel_size: int
    dilation: int
    average: bool = False

    @property
    def pad(self) -> int:
        """Cells added on every side, by which fc6 is as large as pool5."""
        return self.dilation * (self.kernel_size - 1) // 2


# By the names of sec. 5.2 and table 2 of the paper. VGG-16's 7 taps lie 4 of these
# cells apart; LargeFOV's 3 taps have their span, those of 4x4 half of it.
VARIANTS = {
    "7x7": Fc6(4096, 7, 4),
    "4x4": Fc6(4096, 4, 4),
    "largefov": Fc6(1024, 3, 12, average=True),
}


class DeepLabVGG16(Encoder):
    """VGG-16 from conv1_1 to fc7 at a stride of 8, as DeepLab v1 has it."""

    variant: str = "largefov"  # A key of VARIANTS.
    batch_norm: bool = False  # After conv1_1 ... conv5_3; ours.
    batch_norm_fc: bool = False  # After fc6 and fc7; ours.
    width: float = 1.0  # Factor on all channels.
    fc_features: int = 0  # Channels of fc6 and fc7 before it; 0: the variant's.

    def layers(self) -> tuple[Layer, ...]:
        """conv1_1 ... pool5, pool5a where there is one, fc6, fc7.

        Raises:
            ValueError: If the variant is unknown, or a number is not positive.
        """
        if self.variant not in VARIANTS:
            raise ValueError(
                f"variant={self.variant!r} of DeepLab is not known; choose one of "
                f"{', '.join(VARIANTS)}."
            )
        if self.width <= 0 or self.fc_features < 0:
            raise ValueError(
                f"width={self.width} must be positive and "
                f"fc_features={self.fc_features} not negative; width=1, fc_features=0 "
                f"make DeepLab {self.variant}."
            )
        return (*self._trunk(), *self._classifier(VARIANTS[self.variant]))

    def _trunk(self) -> list[Layer]:
        """conv1_1 ... pool5."""
        found: list[Layer] = []
        for stage, channels in enumerate(STAGES, start=1):
            dilation = CONV5_DILATION if stage == len(STAGES) else 1
            for i, features in enumerate(channels, start=1):
                found.append(
                    Layer(
                        f"conv{stage}_{i}",
                        features=layers.scaled(features, self.width),
                        kernel_size=3,
                        pad=dilation,
                        dilation=dilation,
                        batch_norm=f"bn{stage}_{i}" if self.batch_norm else "",
                    )
                )
            stride = POOL_STRIDES[stage - 1]
            pool = Layer(f"pool{stage}", "pool", kernel_size=3, stride=stride, pad=1)
            found.append(pool)
        return found

    def _classifier(self, fc6: Fc6) -> list[Layer]:
        """pool5a where there is one, fc6, fc7."""
        features = layers.scaled(self.fc_features or fc6.features, self.width)
        found: list[Layer] = []
        if fc6.average:
            found.append(Layer("pool5a", "average", kernel_size=3, pad=1))
        for name in ("fc6", "fc7"):
            holes = name == "fc6"
            found.append(
                Layer(
                    name,
                    features=features,
                    kernel_size=fc6.kernel_size if holes else 1,
                    pad=fc6.pad if holes else 0,
                    dilation=fc6.dilation if holes else 1,
                    batch_norm=f"bn{name}" if self.batch_norm_fc else "",
                    dropout=f"drop{name[-1]}",
                )
            )
        return found

    @classmethod
    def foreign_names(cls, convention: str, layers: set[str]) -> Mapping[str, str]:
        """Those of VGG-16, and the release's score layer, fc8_pascal or fc8_voc12.

        Args:
            convention: See `Encoder.foreign_names`.
            layers: The names of layers in the file.
        """
        scores = {
            name: SCORE
            for name in layers
            if name.startswith("fc8_") and not name.startswith(SCORE)
        }
        return {**VGG16.foreign_names(convention, layers), **scores}
