"""DeconvNet: VGG-16 mirrored, its poolings undone by their own switches.

References:
    Noh, Hong and Han 2015, arXiv:1505.04366, fig. 2 and sec. 3;
    HyeonwooNoh/DeconvNet, training/002_stage_2/stage_2_train.prototxt.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.models import initializers, inputs, layers
from fcn_jax.models.encoders import vgg
from fcn_jax.ops import extents, pooling

Array = jax.Array

# Channels of the deconvolutions of stages 5 (coarsest) to 1; an unpooling precedes
# every stage. The last layer of a stage has the channels of the pooling before it.
STAGES = {
    5: (512, 512, 512),
    4: (512, 512, 256),
    3: (256, 256, 128),
    2: (128, 64),
    1: (64, 64),
}
PADDINGS = ("valid", "same")
DECODER_STARTS = ("normal", "upsampling")
_FC6_KERNEL = 7
_STRIDE = 32  # Image pixels per cell of pool5.
# Standard deviations by which BatchNorm lifts the maps of a decoder that starts as an
# upsampling, so that ReLU cuts off a sixth of a normal one and not a half, 14 times.
_UPSAMPLING_SHIFT = 1.0
# Side of the smallest image whose pool5 holds a window of fc6.
SMALLEST_VALID = (_FC6_KERNEL - 1) * _STRIDE + 1


class DeconvNet(nn.Module):
    """Class scores of every pixel: VGG-16, then deconvolutions and unpoolings.

    BatchNorm follows every convolution and deconvolution but the last. Each unpooling
    puts values back to where the pooling of the same stage had found its maxima, so
    that the decoder draws on the shapes that the encoder saw.

    With padding="valid" an image of 224x224 becomes one cell at fc6, as published;
    larger ones become several. "same" pads fc6 and cuts fc6-deconv, for whole images
    of any size.

    The intermediates, for those who ask for them (`mutable=["intermediates"]`):
    `pool<s>_mask` (switches), `unpool<s>` and `derelu<s>_<i>` (maps).

    References:
        Noh et al. 2015, arXiv:1505.04366.
    """

    num_classes: int = 21
    padding: str = "valid"  # Or "same".
    width: float = 1.0  # Factor on all channels.
    fc_features: int = vgg.FC_FEATURES  # Channels of fc6 and fc7 before that factor.
    dropout_rate: float = 0.0  # After fc6 and fc7; the published net has none.
    dtype: jnp.dtype | None = None  # Of the layers; scores are at least float32.
    param_dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None  # Mapped axis over which BatchNorm sums.
    bn_momentum: float = 0.9
    bn_epsilon: float = 1e-9
    bn_shift: float = 1e-3  # At which the biases of BatchNorm start.
    freeze_batch_norm: bool = False  # Running averages in training too, never updated.
    # "normal", as the release, or (ours) "upsampling": deconvolutions spread what was
    # unpooled and hand it on, most of it past the ReLU, from the first step on.
    decoder_start: str = "normal"

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return SMALLEST_VALID if self.padding == "valid" else 1

    def setup(self):
        """Build the encoder; its layers stand beside those of the decoder."""
        self._check_options()
        self.encoder = vgg.VGG16(
            padding=self.padding,
            batch_norm=True,
            batch_norm_fc=True,
            width=self.width,
            fc_features=self.fc_features,
            dropout_rate=self.dropout_rate,
            return_switches=True,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            axis_name=self.axis_name,
            bn_momentum=self.bn_momentum,
            bn_epsilon=self.bn_epsilon,
            bn_shift=self.bn_shift,
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
        switches: Mapping[str, Array] | None = None,
    ) -> Array:
        """Score every pixel.

        Args:
            images: Preprocessed images, [N, H, W, 3] floating point; H, W >= 193 with
                padding="valid". The published weights want BGR minus the mean,
                [-123, 151] (`fcn_jax.preprocess`).
            sizes: True (height, width) of every example, [N, 2] integer, where images
                were padded at the bottom and right to one shape; None where they fill
                it. Logits inside are those of each image alone, whatever the padding
                holds; outside they mean nothing. Under `jax.jit` wrong sizes cannot be
                noticed and give wrong logits.
            train: Whether dropout drops and BatchNorm uses the statistics of the batch.
            example_ids: Numbers that choose the dropout of every example, [N] integer;
                None: 0 .. N-1.
            switches: Of pool1 ... pool5, by name, uint8, to unpool by instead of those
                that the encoder finds (to compare implementations, whose rounding may
                part near-ties differently).

        Returns:
            Logits, [N, H, W, num_classes] float32 (float64 if computed in float64).

        Raises:
            TypeError: If images are not floating point or sizes not integer.
            ValueError: If images are not [N, H, W, 3], are smaller than
                `smallest_image`, or sizes do not fit them.
        """
        inputs.check_images(images)
        self._check_not_too_small(images.shape[1:3], "images have")
        sizes = inputs.check_sizes(sizes, images)
        if sizes is not None and not isinstance(sizes, jax.core.Tracer):
            self._check_not_too_small(sizes.min(axis=0).tolist(), "sizes go down to")
        features = self.encoder(images, sizes, train=train, example_ids=example_ids)
        found = features.switches if switches is None else switches
        # What each unpooling restores: the shapes and extents before the pooling.
        shapes = {1: images.shape[1:3]}
        extents_before = {1: sizes}
        for stage in range(2, len(vgg.STAGES) + 1):
            shapes[stage] = features.maps[f"pool{stage - 1}"].shape[1:3]
            extents_before[stage] = features.sizes[f"pool{stage - 1}"]
        valid = self.padding == "valid"
        x = self._deconvolve(
            features.maps["fc7"],
            features.sizes["pool5"],
            layers.scaled(vgg.STAGES[-1][-1], self.width),
            _FC6_KERNEL,
            0 if valid else _FC6_KERNEL // 2,
            ("fc6-deconv", "fc6-deconv-bn", "fc6-deconv-relu"),
            _FC6_KERNEL // 2 if valid else 0,
            train,
        )
        for stage, channels in STAGES.items():
            switch = found[f"pool{stage}"]
            self.sow("intermediates", f"pool{stage}_mask", switch)
            x = pooling.max_unpool(x, switch, output_size=shapes[stage])
            self.sow("intermediates", f"unpool{stage}", x)
            for i, count in enumerate(channels, start=1):
                tag = f"{stage}_{i}"
                x = self._deconvolve(
                    x,
                    extents_before[stage],
                    layers.scaled(count, self.width),
                    3,
                    1,
                    (f"deconv{tag}", f"debn{tag}", f"derelu{tag}"),
                    1 if i == 1 else 0,  # The first after an unpooling.
                    train,
                )
        score = layers.Score(
            self.num_classes,
            param_dtype=self.param_dtype,
            kernel_init=nn.initializers.normal(0.01),
            name="seg-score",
        )
        return score(x)

    def _deconvolve(self, x, size, features, kernel_size, pad, names, reach, train):
        """Deconvolution, BatchNorm, ReLU; zero outside the true extents `size`.

        `reach`: how far values spread at the start, if it is that of an upsampling.
        """
        deconv, batch_norm, relu = names
        batch_statistics = train and not self.freeze_batch_norm
        upsampling = self.decoder_start == "upsampling"
        x = layers.Deconv(
            features,
            kernel_size,
            pad,
            param_dtype=self.param_dtype,
            kernel_init=(
                initializers.upsampling(reach)
                if upsampling
                else layers.Deconv.kernel_init
            ),
            name=deconv,
        )(x, train_bias=not batch_statistics)
        x = layers.BatchNorm(
            momentum=self.bn_momentum,
            epsilon=self.bn_epsilon,
            frozen=self.freeze_batch_norm,
            axis_name=self.axis_name,
            param_dtype=self.param_dtype,
            shift=_UPSAMPLING_SHIFT if upsampling else self.bn_shift,
            name=batch_norm,
        )(x, size, train=train)
        x = extents.mask(nn.relu(x), size)
        self.sow("intermediates", relu, x)
        return x

    def _check_not_too_small(self, size, what):
        if any(side < self.smallest_image for side in size):
            raise ValueError(
                f"DeconvNet: {what} {size[0]}x{size[1]} pixels, but with "
                f"padding='valid' pool5 of an image below {SMALLEST_VALID}x"
                f"{SMALLEST_VALID} is smaller than the {_FC6_KERNEL}x{_FC6_KERNEL} "
                f"window of fc6; resize to 224x224 as published, or use "
                f"padding='same'."
            )

    def _check_options(self):
        if self.padding not in PADDINGS:
            raise ValueError(
                f"DeconvNet: padding={self.padding!r} is not known; choose one of "
                f"{', '.join(PADDINGS)}."
            )
        if self.decoder_start not in DECODER_STARTS:
            raise ValueError(
                f"DeconvNet: decoder_start={self.decoder_start!r} is not known; choose "
                f"one of {', '.join(DECODER_STARTS)}."
            )
        inputs.check_num_classes(self.num_classes)
