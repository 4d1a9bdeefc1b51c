"""What an encoder is: a list of layers, and the module that runs it.

A new backbone lists its layers (`Encoder.layers`) and, where files of other projects
are to be read, what these call them (`Encoder.foreign_names`). Offsets between maps,
true extents and the networks on top of it follow from the list.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.models import layers
from fcn_jax.models.encoders.foreign import ReadsFiles
from fcn_jax.models.encoders.layer import Layer, coordinate_maps
from fcn_jax.ops import (
    activation,
    cropping,
    extents,
    normalization,
    pooling,
    window_pooling,
)

Array = jax.Array


class Features(NamedTuple):
    """What an encoder has found in a batch of images, by layer name."""

    maps: dict[str, Array]  # [N, h, w, F] of the compute dtype.
    sizes: dict[str, Array | None]  # True extents of the maps, [N, 2], or None.
    switches: dict[str, Array]  # Of the poolings if asked for, [N, h, w, F] uint8.


class Encoder(ReadsFiles, nn.Module):
    """A list of layers, run on images; the base class of all encoders.

    With `sizes` everything outside the true extent of an example is set to zero before
    the first and after every layer, which gives its features exactly the values that
    they have for the image alone. Pooling may ignore what padding holds because it
    follows a ReLU: values are at least zero, and every window in the true extent holds
    a true one.

    A subclass defines `layers`; `top` and `skips` name those that networks look at.
    """

    top: ClassVar[str] = "fc7"  # The coarsest map, which every network scores.
    # The map that FCN-16s and FCN-8s score too, by image pixels per cell of it.
    skips: ClassVar[Mapping[int, str]] = {}
    feature_kinds: ClassVar[tuple[str, ...]] = ("pool", "concat")  # Seen beside `top`.
    # Values of its field `padding`; (): it has no such field.
    paddings: ClassVar[tuple[str, ...]] = ()

    dropout_rate: float = 0.5
    channels: int = 3  # Of the images.
    return_switches: bool = False
    dtype: jnp.dtype | None = None  # Of the computation; None: that of the images.
    param_dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None  # Mapped axis over which BatchNorm sums.
    bn_momentum: float = 0.9
    bn_epsilon: float = 1e-5
    bn_shift: float = 0.0  # At which the biases of BatchNorm start.
    # Running averages in training too, never updated; or patterns of layers, "bn1_*".
    freeze_batch_norm: bool | tuple[str, ...] = False
    suffix: str = ""  # Of the names of its variables, where a net has several.

    def layers(self) -> tuple[Layer, ...]:
        """The layers from the image to `top`, every one after its inputs.

        Raises:
            TypeError: If the subclass does not define it.
        """
        raise TypeError(f"{type(self).__name__} defines no layers(): list them there.")

    @property
    def smallest_image(self) -> int:
        """The least height and width of an image, pixels."""
        return 1

    @property
    def stride(self) -> int:
        """Image pixels per cell of `top`."""
        return int(1 / Fraction(self.coordinate_maps()[self.top].scale))

    @property
    def is_rarefied(self) -> bool:
        """Whether strides of its layers were removed (`rarefaction.rarefied`)."""
        return any(layer.overhang is not None for layer in self.layers())

    def convolutions(self) -> list[str]:
        """The names of the convolutions, first to last."""
        return [layer.name for layer in self.layers() if layer.kind == "conv"]

    def coordinate_maps(self) -> dict[str, cropping.CoordinateMap]:
        """The map from image coordinates to those of a layer, by layer name."""
        return coordinate_maps(self.layers())

    @nn.compact
    def __call__(
        self,
        images: Array,
        sizes: Array | None = None,
        *,
        train: bool = False,
        example_ids: Array | None = None,
    ) -> Features:
        """Encode.

        Args:
            images: Preprocessed images, [N, H, W, channels] floating point.
            sizes: True (height, width) of every example, [N, 2] integer, or None.
            train: Whether dropout drops and BatchNorm uses the statistics of the batch.
            example_ids: Numbers that choose the dropout of every example, [N] integer.

        Returns:
            The maps of `feature_kinds` and of `top`, with their extents.
        """
        maps: dict[str, Array] = {}
        map_sizes: dict[str, Array | None] = {}
        switches: dict[str, Array] = {}
        x = images if self.dtype is None else images.astype(self.dtype)
        x = extents.mask(x, sizes)
        listed = self.layers()
        # What networks may look at, and what later layers do.
        kinds = self.feature_kinds
        names = [x.name for x in listed if x.kind in kinds or x.name == self.top]
        kept = {*names, *(name for layer in listed for name in layer.inputs)}
        for layer in listed:
            if layer.inputs:
                x = jnp.concatenate([maps[name] for name in layer.inputs], axis=-1)
                sizes = map_sizes[layer.inputs[0]]
            if layer.kind == "conv":
                x, sizes = self._convolve(layer, x, sizes, train)
            elif layer.kind in ("pool", "average"):
                x, sizes, switch = self._pool(layer, x, sizes)
                switches |= {} if switch is None else {layer.name: switch}
            elif layer.kind == "lrn":
                x = normalization.local_response_normalization(
                    x, layer.kernel_size, layer.alpha, layer.beta
                )
            elif layer.kind == "lrn_within":
                x = normalization.within_channel(
                    x, layer.kernel_size, layer.alpha, layer.beta
                )
            if layer.dropout:
                dropout = layers.Dropout(
                    self.dropout_rate, name=f"{layer.dropout}{self.suffix}"
                )
                x = dropout(x, example_ids, train=train)
            if layer.name in kept:
                maps[layer.name], map_sizes[layer.name] = x, sizes
        return _only(names, Features(maps, map_sizes, switches))

    def _convolve(self, layer: Layer, x: Array, sizes: Array | None, train: bool):
        """Convolution, BatchNorm and ReLU, zero outside the true extents."""
        sizes = layer.extents(sizes)
        norm = layer.batch_norm and f"{layer.batch_norm}{self.suffix}"
        frozen = layers.is_frozen(self.freeze_batch_norm, norm)
        batch_statistics = train and norm and not frozen
        # The mean that BatchNorm takes away takes the bias along: its gradient is
        # zero, or rounding noise at the price of a pass over all pixels.
        x = _conv(layer, self)(x, train_bias=not batch_statistics)
        if not norm:
            return extents.mask(activation.relu_of_sum(x), sizes), sizes
        x = _batch_norm(self, norm)(x, sizes, train=train)
        return extents.mask(nn.relu(x), sizes), sizes

    def _pool(
        self, layer: Layer, x: Array, sizes: Array | None
    ) -> tuple[Array, Array | None, Array | None]:
        """Maxima or means, their extents, and switches if these are asked for."""
        maxima, switches = _pooled(layer, x, self.return_switches)
        sizes = layer.extents(sizes)
        # Windows that overlap may reach from outside into the true extent.
        return (
            (maxima if layer.is_tiling else extents.mask(maxima, sizes)),
            sizes,
            switches,
        )


def _pooled(layer: Layer, x: Array, with_switches: bool) -> tuple[Array, Array | None]:
    if layer.kind == "average":
        return window_pooling.average_pool(x, layer.kernel_size), None
    if not layer.is_tiling:
        window = (layer.kernel_size, layer.stride, layer.pad)
        spread = (layer.dilation, layer.overhang)
        return window_pooling.max_pool_windows(x, *window, *spread), None
    if with_switches:
        return pooling.max_pool_with_switches(x, layer.kernel_size)
    return pooling.max_pool(x, layer.kernel_size), None


def _conv(layer: Layer, encoder: Encoder):
    return layers.Conv(
        layer.features,
        layer.kernel_size,
        layer.pad,
        stride=layer.stride,
        groups=layer.groups,
        dilation=layer.dilation,
        param_dtype=encoder.param_dtype,
        name=f"{layer.name}{encoder.suffix}",
    )


def _only(names: list[str], features: Features):
    maps = {name: features.maps[name] for name in names}
    sizes = {name: features.sizes[name] for name in names}
    chex.assert_rank(list(maps.values()), 4)
    return Features(maps, sizes, features.switches)


def _batch_norm(encoder: Encoder, name: str) -> layers.BatchNorm:
    return layers.BatchNorm(
        momentum=encoder.bn_momentum,
        epsilon=encoder.bn_epsilon,
        frozen=layers.is_frozen(encoder.freeze_batch_norm, name),
        axis_name=encoder.axis_name,
        param_dtype=encoder.param_dtype,
        shift=encoder.bn_shift,
        name=name,
    )
