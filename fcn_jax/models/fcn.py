"""FCN-32s, FCN-16s, FCN-8s and FCN-8s trained at once, on VGG-16.

References:
    Long, Shelhamer and Darrell 2015, arXiv:1411.4038, fig. 3 and sec. 4.2;
    Shelhamer, Long and Darrell 2017, IEEE PAMI 39(4);
    fcn.berkeleyvision.org, voc-fcn*/train.prototxt.
"""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.models import inputs, layers
from fcn_jax.models.encoders import vgg
from fcn_jax.ops import cropping, extents

Array = jax.Array

STRIDE = 32  # Image pixels per cell of score_fr.
PADDINGS = ("caffe", "same")  # Of vgg.PADDINGS.


class FCN(nn.Module):
    """Class scores of every pixel: VGG-16, scores at one to three strides, upsampling.

    The scores of fc7 (stride 32) are upsampled by 2 and summed with those of each skip
    in turn; the last sum is upsampled to the image. Offsets between maps follow from
    the layer list. With padding="caffe" the larger map of a sum is the skip, cropped to
    the upsampled scores as Caffe does; with "same" it is the other way round.

    Score layers start at zero, so a fresh net gives every class the score 0 (loss
    log num_classes, class 0 everywhere).

    References:
        Long et al. 2015, arXiv:1411.4038.
    """

    skips: ClassVar[tuple[str, ...]] = ()  # Encoder layers, coarsest first.
    smallest_image: ClassVar[int] = 1  # The least height and width, pixels.

    num_classes: int = 21
    padding: str = "caffe"  # Or "same": no 100 pixels around the image, fc6 padded.
    batch_norm: bool = False  # After every 3x3 convolution of the encoder.
    batch_norm_fc: bool = False  # After fc6 and fc7, as in DeconvNet's encoder.
    width: float = 1.0  # Factor on the channels of the encoder.
    fc_features: int = vgg.FC_FEATURES  # Channels of fc6 and fc7 before that factor.
    # "fixed": bilinear, without parameters, as the nets released with the PAMI paper;
    # "learned": every upsampling learned from a bilinear start; "learned_2x": all but
    # the last, as the nets of the CVPR paper.
    upsampling: str = "fixed"
    skip_scales: tuple[float, float] = (1.0, 1.0)  # Factors on pool4 and on pool3.
    dropout_rate: float = 0.5  # After fc6 and fc7.
    full_margin: bool = False  # Of the encoder, for its maps before pool3.
    dtype: jnp.dtype | None = None  # Of the encoder; scores are at least float32.
    param_dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None  # Mapped axis over which BatchNorm sums.
    bn_momentum: float = 0.9
    bn_epsilon: float = 1e-5
    freeze_batch_norm: bool = False  # Running averages in training too, never updated.

    def setup(self):
        """Build the encoder; its layers stand beside those of the head."""
        self._check_options()
        self.encoder = vgg.VGG16(
            padding=self.padding,
            batch_norm=self.batch_norm,
            batch_norm_fc=self.batch_norm_fc,
            width=self.width,
            fc_features=self.fc_features,
            dropout_rate=self.dropout_rate,
            full_margin=self.full_margin,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            axis_name=self.axis_name,
            bn_momentum=self.bn_momentum,
            bn_epsilon=self.bn_epsilon,
            freeze_batch_norm=self.freeze_batch_norm,
        )
        nn.share_scope(self, self.encoder)

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        train: bool = False,
        example_ids: Array | None = None,
    ) -> Array:
        """Score every pixel.

        Args:
            images: Preprocessed images, [N, H, W, 3] floating point, H, W >= 1. The
                weights of the Caffe nets want BGR minus the mean, [-123, 151]
                (`fcn_jax.preprocess`).
            sizes: True (height, width) of every example, [N, 2] integer, where images
                were padded at the bottom and right to one shape; None where they fill
                it. Logits inside are those of each image alone, whatever the padding
                holds; outside they mean nothing. Under `jax.jit` sizes beyond (H, W)
                cannot be noticed and give wrong logits.
            train: Whether dropout drops and BatchNorm uses the statistics of the batch.
            example_ids: Numbers that choose the dropout of every example, [N] integer;
                None: 0 .. N-1.

        Returns:
            Logits, [N, H, W, num_classes] float32 (float64 if computed in float64).

        Raises:
            TypeError: If images are not floating point or sizes not integer.
            ValueError: If images are not [N, H, W, 3] with H, W >= 1, or sizes do not
                fit them.
        """
        inputs.check_images(images)
        sizes = inputs.check_sizes(sizes, images)
        features = self.encoder(images, sizes, train=train, example_ids=example_ids)
        offsets = crop_offsets(self.skips, self.padding)
        scores = self._score(features, "fc7", "score_fr")
        size = features.sizes["fc7"]
        scores = extents.mask(scores, size)  # Its bias reaches beyond the true extent.
        factor, name = STRIDE, "upscore2"
        for skip, scale in zip(self.skips, self.skip_scales, strict=False):
            upscored = self._upsample(scores, 2, name)
            skipped = self._score(features, skip, f"score_{skip}", scale)
            offset = offsets[f"score_{skip}"]
            if offset >= 0:
                size = extents.after_upsampling(size, *_kernel(2))
                skipped = cropping.crop(skipped, offset, upscored.shape[1:3])
            else:
                size = features.sizes[skip]
                upscored = cropping.crop(upscored, -offset, skipped.shape[1:3])
            scores = extents.mask(upscored + skipped, size)
            factor, name = factor // 2, f"upscore_{skip}"
        name = _last_upscore(self.skips)
        upscored = self._upsample(scores, factor, name)
        return cropping.crop(upscored, offsets[name], images.shape[1:3])

    def _score(self, features, layer, name, scale=1.0):
        score = layers.Score(self.num_classes, param_dtype=self.param_dtype, name=name)
        return score(features.maps[layer], scale)

    def _upsample(self, scores, factor, name):
        learned = self.upsampling == "learned" or (
            self.upsampling == "learned_2x" and factor == 2
        )
        upscore = layers.Upscore(
            *_kernel(factor), learned, param_dtype=self.param_dtype, name=name
        )
        return upscore(scores)

    def _check_options(self):
        if self.padding not in PADDINGS:
            raise ValueError(
                f"padding={self.padding!r} is not known; choose one of "
                f"{', '.join(PADDINGS)}."
            )
        if self.upsampling not in layers.UPSAMPLINGS:
            raise ValueError(
                f"upsampling={self.upsampling!r} is not known; choose one of "
                f"{', '.join(layers.UPSAMPLINGS)}."
            )
        inputs.check_num_classes(self.num_classes)
        if len(self.skip_scales) < len(self.skips):
            raise ValueError(
                f"skip_scales={tuple(self.skip_scales)} has {len(self.skip_scales)} "
                f"factors; {type(self).__name__} takes one for each of "
                f"{', '.join(self.skips)}."
            )


