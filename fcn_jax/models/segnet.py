"""SegNet: the convolutions of VGG-16, mirrored; poolings are undone by their switches.

References:
    Badrinarayanan, Kendall and Cipolla 2017, arXiv:1511.00561, sec. 3;
    alexgkendall/SegNet-Tutorial, Models/segnet_train.prototxt.
"""

from collections.abc import Mapping
from typing import ClassVar

import flax.linen as nn
import jax

from fcn_jax.models import inputs, layers
from fcn_jax.models.encoders import VGG16, VGG16Trunk, vgg
from fcn_jax.models.encoders.encoder import Encoder
from fcn_jax.models.network import Network, layer_name
from fcn_jax.ops import extents, pooling

Array = jax.Array

# Channels of the convolutions of stages 5 (coarsest) to 1, each named after that of the
# encoder which it mirrors, so last to first; an unpooling precedes every stage. What
# ends the first stage are the scores.
STAGES = {
    5: (512, 512, 512),
    4: (512, 512, 256),
    3: (256, 256, 128),
    2: (128, 64),
    1: (64,),
}
SCORE = "conv1_1_D"


def decoder_layers(stage: int) -> tuple[tuple[str, str, int], ...]:
    """The convolutions of a stage that BatchNorm and ReLU follow, in their order.

    Args:
        stage: A key of `STAGES`.

    Returns:
        For each its name, that of its BatchNorm, and its channels.
    """
    tags = range(len(vgg.STAGES[stage - 1]), 0, -1)
    return tuple(
        (f"conv{stage}_{i}_D", f"bn{stage}_{i}_D", features)
        for i, features in zip(tags, STAGES[stage], strict=False)
    )


class SegNet(Network):
    """Class scores of every pixel: 13 convolutions of VGG-16, and 13 that mirror them.

    BatchNorm follows every convolution but the last. Each unpooling puts values back to
    where the pooling of the same stage had found its maxima. Unlike DeconvNet it has no
    fully connected layers, and its decoder convolves; images may be of any size, which
    poolings round up (23x30 cells of 360x480 pixels at pool4, as published). The net
    for CamVid, of 11 classes, has 29,449,355 parameters, and no dropout.

    The intermediates, for those who ask for them (`mutable=["intermediates"]`):
    `pool<s>_mask` (switches) and `upsample<s>` (maps).

    References:
        Badrinarayanan et al. 2017, arXiv:1511.00561.
    """

    encoder_forms: ClassVar[Mapping[type[Encoder], type[Encoder]]] = {VGG16: VGG16Trunk}
    encoder_fixed: ClassVar[Mapping[str, object]] = {
        "padding": "same",
        "batch_norm": True,
        "batch_norm_fc": False,
        "return_switches": True,
        "full_padding": False,
        "output_stride": 0,
        "fc_features": vgg.FC_FEATURES,
        "fc6_dilation": 1,
        "dropout_rate": 0.0,
    }
    encoder_defaults: ClassVar[Mapping[str, object]] = {
        "bn_epsilon": 1e-9,
        "bn_shift": 1e-3,
    }

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
            images: Preprocessed images, [N, H, W, channels] floating point; H, W >= 1.
                The published weights were trained on BGR of [0, 255], without a mean
                taken away.
            sizes: True (height, width) of every example, [N, 2] integer, where images
                were padded at the bottom and right to one shape; None where they fill
                it. Logits inside are those of each image alone, whatever the padding
                holds; outside they mean nothing. Under `jax.jit` wrong sizes cannot be
                noticed and give wrong logits.
            train: Whether BatchNorm uses the statistics of the batch.
            example_ids: Of no use here, as there is no dropout.
            switches: Of pool1 ... pool5, by name, uint8, to unpool by instead of those
                that the encoder finds.

        Returns:
            Logits, [N, H, W, num_classes] float32 (float64 if computed in float64); by
            head where `num_classes` is.

        Raises:
            TypeError: If images are not floating point or sizes not integer.
            ValueError: If images are not [N, H, W, channels], or sizes do not fit
                them.
        """
        inputs.check_images(images, self.channels)
        sizes = inputs.check_sizes(sizes, images)
        features = self.encoder(images, sizes, train=train, example_ids=example_ids)
        found = features.switches if switches is None else switches
        # What each unpooling restores: the shapes and extents before the pooling.
        before = {1: (images.shape[1:3], sizes)}
        for stage in range(2, len(vgg.STAGES) + 1):
            pool = f"pool{stage - 1}"
            before[stage] = (features.maps[pool].shape[1:3], features.sizes[pool])
        x = features.maps[self.encoder.top]
        for stage in STAGES:
            switch = found[f"pool{stage}"]
            self.sow("intermediates", f"pool{stage}_mask", switch)
            (height, width), size = before[stage]
            x = pooling.max_unpool(x, switch, output_size=(height, width))
            self.sow("intermediates", f"upsample{stage}", x)
            for name, batch_norm, count in decoder_layers(stage):
                x = _convolve(self, x, size, name, batch_norm, count, train=train)
        return self.by_head(
            {
                head: _score(self, x, layer_name(SCORE, head), count)
                for head, count in self.heads.items()
            }
        )

    def check_options(self) -> None:
        """Refuse encoders that no SegNet has.

        Raises:
            TypeError: If the encoder is not the trunk of VGG-16, which the decoder
                mirrors.
            ValueError: If its poolings lack their strides.
        """
        if not isinstance(self.encoder, VGG16Trunk):
            raise TypeError(
                f"SegNet: the encoder is {type(self.encoder).__name__}; its decoder "
                f"mirrors the convolutions of VGG-16, stage by stage: pass a "
                f"VGG16Trunk, or leave the encoder to create."
            )
        vgg.check_strides(self.encoder, "SegNet")


def _convolve(
    net: SegNet,
    x: Array,
    size: Array | None,
    name: str,
    batch_norm: str,
    count: int,
    *,
    train: bool,
):
    """Convolution, BatchNorm, ReLU of a net; zero outside the true extents `size`."""
    encoder = net.encoder
    frozen = layers.is_frozen(encoder.freeze_batch_norm, batch_norm)
    x = layers.Conv(
        layers.scaled(count, encoder.width),
        kernel_size=3,
        pad=1,
        param_dtype=encoder.param_dtype,
        name=name,
    )(x, train_bias=not train or frozen)
    x = layers.BatchNorm(
        momentum=encoder.bn_momentum,
        epsilon=encoder.bn_epsilon,
        frozen=frozen,
        axis_name=encoder.axis_name,
        param_dtype=encoder.param_dtype,
        shift=encoder.bn_shift,
        name=batch_norm,
    )(x, size, train=train)
    return extents.mask(nn.relu(x), size)


def _score(net: SegNet, x: Array, name: str, count: int) -> Array:
    """The last convolution, whose maps are scores: at least float32, in full."""
    dtype = layers.at_least_float32(x.dtype)
    return layers.Conv(
        count,
        kernel_size=3,
        pad=1,
        param_dtype=net.encoder.param_dtype,
        precision=jax.lax.Precision.HIGHEST,
        name=name,
    )(x.astype(dtype))
