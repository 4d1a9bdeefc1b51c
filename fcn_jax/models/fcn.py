"""FCN-32s, FCN-16s, FCN-8s and FCN-8s trained at once, on any encoder.

References:
    Long, Shelhamer and Darrell 2015, arXiv:1411.4038, fig. 3 and sec. 4.2;
    Shelhamer, Long and Darrell 2017, IEEE PAMI 39(4);
    fcn.berkeleyvision.org, voc-fcn*/train.prototxt.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax import messages
from fcn_jax.models import inputs, layers
from fcn_jax.models.encoders import AlexNet, Encoder, Features, GoogLeNet
from fcn_jax.models.encoders.layer import check_padding
from fcn_jax.models.network import Logits, Network, layer_name
from fcn_jax.ops import cropping, extents
from fcn_jax.ops.upsampled import Frame, Upsampled

Array = jax.Array

PADDINGS = ("caffe", "same")  # Of those that encoders have.
_FIXED_LAST = ("fixed", "learned_2x")  # The last upsampling has no parameters.


class FCN(Network):
    """Class scores of every pixel: an encoder, scores at some strides, upsampling.

    The scores of the encoder's top (VGG-16: fc7, stride 32) are upsampled by 2 and
    summed with those of each skip in turn; the last sum is upsampled to the image.
    Offsets between maps follow from the layer list. With padding="caffe" the larger map
    of a sum is the skip, cropped to the upsampled scores as Caffe does; with "same" it
    is the other way round.

    Score layers start at zero, so a fresh net gives every class the score 0 (loss
    log num_classes, class 0 everywhere).

    References:
        Long et al. 2015, arXiv:1411.4038.
    """

    encoder_fixed: ClassVar[Mapping[str, object]] = {
        "return_switches": False,
        "bn_shift": 0.0,
    }
    skip_strides: ClassVar[tuple[int, ...]] = ()  # Of its skips, image pixels.
    named_after: ClassVar[type[Encoder] | None] = None  # The only encoder it is on.

    skips: tuple[str, ...] = ()  # Encoder layers, coarsest first.
    # "fixed": bilinear, without parameters, as the nets released with the PAMI paper;
    # "learned": every upsampling learned from a bilinear start; "learned_2x": all but
    # the last, as the nets of the CVPR paper. "nearest" and "bilinear" (ours) resize,
    # and do not fade towards the edges of the image.
    upsampling: str = "fixed"
    skip_scales: tuple[float, ...] = (1.0, 1.0)  # Factors on the skips.

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        train: bool = False,
        example_ids: Array | None = None,
        whole: bool = True,
    ) -> Logits | dict[str, Logits]:
        """Score every pixel.

        Args:
            images: Preprocessed images, [N, H, W, channels] floating point; H, W >= 1.
                The weights of the Caffe nets want BGR minus the mean, [-123, 151]
                (`fcn_jax.preprocess`).
            sizes: True (height, width) of every example, [N, 2] integer, where images
                were padded at the bottom and right to one shape; None where they fill
                it. Logits inside are those of each image alone, whatever the padding
                holds; outside they mean nothing. Under `jax.jit` sizes beyond (H, W)
                cannot be noticed and give wrong logits.
            train: Whether dropout drops and BatchNorm uses the statistics of the batch.
            example_ids: Numbers that choose the dropout of every example, [N] integer;
                None: 0 .. N-1.
            whole: Whether the last upsampling is done; if not, and it has no
                parameters, `Upsampled` logits are returned, for a loss that takes them.

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
        features = self.trunk(images, sizes, train=train, example_ids=example_ids)
        return self.by_head(
            {
                head: self._logits(features, images.shape[1:3], head, count, whole)
                for head, count in self.heads.items()
            }
        )

    def _logits(
        self,
        features: Features,
        image_size: Sequence[int],
        head: str,
        count: int,
        whole: bool,
    ) -> Logits:
        """The logits of one head, [N, H, W, count]."""
        *steps, last = upsampling_steps(self.encoder, self.skips)
        top = self.encoder.top
        scores = self._score(features, top, layer_name("score_fr", head), count)
        size = features.sizes[top]
        scores = extents.mask(scores, size)  # Its bias reaches beyond the true extent.
        # Maps without strides lie side by side: each lacks edges that another has.
        sparse = self.encoder.is_rarefied
        crop = cropping.place if sparse else cropping.crop
        for step, scale in zip(steps, self.skip_scales, strict=False):
            upscored = _upsample(self, scores, step, head, size)
            name = layer_name(f"score_{step.skip}", head)
            skipped = self._score(features, step.skip, name, count, scale)
            if sparse:
                skipped = extents.mask(skipped, features.sizes[step.skip])
            if step.offset > 0:
                size = extents.after_upsampling(size, step.kernel_size, step.factor)
                skipped = crop(skipped, step.offset, upscored.shape[1:3])
            else:
                size = features.sizes[step.skip]
                upscored = crop(upscored, -step.offset, skipped.shape[1:3])
            scores = extents.mask(upscored + skipped, size)
        near = cells_before(last)
        if near:
            scores = jnp.pad(scores, ((0, 0), (near, 0), (near, 0), (0, 0)), "edge")
            size = None if size is None else size + near
        frame = last.frame(near, image_size)
        if not whole and self.upsampling in _FIXED_LAST:
            return Upsampled(scores, frame)
        upscored = _upsample(self, scores, last, head, size)
        return cropping.crop(upscored, frame.offset, frame.size)

    def _score(
        self, features: Features, layer: str, name: str, count: int, scale: float = 1.0
    ):
        score = layers.Score(count, param_dtype=self.encoder.param_dtype, name=name)
        return score(features.maps[layer], scale)

    def suited(self) -> "FCN":
        """The same with the skips that its encoder has of its strides."""
        return self.clone(skips=_skips(type(self), self.encoder))

    def learns(self, step: "UpsamplingStep"):
        """Whether the kernel of an upsampling is a parameter."""
        return self.upsampling == "learned" or (
            self.upsampling == "learned_2x" and bool(step.skip)
        )

    def fixed_upsampling(self) -> dict[str, tuple[int, int]]:
        """Upsampling layers without parameters: kernel size and classes, by name."""
        return {
            layer_name(step.name, head): (step.kernel_size, count)
            for head, count in self.heads.items()
            for step in reversed(upsampling_steps(self.encoder, self.skips))
            if not self.learns(step) and self.upsampling not in layers.RESIZINGS
        }

    def check_options(self) -> None:
        """Refuse options that no FCN has.

        Raises:
            ValueError: Naming the option and its values.
        """
        _check_options(self)


