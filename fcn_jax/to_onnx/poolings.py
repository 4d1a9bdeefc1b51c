"""Poolings, and what undoes them, in ONNX's operators; see `layers`."""

import numpy as np

from fcn_jax.models.encoders import Layer
from fcn_jax.to_onnx import layers
from fcn_jax.to_onnx.graph import Graph

_POSITIONS = 4  # Of a 2x2 window, row by row.


def max_pool(graph: Graph, x: str, layer: Layer) -> str:
    """The maximum of every window, with Caffe's rounding.

    Args:
        graph: Which it is put into.
        x: Maps.
        layer: Its name, window, stride and padding.

    Raises:
        ValueError: If windows could lie beyond the edge altogether.
    """
    # Padded so far at the end that rounding down gives what Caffe rounds up to.
    overhang = layer.stride - 1 if layer.overhang is None else layer.overhang
    far = layer.pad + overhang
    if far >= layer.window:
        raise ValueError(
            f"layer {layer.name!r} of the encoder: a pooling of windows of "
            f"{layer.kernel_size} at stride {layer.stride} with a padding of "
            f"{layer.pad} is not known in ONNX (a window could hold no pixel); export "
            f"it with --format=stablehlo."
        )
    pads = (layer.pad, layer.pad, far, far)
    if layer.dilation > 1:  # onnxruntime knows no padding as large as the kernel.
        lowest = graph.constant(np.array(np.finfo(graph.dtype).min, graph.dtype))
        sides = graph.integers(0, 0, *pads[:2], 0, 0, *pads[2:])
        x, pads = graph.node("Pad", x, sides, lowest), (0,) * 4
    return graph.node(
        "MaxPool",
        x,
        name=layer.name,
        kernel_shape=(layer.kernel_size,) * 2,
        strides=(layer.stride,) * 2,
        pads=pads,
        dilations=(layer.dilation,) * 2,
    )


def average_pool(graph: Graph, x: str, layer: Layer) -> str:
    """The mean of the window around every pixel; zeros beyond the edge count.

    Args:
        graph: Which it is put into.
        x: Maps.
        layer: Its name, window and padding.
    """
    return graph.node(
        "AveragePool",
        x,
        name=layer.name,
        kernel_shape=(layer.kernel_size,) * 2,
        pads=(layer.pad,) * 4,
        count_include_pad=1,
    )


def max_pool_with_masks(graph: Graph, x: str, name: str, channels: int) -> str:
    """The maximum of every 2x2 window; `masks` of the graph tells where it was.

    On ties it is the first position, row by row. MaxPool's own indices say nothing of
    ties, and readers of MaxUnpool do not agree on what they count.

    Args:
        graph: Which it is put into.
        x: Maps.
        name: Of the layer.
        channels: Of the maps.
    """
    odd = graph.node("Mod", graph.size_of(x), graph.integers(2))
    pads = graph.node("Concat", graph.integers(0, 0, 0, 0, 0, 0), odd, axis=0)
    lowest = graph.constant(np.array(np.finfo(graph.dtype).min, graph.dtype))
    # All channels at the first position of their windows, then at the second, ...
    x = graph.node("SpaceToDepth", graph.node("Pad", x, pads, lowest), blocksize=2)
    split = graph.integers(*[channels] * _POSITIONS)
    values = graph.nodes("Split", x, split, names=[""] * _POSITIONS, axis=1)
    maxima = graph.node("Max", *values, name=name)
    first = taken = graph.node("Equal", values[0], maxima, name=f"{name}/at_0")
    masks = [first]
    for i, value in enumerate(values[1:-1], start=1):
        equal = graph.node("Equal", value, maxima)
        free = graph.node("Not", taken)
        masks.append(graph.node("And", equal, free, name=f"{name}/at_{i}"))
        taken = graph.node("Or", taken, equal)
    graph.masks[name] = tuple(masks)
    return maxima


def max_unpool(graph: Graph, x: str, pool: str, size: str) -> str:
    """Put every value where the maximum of its window was; zeros elsewhere.

    Args:
        graph: Which it is put into.
        x: Maps, as large as those that the pooling gave.
        pool: Name of the pooling.
        size: Height and width before it.
    """
    zero = graph.constant(np.zeros((), graph.dtype))
    parts, rest = [], x
    for mask in graph.masks[pool]:
        parts.append(graph.node("Where", mask, x, zero))
        rest = graph.node("Where", mask, zero, rest)
    stacked = graph.node("Concat", *parts, rest, axis=1)
    spread = graph.node("DepthToSpace", stacked, blocksize=2, mode="DCR")
    return layers.crop(graph, spread, 0, size)
