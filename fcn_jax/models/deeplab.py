"""DeepLab v1: scores of a stride of 8, upsampled so that cells stay on their pixels.

The published net with fully connected CRF is this network, trained on labels shrunk by
8 (`config.loss.label_shrink`), and `crf.mean_field` behind it, which is searched for
and never trained (`config.crf.parameters`).

References:
    Chen, Papandreou, Kokkinos, Murphy and Yuille 2015, arXiv:1412.7062;
    deeplab-public, DeepLab*/train.prototxt and test.prototxt.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.models import inputs, layers
from fcn_jax.models.encoders import Features
from fcn_jax.models.encoders.deeplab import SCORE
from fcn_jax.models.network import Network, layer_name
from fcn_jax.ops import extents, interp

Array = jax.Array

_SCORE_DEVIATION = 0.01  # Of the score layers at the start, as in the prototxts.
BRANCH_FEATURES = 128  # Channels of a branch of the multi-scale nets.
IMAGE = "data"  # What the branch of the image itself is called.


class Branch(NamedTuple):
    """A branch of the multi-scale nets: two layers and a score on an early map.

    Attributes:
        source: The map: `IMAGE`, or a pooling.
        fc: Standard deviation of the 1x1 convolution at the start.
        score: That of the scores.
    """

    source: str
    fc: float = 0.001
    score: float = _SCORE_DEVIATION


_CONV_DEVIATION = 0.001  # Of the 3x3 convolution of each.
# DeepLab-MSc-LargeFOV/train.prototxt; pool3_ms has no filler there, which is Caffe's 0.
BRANCHES = (
    Branch(IMAGE),
    Branch("pool1"),
    Branch("pool2"),
    Branch("pool3", score=0.0),
    Branch("pool4", fc=0.005),
)


class _Scored(NamedTuple):
    """A map, its true extents, and the pixels from cell to cell."""

    x: Array
    sizes: Array | None
    stride: int


class DeepLab(Network):
    """DeepLab with the 4x4 kernel of fc6, 128 pixels of field (sec. 5.2, "DeepLab").

    Logits are the scores of fc7 upsampled by 8, bilinear with cells on their pixels
    (the prototxt's INTERP layer): logits[8 i, 8 j] are the scores of cell (i, j), in
    training as well, so that a loss on labels shrunk by 8 sees the scores themselves.

    Its encoder must lay cell (0, 0) of every map that is scored on pixel (0, 0).

    References:
        Chen et al. 2015, arXiv:1412.7062, sec. 3.
    """

    default_encoder: ClassVar[str] = "deeplab"
    encoder_fixed: ClassVar[Mapping[str, object]] = {
        "variant": "4x4",
        "return_switches": False,
        "bn_shift": 0.0,
    }
    branches: ClassVar[tuple[Branch, ...]] = ()

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        train: bool = False,
        example_ids: Array | None = None,
    ) -> Array | dict[str, Array]:
        """Score every pixel.

        Args:
            images: Preprocessed images, [N, H, W, channels] floating point; H, W >= 1.
                The published weights want BGR minus the mean, [-123, 151]
                (`fcn_jax.preprocess`).
            sizes: True (height, width) of every example, [N, 2] integer, where images
                were padded at the bottom and right to one shape; None where they fill
                it. Logits inside are those of each image alone, whatever the padding
                holds; outside they mean nothing. Under `jax.jit` sizes beyond (H, W)
                cannot be noticed and give wrong logits.
            train: Whether dropout drops and BatchNorm uses the statistics of the batch.
                Branches are then computed at every eighth pixel alone, as in the
                release's nets for training, and upsampled between.
            example_ids: Numbers that choose the dropout of every example, [N] integer;
                None: 0 .. N-1.

        Returns:
            Logits, [N, H, W, num_classes] float32 (float64 if computed in float64); by
            head where `num_classes` is.

        Raises:
            TypeError: If images are not floating point or sizes not integer.
            ValueError: If images are not [N, H, W, channels], or sizes do not
                fit them.
        """
        inputs.check_images(images, self.channels)
        sizes = inputs.check_sizes(sizes, images)
        features = self.encoder(images, sizes, train=train, example_ids=example_ids)
        top = self.encoder.top
        scored = {SCORE: _Scored(features.maps[top], features.sizes[top], self.stride)}
        for branch in self.branches:
            found = self._early_map(branch.source, features, images, sizes)
            scored[f"{branch.source}_ms"] = _branch(
                self,
                branch,
                found,
                scored[SCORE] if train else found,
                train,
                example_ids,
            )
        shape = images.shape[1], images.shape[2]
        return self.by_head(
            {
                head: self._logits(scored, shape, head, count)
                for head, count in self.heads.items()
            }
        )

    @property
    def stride(self) -> int:
        """Pixels from cell to cell of the scores."""
        return self.encoder.stride

    def _early_map(
        self, source: str, features: Features, images: Array, sizes: Array | None
    ) -> _Scored:
        """What a branch looks at."""
        if source != IMAGE:
            scale = self.encoder.coordinate_maps()[source].scale
            stride = int(1 / Fraction(scale))
            return _Scored(features.maps[source], features.sizes[source], stride)
        dtype = self.encoder.dtype
        x = images if dtype is None else images.astype(dtype)
        return _Scored(extents.mask(x, sizes), sizes, 1)

    def _logits(
        self,
        scored: Mapping[str, _Scored],
        shape: tuple[int, int],
        head: str,
        count: int,
    ) -> Array:
        """The logits of one head: scores of all maps, each upsampled, added."""
        deviations = {f"{x.source}_ms": x.score for x in self.branches}
        by_stride: dict[int, Array] = {}
        for name, (x, sizes, stride) in scored.items():
            deviation = deviations.get(name, _SCORE_DEVIATION)
            score = layers.Score(
                count,
                param_dtype=self.encoder.param_dtype,
                kernel_init=nn.initializers.normal(deviation),
                name=layer_name(name, head),
            )
            scores = extents.mask(score(x), sizes)  # Its bias reaches beyond.
            there = by_stride.get(stride)
            by_stride[stride] = scores if there is None else there + scores
        parts = [interp.zoom(x, f, shape) for f, x in by_stride.items()]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def check_options(self) -> None:
        """Refuse encoders whose cells lie elsewhere than where they are upsampled to.

        Raises:
            TypeError: Naming the map.
        """
        sources = (x.source for x in self.branches if x.source != IMAGE)
        maps = self.encoder.coordinate_maps()
        name = type(self.encoder).__name__
        for source in (self.encoder.top, *sources):
            if source not in maps:
                raise TypeError(
                    f"{type(self).__name__}: the encoder {name} has no map {source!r}; "
                    f"pass a DeepLabVGG16 (encoder='deeplab')."
                )
            first = -Fraction(maps[source].shift) / maps[source].scale
            if first:
                raise TypeError(
                    f"{type(self).__name__}: the first cell of {source} of the encoder "
                    f"{name} lies on pixel {float(first):g}, expected 0, the corner; "
                    f"pass a DeepLabVGG16 (encoder='deeplab')."
                )


class DeepLab7x7(DeepLab):
    """DeepLab with VGG-16's own 7x7 kernel of fc6, 224 pixels of field ("7x7")."""

    encoder_fixed: ClassVar[Mapping[str, object]] = {
        **DeepLab.encoder_fixed,
        "variant": "7x7",
    }


class DeepLabLargeFOV(DeepLab):
    """DeepLab-LargeFOV: fc6 of 3x3 taps 12 cells apart, 1024 channels (sec. 5.2)."""

    encoder_fixed: ClassVar[Mapping[str, object]] = {
        **DeepLab.encoder_fixed,
        "variant": "largefov",
    }


class DeepLabMSc(DeepLab):
    """DeepLab-MSc: scores of the image and of pool1 to pool4 are added (sec. 3.3).

    The paper words it as maps that are concatenated before one classifier, which is the
    same function. As published, only what is added is trained: freeze `conv?_?`, `fc6`,
    `fc7` and `fc8_score` of a net that is finished.
    """

    branches: ClassVar[tuple[Branch, ...]] = BRANCHES


class DeepLabMScLargeFOV(DeepLabLargeFOV):
    """DeepLab-MSc-LargeFOV: both (the DeepLab-CRF of later papers, 71.6 on VOC)."""

    branches: ClassVar[tuple[Branch, ...]] = BRANCHES


def _branch(
    net: DeepLab,
    branch: Branch,
    found: _Scored,
    onto: _Scored,
    train: bool,
    example_ids: Array | None,
) -> _Scored:
    """What a branch makes of a map, at the cells of another: 128 channels to score."""
    encoder, step = net.encoder, onto.stride // found.stride
    x = found.x if step == 1 else _whole_steps(found.x, step, onto.x.shape[1:3])
    for kind, kernel_size, stride, deviation in (
        ("conv", 3, step, _CONV_DEVIATION),
        ("fc", 1, 1, branch.fc),
    ):
        name = f"{branch.source}_{kind}"
        x = layers.Conv(
            layers.scaled(BRANCH_FEATURES, getattr(encoder, "width", 1.0)),
            kernel_size,
            pad=kernel_size // 2,
            stride=stride,
            param_dtype=encoder.param_dtype,
            kernel_init=nn.initializers.normal(deviation),
            name=name,
        )(x)
        x = extents.mask(nn.relu(x), onto.sizes)
        x = layers.Dropout(encoder.dropout_rate, name=f"drop_{name}")(
            x, example_ids, train=train
        )
    return _Scored(x, onto.sizes, onto.stride)


def _whole_steps(x: Array, step: int, cells: Sequence[int]) -> Array:
    """A map with zeros at the end, so that as many steps lie on it as there are cells.

    The last cell of a map may lie beyond the last pixel (of 320 pixels the 41st of 8).
    """
    ends = [
        (0, max(0, (count - 1) * step + 1 - there))
        for count, there in zip(cells, x.shape[1:3], strict=True)
    ]
    return jnp.pad(x, ((0, 0), *ends, (0, 0)))
