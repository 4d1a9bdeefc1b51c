"""Filter rarefaction: a layer list that scores densely with the same parameters.

Where a layer's stride is removed, everything behind it sees maps that many times
finer; the taps of its filters, and of the windows of its poolings, are spread as far
apart (a trous, dilated), so that each output sees what it saw. The maps of the strided
net are every s-th row and column of these.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 3.2.
    Chen et al. 2015, arXiv:1412.7062, sec. 3.1.
"""

import dataclasses
from collections.abc import Iterable

from fcn_jax.models.encoders.layer import Layer


def rarefied(layers: Iterable[Layer], output_stride: int = 1) -> tuple[Layer, ...]:
    """A layer list without the strides that lead beyond `output_stride`.

    What is removed is the first stride that would, and all behind it. Poolings keep a
    window for every phase of their strided form: as that rounds up, theirs may reach
    over the far edge.

    Args:
        layers: From the image on, every one after its inputs.
        output_stride: Image pixels per cell of the last layer, at most.

    Returns:
        As many layers, of the same names and parameters.

    Raises:
        ValueError: If the stride is not positive.
    """
    if output_stride < 1:
        raise ValueError(
            f"output_stride={output_stride} is not positive; 1 scores every pixel, 8 "
            f"every eighth row and column."
        )
    found, before = [], (1, 1)
    # By layer: the stride of its map, and how far apart what follows has to look.
    reached: dict[str, tuple[int, int]] = {}
    for layer in layers:
        stride, rate = reached[layer.inputs[0]] if layer.inputs else before
        removed = 1
        if layer.kind in ("conv", "pool"):
            if rate > 1 or stride * layer.stride > output_stride:
                removed = layer.stride
            layer = _spread(layer, rate, removed)
        before = (stride * layer.stride, rate * removed)
        reached[layer.name] = before
        found.append(layer)
    return tuple(found)


def _spread(layer: Layer, rate: int, removed: int) -> Layer:
    """A layer that sees as much of a map that is `rate` times finer."""
    if rate == removed == 1:
        return layer
    overhang = layer.overhang
    if layer.kind == "pool":
        overhang = rate * (layer.stride - 1 if overhang is None else overhang)
    return dataclasses.replace(
        layer,
        stride=layer.stride // removed,
        pad=layer.pad * rate,
        dilation=layer.dilation * rate,
        overhang=overhang,
    )