def _skips(cls: type[FCN], encoder: Encoder) -> tuple[str, ...]:
    """The layers of an encoder that a network scores too, coarsest first.

    Raises:
        ValueError: If the encoder has no map of such a stride that may be scored, or is
            not the one that the network is named after.
    """
    if cls.named_after and not isinstance(encoder, cls.named_after):
        raise ValueError(
            f"{cls.__name__} is FCN-32s on {cls.named_after.__name__}, not on "
            f"{type(encoder).__name__}; create fcn32s with that encoder."
        )
    there = encoder.skips
    for stride in cls.skip_strides:
        if stride not in there:
            known = (f"{name} (stride {s})" for s, name in there.items())
            raise ValueError(
                f"{cls.__name__} scores a map of stride {stride}, of which "
                f"{type(encoder).__name__} has none; its skips are "
                f"{', '.join(known) or 'none'}: create fcn32s, which has no skip."
            )
    return tuple(there[stride] for stride in cls.skip_strides)


def _check_options(net: FCN) -> None:
    """See `FCN.check_options`."""
    paddings = net.encoder.paddings or PADDINGS
    paddings = [padding for padding in PADDINGS if padding in paddings]
    check_padding(getattr(net.encoder, "padding", paddings[0]), paddings)
    if net.upsampling not in layers.UPSAMPLINGS:
        raise ValueError(
            f"upsampling={net.upsampling!r} is not known; choose one of "
            f"{', '.join(layers.UPSAMPLINGS)}."
        )
    if len(net.skip_scales) < len(net.skips):
        raise ValueError(
            f"skip_scales={tuple(net.skip_scales)} has {len(net.skip_scales)} "
            f"factors; {type(net).__name__} takes one for each of "
            f"{', '.join(net.skips)}."
        )


def _upsample(
    net: FCN, scores: Array, step: "UpsamplingStep", head: str, size: Array | None
) -> Array:
    upscore = layers.Upscore(
        step.kernel_size,
        step.factor,
        net.learns(step),
        param_dtype=net.encoder.param_dtype,
        resizing=net.upsampling if net.upsampling in layers.RESIZINGS else "",
        name=layer_name(step.name, head),
    )
    return upscore(scores, size)


class FCN32s(FCN):
    """FCN-32s: the scores of fc7, upsampled by 32 at once."""


class FCN16s(FCN):
    """FCN-16s: the scores of fc7 and of pool4."""

    skip_strides: ClassVar[tuple[int, ...]] = (16,)

    skips: tuple[str, ...] = ("pool4",)


class FCN8s(FCN):
    """FCN-8s: the scores of fc7, of pool4 and of pool3; trained in stages."""

    skip_strides: ClassVar[tuple[int, ...]] = (16, 8)

    skips: tuple[str, ...] = ("pool4", "pool3")


class FCN8sAtOnce(FCN8s):
    """FCN-8s trained in one stage, its skips scaled down so that scores stay level."""

    skip_scales: tuple[float, ...] = (1e-2, 1e-4)


