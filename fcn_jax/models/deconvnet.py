"""DeconvNet: VGG-16 mirrored, its poolings undone by their own switches.

References:
    Noh, Hong and Han 2015, arXiv:1505.04366, fig. 2 and sec. 3;
    HyeonwooNoh/DeconvNet, training/002_stage_2/stage_2_train.prototxt.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import flax.linen as nn
import jax
import numpy as np
from jax.core import Tracer

from fcn_jax.models import initializers, inputs, layers
from fcn_jax.models.encoders import Features, vgg
from fcn_jax.models.network import Network, layer_name
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
_DEVIATION = 0.01  # Of the last layer's weights at the start, as in the release.
# Standard deviations by which BatchNorm lifts the maps of a decoder that starts as an
# upsampling, so that ReLU cuts off a sixth of a normal one and not a half, 14 times.
_UPSAMPLING_SHIFT = 1.0


class DeconvNet(Network):
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

    encoder_fixed: ClassVar[Mapping[str, object]] = {
        "batch_norm": True,
        "batch_norm_fc": True,
        "return_switches": True,
        "full_padding": False,
        "output_stride": 0,
    }
    encoder_defaults: ClassVar[Mapping[str, object]] = {
        "padding": "valid",
        "dropout_rate": 0.0,  # The published net has none.
        "bn_epsilon": 1e-9,
        "bn_shift": 1e-3,
    }

    # "normal", as the release, or (ours) "upsampling": deconvolutions spread what was
    # unpooled and hand it on, most of it past the ReLU, from the first step on.
    decoder_start: str = "normal"

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        train: bool = False,
        example_ids: Array | None = None,
        switches: Mapping[str, Array] | None = None,
    ) -> Array | dict[str, Array]:
        """Score every pixel.

        Args:
            images: Preprocessed images, [N, H, W, channels] floating point; with
                padding="valid" H, W >= 193. The published weights want BGR minus the
                mean, [-123, 151] (`fcn_jax.preprocess`).
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
            Logits, [N, H, W, num_classes] float32 (float64 if computed in float64); by
            head where `num_classes` is.

        Raises:
            TypeError: If images are not floating point or sizes not integer.
            ValueError: If images are not [N, H, W, channels], are smaller than
                `smallest_image`, or sizes do not fit them.
        """
        inputs.check_images(images, self.channels)
        _check_not_too_small(self, images.shape[1:3], "images have")
        sizes = inputs.check_sizes(sizes, images)
        if sizes is not None and not isinstance(sizes, Tracer):
            least = np.asarray(sizes).min(axis=0).tolist()
            _check_not_too_small(self, least, "sizes go down to")
        features = self.encoder(images, sizes, train=train, example_ids=example_ids)
        found = features.switches if switches is None else switches
        # What each unpooling restores: the shapes and extents before the pooling.
        shapes = {1: _height_and_width(images)}
        extents_before = {1: sizes}
        for stage in range(2, len(vgg.STAGES) + 1):
            shapes[stage] = _height_and_width(features.maps[f"pool{stage - 1}"])
            extents_before[stage] = features.sizes[f"pool{stage - 1}"]
        x = _inflate(self, features, train=train)
        for stage, channels in STAGES.items():
            switch = found[f"pool{stage}"]
            self.sow("intermediates", f"pool{stage}_mask", switch)
            x = pooling.max_unpool(x, switch, output_size=shapes[stage])
            self.sow("intermediates", f"unpool{stage}", x)
            for i, count in enumerate(channels, start=1):
                tag = f"{stage}_{i}"
                x = _deconvolve(
                    self,
                    x,
                    extents_before[stage],
                    features=layers.scaled(count, self.encoder.width),
                    kernel_size=3,
                    pad=1,
                    names=(f"deconv{tag}", f"debn{tag}", f"derelu{tag}"),
                    reach=int(i == 1),  # The first after an unpooling.
                    train=train,
                )
        return self.by_head(
            {
                head: layers.Score(
                    count,
                    param_dtype=self.encoder.param_dtype,
                    kernel_init=nn.initializers.normal(_DEVIATION),
                    name=layer_name("seg-score", head),
                )(x)
                for head, count in self.heads.items()
            }
        )

    def check_options(self) -> None:
        """Refuse options, and encoders, that no DeconvNet has.

        Raises:
            ValueError: Naming the option and its values.
            TypeError: If the encoder is not VGG-16, which the decoder mirrors.
        """
        if not isinstance(self.encoder, vgg.VGG16):
            raise TypeError(
                f"DeconvNet: the encoder is {type(self.encoder).__name__}; its decoder "
                f"mirrors VGG-16, stage by stage: pass a VGG16."
            )
        if self.encoder.padding not in PADDINGS:
            raise ValueError(
                f"DeconvNet: padding={self.encoder.padding!r} is not known; choose one "
                f"of {', '.join(PADDINGS)}."
            )
        vgg.check_strides(self.encoder, "DeconvNet")
        if self.decoder_start not in DECODER_STARTS:
            raise ValueError(
                f"DeconvNet: decoder_start={self.decoder_start!r} is not known; choose "
                f"one of {', '.join(DECODER_STARTS)}."
            )


def _height_and_width(x: Array) -> tuple[int, int]:
    return x.shape[1], x.shape[2]


def _inflate(net: DeconvNet, features: Features, *, train: bool):
    """fc6-deconv: from the cells of fc7 back to those of pool5."""
    kernel_size = vgg.FC6_KERNEL
    valid = net.encoder.padding == "valid"
    return _deconvolve(
        net,
        features.maps["fc7"],
        features.sizes["pool5"],
        features=layers.scaled(vgg.STAGES[-1][-1], net.encoder.width),
        kernel_size=kernel_size,
        pad=0 if valid else kernel_size // 2,
        names=("fc6-deconv", "fc6-deconv-bn", "fc6-deconv-relu"),
        reach=kernel_size // 2 if valid else 0,
        train=train,
    )


def _deconvolve(
    net: DeconvNet,
    x: Array,
    size: Array | None,
    *,
    features: int,
    kernel_size: int,
    pad: int,
    names: tuple[str, str, str],
    reach: int,
    train: bool,
):
    """Deconvolution, BatchNorm, ReLU of a net; zero outside the true extents `size`.

    `reach`: how far values spread at the start, if it is that of an upsampling.
    """
    deconv, batch_norm, relu = names
    encoder = net.encoder
    frozen = layers.is_frozen(encoder.freeze_batch_norm, batch_norm)
    upsampling = net.decoder_start == "upsampling"
    start = initializers.upsampling(reach) if upsampling else layers.Deconv.kernel_init
    x = layers.Deconv(
        features,
        kernel_size,
        pad,
        param_dtype=encoder.param_dtype,
        kernel_init=start,
        name=deconv,
    )(x, train_bias=not train or frozen)
    x = layers.BatchNorm(
        momentum=encoder.bn_momentum,
        epsilon=encoder.bn_epsilon,
        frozen=frozen,
        axis_name=encoder.axis_name,
        param_dtype=encoder.param_dtype,
        shift=_UPSAMPLING_SHIFT if upsampling else encoder.bn_shift,
        name=batch_norm,
    )(x, size, train=train)
    x = extents.mask(nn.relu(x), size)
    net.sow("intermediates", relu, x)
    return x


def _check_not_too_small(net: DeconvNet, size: Sequence[int], what: str):
    if any(side < net.smallest_image for side in size):
        window, least = vgg.FC6_KERNEL, vgg.SMALLEST_VALID
        raise ValueError(
            f"DeconvNet: {what} {size[0]}x{size[1]} pixels, but with padding='valid' "
            f"pool5 of an image below {least}x{least} is smaller than the "
            f"{window}x{window} window of fc6; resize to 224x224 as published, or use "
            f"padding='same'."
        )