class FCN32s(FCN):
    """FCN-32s: the scores of fc7, upsampled by 32 at once."""


class FCN16s(FCN):
    """FCN-16s: the scores of fc7 and of pool4."""

    skips = ("pool4",)


class FCN8s(FCN):
    """FCN-8s: the scores of fc7, of pool4 and of pool3; trained in stages."""

    skips = ("pool4", "pool3")


class FCN8sAtOnce(FCN8s):
    """FCN-8s trained in one stage, its skips scaled down so that scores stay level."""

    skip_scales: tuple[float, float] = (1e-2, 1e-4)


def crop_offsets(skips: tuple[str, ...], padding: str) -> dict[str, int]:
    """Where maps are cropped so that their cells lie over each other.

    Args:
        skips: Encoder layers that are scored, coarsest first.
        padding: "caffe" or "same".

    Returns:
        For score_<skip> the row and column at which its crop to the size of the
        upsampled scores starts, or, if negative, minus that at which the crop of those
        to the size of the skip starts; for the last upsampling the row and column of
        the image's first pixel.

    References:
        Caffe, python/caffe/coord_map.py.
    """
    coordinates = vgg.coordinate_maps(padding)
    path, factor, offsets = coordinates["fc7"], STRIDE, {}
    for skip in skips:
        path = path.then(cropping.upsample_map(*_kernel(2)))
        offset = cropping.crop_offset(path, coordinates[skip])
        offsets[f"score_{skip}"] = offset
        path = path if offset >= 0 else coordinates[skip]
        factor //= 2
    path = path.then(cropping.upsample_map(*_kernel(factor)))
    image = cropping.CoordinateMap(1, 0)
    return offsets | {_last_upscore(skips): cropping.crop_offset(image, path)}


def _kernel(factor):
    """Kernel size and stride of an upsampling."""
    return 2 * factor, factor


def _last_upscore(skips):
    return f"upscore{STRIDE >> len(skips)}" if skips else "upscore"