class FCNAlexNet(FCN32s):
    """FCN-AlexNet: the scores of CaffeNet's fc7, upsampled by 32 at once.

    References:
        fcn.berkeleyvision.org, voc-fcn-alexnet/train.prototxt.
    """

    default_encoder: ClassVar[str] = "alexnet"
    named_after: ClassVar[type[Encoder] | None] = AlexNet


class FCNGoogLeNet(FCN32s):
    """FCN-GoogLeNet: the scores of the last block, upsampled by 32 at once.

    The authors' own was never released: the padding of 100 pixels and the kernel of 63
    are those of FCN-AlexNet.

    References:
        Long et al. 2015, arXiv:1411.4038, sec. 4.1 and table 1.
    """

    default_encoder: ClassVar[str] = "googlenet"
    named_after: ClassVar[type[Encoder] | None] = GoogLeNet


class UpsamplingStep(NamedTuple):
    """One upsampling of scores, and where the result lies on what it meets."""

    name: str  # Of the layer: "upscore2", "upscore_pool4", "upscore8".
    kernel_size: int
    factor: int
    skip: str  # Encoder layer whose scores are added then; "": none, it is the last.
    # Row and column at which the crop of the skip's scores to the size of the upsampled
    # ones starts, or, if not positive, minus that at which the crop of those starts; of
    # the last, the row and column of the image's first pixel.
    offset: int

    def frame(self, near: int, size: Sequence[int]) -> Frame:
        """Where an image lies among the upsampled scores.

        Args:
            near: Cells that were put before the first.
            size: Height and width of the image.
        """
        height, width = size
        offset = self.offset + near * self.factor
        return Frame(self.factor, self.kernel_size, offset, (height, width))


def upsampling_steps(
    encoder: Encoder, skips: Sequence[str]
) -> tuple[UpsamplingStep, ...]:
    """How the scores of an encoder's top come to the image.

    Kernels are twice as large as their factor, or a pixel less where only that lays
    cells over each other (63 for stride 32, as in FCN-AlexNet).

    Args:
        encoder: Whose layers are scored.
        skips: Its layers that are scored too, coarsest first.

    Returns:
        One for each skip, and one for the image.

    Raises:
        ValueError: If a skip is no layer of the encoder, or maps lie such that no
            kernel aligns them.

    References:
        Caffe, python/caffe/coord_map.py.
    """
    coordinates = encoder.coordinate_maps()
    for skip in skips:
        if skip not in coordinates:
            raise ValueError(
                f"skip {skip!r} is no layer of {type(encoder).__name__}; "
                f"{messages.suggestion(skip, coordinates)} Its layers are "
                f"{', '.join(coordinates)}."
            )
    path, found = coordinates[encoder.top], []
    for i, skip in enumerate(skips):
        factor = int(coordinates[skip].scale / path.scale)
        name = f"upscore_{skips[i - 1]}" if i else f"upscore{factor}"
        kernel_size, upsampled = _aligned(path, factor, coordinates[skip])
        offset = cropping.crop_offset(upsampled, coordinates[skip])
        found.append(UpsamplingStep(name, kernel_size, factor, skip, offset))
        path = upsampled if offset > 0 else coordinates[skip]
    image = cropping.CoordinateMap(Fraction(1), Fraction(0))
    factor = int(1 / Fraction(path.scale))
    kernel_size, upsampled = _aligned(path, factor, image)
    name = f"upscore{factor}" if skips and factor > 1 else "upscore"
    offset = cropping.crop_offset(image, upsampled)
    return (*found, UpsamplingStep(name, kernel_size, factor, "", offset))


def cells_before(last: UpsamplingStep) -> int:
    """Cells by which scores must be continued to reach the image's first pixel.

    The first cell of a map without strides lies at the middle of what it sees, and no
    other before it.

    Args:
        last: The upsampling to the image.
    """
    return max(0, -(last.offset // last.factor))


def _aligned(
    path: cropping.CoordinateMap, factor: int, reference: cropping.CoordinateMap
):
    """The kernel size that lays upsampled cells on those of a reference."""
    for kernel_size in (2 * factor, 2 * factor - 1):
        upsampled = path.then(cropping.upsample_map(kernel_size, factor))
        if (upsampled.shift - reference.shift) % 1 == 0:
            return kernel_size, upsampled
    return 2 * factor, path.then(cropping.upsample_map(2 * factor, factor))


def crop_offsets(encoder: Encoder, skips: Sequence[str]) -> dict[str, int]:
    """The offsets of `upsampling_steps`, as the Caffe nets have them.

    Args:
        encoder: Whose layers are scored.
        skips: Its layers that are scored too, coarsest first.

    Returns:
        That of score_<skip> for every skip, and that of the last upsampling, by name.
    """
    return {
        f"score_{step.skip}" if step.skip else step.name: step.offset
        for step in upsampling_steps(encoder, skips)
    }
