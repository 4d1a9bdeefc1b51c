"""What FCN-8s and DeconvNet must at least do: FLOPs, bytes, and the time of both.

Counted from the layer lists of fcn_jax, a layer at a time: a convolution reads its
input and its kernel and writes its output, once; bias, BatchNorm and ReLU are taken to
cost nothing beside it. The floor of a layer is the larger of its FLOPs at the rate of a
matrix product and its bytes at the speed of a copy. A training step has the products
three times (output, gradient of the input, gradient of the kernel), but no gradient of
the image.
"""

import dataclasses
from collections.abc import Sequence

from fcn_jax.models import deconvnet
from fcn_jax.models.encoders import vgg
from fcn_jax.models.layers import scaled

VALUE = 4  # Bytes of float32.


@dataclasses.dataclass(frozen=True)
class Layer:
    """What one layer does to a batch, forward.

    Attributes:
        stage: Where it belongs, such as "conv3" (which includes pool3) or "fc6".
        name: Of the layer.
        flops: Multiplications and additions.
        bytes: Read and written.
        params: Weights and biases.
        first: Whether its input is the image, whose gradient nobody wants.
    """

    stage: str
    name: str
    flops: int
    bytes: int
    params: int = 0
    first: bool = False

    @property
    def training_flops(self) -> int:
        """Of forward and backward."""
        return self.flops * (2 if self.first else 3)

    @property
    def training_bytes(self) -> int:
        """Of forward and backward."""
        return self.bytes * (2 if self.first else 3)

    def seconds(self, flop_rate: float, bandwidth: float, training: bool) -> float:
        """The floor at so many FLOP and bytes a second."""
        flops, size = self.flops, self.bytes
        if training:
            flops, size = self.training_flops, self.training_bytes
        return max(flops / flop_rate, size / bandwidth)


def fcn8s(
    height: int,
    width: int,
    batch: int = 1,
    *,
    padding: str = "caffe",
    scale: float = 1.0,
    fc_features: int = vgg.FC_FEATURES,
    num_classes: int = 21,
    value: int = VALUE,
) -> list[Layer]:
    """The layers of FCN-8s on images of height x width.

    Args:
        height: Of the images, pixels.
        width: Of the images, pixels.
        batch: Images.
        padding: "caffe" or "same".
        scale: Factor on all channels.
        fc_features: Channels of fc6 and fc7 before that factor.
        num_classes: Channels of the scores.
        value: Bytes of a number.
    """
    found, sizes = _encoder(
        (height, width), batch, padding, scale, fc_features, value, switches=False
    )
    skips = {"fc7": fc_features, "pool4": vgg.STAGES[3][-1], "pool3": vgg.STAGES[2][-1]}
    for layer, channels in skips.items():
        name = f"score_{'fr' if layer == 'fc7' else layer}"
        found.append(
            _convolution(
                "head",
                name,
                sizes[layer],
                sizes[layer],
                (1, scaled(channels, scale), num_classes),
                batch,
                value,
            )
        )
    # Bilinear filters, separable: 2 taps for every value along each of two axes.
    size = sizes["fc7"]
    for name, factor in (("upscore2", 2), ("upscore_pool4", 2), ("upscore8", 8)):
        size = tuple((side + 1) * factor for side in size)
        values = batch * num_classes * size[0] * size[1]
        read = values // factor**2
        found.append(Layer("head", name, 8 * values, value * (read + values)))
    return found


def deconv_net(
    side: int = 224,
    batch: int = 1,
    *,
    scale: float = 1.0,
    fc_features: int = vgg.FC_FEATURES,
    num_classes: int = 21,
    value: int = VALUE,
) -> list[Layer]:
    """The layers of DeconvNet on images of side x side, its BatchNorm left out."""
    found, sizes = _encoder(
        (side, side), batch, "valid", scale, fc_features, value, switches=True
    )
    channels = scaled(vgg.STAGES[-1][-1], scale)
    shape = (7, scaled(fc_features, scale), channels)
    found.append(
        # Every input cell spreads over 49 output cells: the products are counted there.
        _convolution(
            "fc6-deconv",
            "fc6-deconv",
            sizes["pool5"],
            sizes["fc7"],
            shape,
            batch,
            value,
            at=sizes["fc7"],
        )
    )
    before = {1: (side, side)} | {s: sizes[f"pool{s - 1}"] for s in range(2, 6)}
    for stage, widths in deconvnet.STAGES.items():
        height, width = before[stage]
        values = batch * height * width * channels
        found.append(
            Layer(f"deconv{stage}", f"unpool{stage}", 0, _pool_bytes(values, value, 1))
        )
        for i, features in enumerate(widths, start=1):
            shape = (3, channels, scaled(features, scale))
            found.append(
                _convolution(
                    f"deconv{stage}",
                    f"deconv{stage}_{i}",
                    before[stage],
                    before[stage],
                    shape,
                    batch,
                    value,
                )
            )
            channels = shape[2]
    shape = (1, channels, num_classes)
    found.append(
        _convolution("seg-score", "seg-score", *2 * (before[1],), shape, batch, value)
    )
    return found


def totals(layers: Sequence[Layer]) -> dict[str, dict[str, int]]:
    """By stage: `flops`, `bytes`, `training_flops`, `training_bytes`, `params`."""
    kinds = ("flops", "bytes", "training_flops", "training_bytes", "params")
    found = {}
    for layer in layers:
        stage = found.setdefault(layer.stage, dict.fromkeys(kinds, 0))
        for kind in kinds:
            stage[kind] += getattr(layer, kind)
    return found


def floor_seconds(
    layers: Sequence[Layer], flop_rate: float, bandwidth: float, training: bool
) -> dict[str, float]:
    """By stage, the sum of the floors of its layers."""
    found = {}
    for layer in layers:
        seconds = layer.seconds(flop_rate, bandwidth, training)
        found[layer.stage] = found.get(layer.stage, 0.0) + seconds
    return found


def _encoder(size, batch, padding, scale, fc_features, value, switches):
    """conv1_1 to fc7, and the (height, width) of the map of every layer."""
    found, sizes, channels, stage = [], {}, 3, 1
    for layer in vgg.layer_list(padding, scale, fc_features):
        if layer.kind == "pool":
            values = batch * size[0] * size[1] * channels
            size = tuple(-(-side // 2) for side in size)
            found.append(
                Layer(
                    f"conv{stage}", layer.name, 0, _pool_bytes(values, value, switches)
                )
            )
            stage += 1
        else:
            out = tuple(s + 2 * layer.pad - layer.kernel_size + 1 for s in size)
            part = layer.name if layer.name.startswith("fc") else f"conv{stage}"
            shape = (layer.kernel_size, channels, layer.features)
            found.append(_convolution(part, layer.name, out, size, shape, batch, value))
            size, channels = out, layer.features
        sizes[layer.name] = size
    found[0] = dataclasses.replace(found[0], first=True)
    return found, sizes


def _convolution(stage, name, out, into, shape, batch, value, at=None):
    """A convolution with a kernel [k, k, I, O], its products at every cell of `at`."""
    kernel, channels, features = shape
    rows, columns = at or out
    weights = kernel * kernel * channels * features
    maps = into[0] * into[1] * channels + out[0] * out[1] * features
    return Layer(
        stage,
        name,
        2 * batch * rows * columns * weights,
        value * (batch * maps + weights),
        weights + features,
    )


def _pool_bytes(values, value, switches):
    """Of a pooling or unpooling by 2: the large map, the small one, its switches."""
    return values * value + (values // 4) * (value + bool(switches))
