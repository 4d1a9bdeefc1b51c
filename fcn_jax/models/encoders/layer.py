"""A line of an encoder's layer list, and how the maps of a list lie over the image."""

import dataclasses
import functools
from collections.abc import Collection, Iterable
from fractions import Fraction

import jax

from fcn_jax.ops import cropping, extents, window_pooling

Array = jax.Array

KINDS = ("conv", "pool", "average", "lrn", "lrn_within", "concat")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A line of the layer list.

    Attributes:
        name: As in the Caffe nets.
        kind: "conv" (convolution, BatchNorm if `batch_norm` names one, ReLU), "pool"
            (maximum), "average" (the mean of windows as large as those around every
            pixel), "lrn" (local response normalisation, across channels), "lrn_within"
            (within each channel) or "concat" (channels of all inputs, one after the
            other).
        features: Output channels of a convolution.
        kernel_size: Side of the window, pixels; of "lrn" the channels of a window.
        stride: Step of the window, pixels.
        pad: Zeros (no pixels, where it is a pooling) added on every side.
        groups: Parts that the channels of a convolution are split into.
        dilation: Distance between the taps of a convolution, or between the values
            that a window of a pooling sees, pixels.
        overhang: Of a pooling: pixels by which windows may reach over the far edge,
            beyond `pad`; None: stride - 1, which is Caffe's rounding up.
        inputs: Layers that it is computed from; (): the layer before.
        batch_norm: Name of the BatchNorm after a convolution; "": none.
        dropout: Name of the dropout after it; "": none.
        alpha, beta: Of "lrn" and "lrn_within".
    """

    name: str
    kind: str = "conv"
    features: int = 0
    kernel_size: int = 1
    stride: int = 1
    pad: int = 0
    groups: int = 1
    dilation: int = 1
    overhang: int | None = None
    inputs: tuple[str, ...] = ()
    batch_norm: str = ""
    dropout: str = ""
    alpha: float = 1e-4
    beta: float = 0.75

    def __post_init__(self):
        """Refuse a kind of layer that nothing computes.

        Raises:
            ValueError: If the kind is unknown, or an average changes sizes.
        """
        if self.kind not in KINDS:
            raise ValueError(
                f"layer {self.name!r}: kind={self.kind!r} is not known; choose one of "
                f"{', '.join(KINDS)}."
            )
        sides = (self.stride, self.dilation, self.kernel_size - 2 * self.pad)
        if self.kind == "average" and sides != (1, 1, 1):
            raise ValueError(
                f"layer {self.name!r}: an average of windows of {self.kernel_size} at "
                f"stride {self.stride} with a padding of {self.pad} is not computed; "
                f"expected stride 1 and a window of 2 pad + 1, such as 3 and a padding "
                f"of 1."
            )

    @property
    def window(self) -> int:
        """Side of what an output pixel sees of the map before, pixels."""
        if self.kind in ("lrn", "lrn_within", "concat"):
            return 1
        return self.dilation * (self.kernel_size - 1) + 1

    @property
    def is_tiling(self) -> bool:
        """Whether its windows lie side by side, without padding."""
        side_by_side = self.stride == self.kernel_size and self.dilation == 1
        return side_by_side and not self.pad and self.overhang is None

    def coordinate_map(self) -> cropping.CoordinateMap:
        """From the pixels of the map before to those of its own."""
        return cropping.window_map(self.window, self.stride, self.pad)

    def extents(self, sizes: Array | None) -> Array | None:
        """True (height, width) after it, [N, 2] integer, from those before it."""
        if self.kind == "conv":
            return extents.after_convolution(sizes, self.window, self.stride, self.pad)
        if self.kind == "pool":  # An average keeps them.
            return extents.after_window(
                sizes, self.window, self.stride, self.pad, self.overhang
            )
        return sizes


def coordinate_maps(layers: Iterable[Layer]) -> dict[str, cropping.CoordinateMap]:
    """How the maps of layers lie over the image.

    Args:
        layers: From the image on, every one after its inputs.

    Returns:
        The map from image coordinates to those of a layer, by layer name.

    Raises:
        ValueError: If the inputs of a layer lie differently over the image.
    """
    image = cropping.CoordinateMap(Fraction(1), Fraction(0))
    maps: dict[str, cropping.CoordinateMap] = {}
    before = ""
    for layer in layers:
        paths = [maps[name] if name else image for name in layer.inputs or (before,)]
        if any(path != paths[0] for path in paths):
            raise ValueError(
                f"layer {layer.name!r}: its inputs {', '.join(layer.inputs)} lie "
                f"differently over the image; maps that are concatenated must have "
                f"one stride and one offset."
            )
        maps[layer.name] = paths[0].then(layer.coordinate_map())
        before = layer.name
    return maps


@functools.cache
def smallest_side(layers: tuple[Layer, ...]) -> int:
    """The least side of an image of which every layer makes a map.

    Args:
        layers: From the image on, every one after its inputs.
    """
    side = 1
    while not all(_sides(layers, side)):
        side += 1
    return side


@functools.cache
def cells_along(layers: tuple[Layer, ...], most: int) -> tuple[int, ...]:
    """The sides of the last map, by those of the image.

    Args:
        layers: From the image on, every one after its inputs.
        most: Longest side of an image, pixels.

    Returns:
        Of images of 0, 1, 2 ... `most` pixels; 0 where there is no room.
    """
    return tuple(_sides(layers, side)[-1] for side in range(most + 1))


def _sides(layers: tuple[Layer, ...], side: int) -> list[int]:
    """Sides of the maps that layers make of an image; 0 where there is no room."""
    found: dict[str, int] = {}
    for layer in layers:
        if layer.inputs:
            side = found[layer.inputs[0]]
        if side and layer.kind == "conv":
            side = (side + 2 * layer.pad - layer.window) // layer.stride + 1
        elif side and layer.kind == "pool":
            side = window_pooling.pooled_size(
                side, layer.window, layer.stride, layer.pad, layer.overhang
            )
        found[layer.name] = side = max(0, side)
    return list(found.values())


def check_padding(padding: str, known: Collection[str]) -> None:
    """Refuse a padding that an encoder does not have.

    Args:
        padding: Its name.
        known: Those that it has.

    Raises:
        ValueError: If it is none of them.
    """
    if padding not in known:
        raise ValueError(
            f"padding={padding!r} is not known; choose one of {', '.join(known)}."
        )
