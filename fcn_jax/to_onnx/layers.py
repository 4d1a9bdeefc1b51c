"""What nets are made of, in ONNX's operators; each takes the name of maps [N, C, H, W].

Nothing is taken that operators leave open: who wins a tie in a pooling, how indices of
poolings count, how sizes are rounded. `Pad`, `Slice` and comparisons say it.
"""

from typing import Literal, NamedTuple

import numpy as np

from fcn_jax.models.encoders import Layer
from fcn_jax.ops import bilinear
from fcn_jax.ops.wide_padding import Repeat
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.to_onnx.graph import Graph

_END = np.iinfo(np.int64).max  # Of an axis, for Slice.


class Weights(NamedTuple):
    """Kernel and bias of a convolution.

    Attributes:
        kernel: [k, k, I, O], as our variables have it.
        bias: [O].
    """

    kernel: np.ndarray
    bias: np.ndarray


class BatchNorm(NamedTuple):
    """Variables of BatchNorm, [C] each, and its epsilon."""

    scale: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    epsilon: float


def with_batch_norm(weights: Weights, norm: BatchNorm) -> Weights:
    """The weights of a convolution that normalises what it gives.

    Args:
        weights: Of the convolution before.
        norm: Whose running averages are used.
    """
    scale, bias, mean, var = (np.asarray(x, np.float64) for x in norm[:4])
    factor = scale / np.sqrt(var + norm.epsilon)
    shifted = (np.asarray(weights.bias, np.float64) - mean) * factor + bias
    kernel = np.asarray(weights.kernel, np.float32) * factor.astype(np.float32)
    return Weights(kernel, shifted)


def preprocessed(graph: Graph, images: str, preprocessing: Preprocessing) -> str:
    """What `fcn_jax.preprocess` makes of images, [N, H, W, C] -> [N, C, H, W].

    Args:
        graph: Which it is put into.
        images: uint8 or float32.
        preprocessing: What the network was trained with.
    """
    count = preprocessing.num_channels
    x = graph.node("Transpose", images, perm=(0, 3, 1, 2))
    if preprocessing.channels.startswith("bgr"):
        order = graph.integers(2, 1, 0, *range(3, count))
        x = graph.node("Gather", x, order, axis=1)
    x = graph.cast(x, np.float32)
    mean, std = (
        np.array(each, np.float32).reshape(1, count, 1, 1)
        for each in (preprocessing.mean, preprocessing.std)
    )
    x = graph.node("Sub", x, graph.constant(mean, "mean"))
    if (std != 1).any():
        x = graph.node("Div", x, graph.constant(std, "std"))
    return graph.narrowed(x)


def convolution(
    graph: Graph, x: str, layer: Layer, weights: Weights, wide: bool = False
) -> str:
    """Convolution with bias.

    Args:
        graph: Which it is put into.
        x: Maps.
        layer: Its name, stride, padding, groups and dilation.
        weights: Its kernel and bias.
        wide: Whether it is computed in float32 whatever the precision.
    """
    kernel = np.transpose(weights.kernel, (3, 2, 0, 1))
    return graph.node(
        "Conv",
        x,
        graph.floats(kernel, f"{layer.name}/kernel", wide),
        graph.floats(weights.bias, f"{layer.name}/bias", wide),
        name=layer.name,
        kernel_shape=(layer.kernel_size,) * 2,
        strides=(layer.stride,) * 2,
        pads=(layer.pad,) * 4,
        group=layer.groups,
        dilations=(layer.dilation,) * 2,
    )


def deconvolution(graph: Graph, x: str, name: str, weights: Weights, pad: int) -> str:
    """Transposed convolution of stride 1 with bias.

    Args:
        graph: Which it is put into.
        x: Maps.
        name: Of the layer.
        weights: Its kernel and bias.
        pad: Rows and columns that are cut off the result on every side.
    """
    size = weights.kernel.shape[0]
    reach = size - 1 - pad
    if pad >= reach:  # Else most of what a convolution multiplied would be padding.
        layer = Layer(name, kernel_size=size, pad=reach)
        turned = weights.kernel[::-1, ::-1]
        return convolution(graph, x, layer, Weights(turned, weights.bias))
    return graph.node(
        "ConvTranspose",
        x,
        graph.floats(np.transpose(weights.kernel, (2, 3, 0, 1)), f"{name}/kernel"),
        graph.floats(weights.bias, f"{name}/bias"),
        name=name,
        kernel_shape=(size, size),
        pads=(pad,) * 4,
    )


def response_normalization(graph: Graph, x: str, layer: Layer) -> str:
    """Local response normalisation across channels, in float32.

    Args:
        graph: Which it is put into.
        x: Maps.
        layer: Its name, window, alpha and beta.
    """
    x = graph.node(
        "LRN",
        graph.widened(x),
        name=layer.name,
        size=layer.kernel_size,
        alpha=layer.alpha,
        beta=layer.beta,
        bias=1.0,
    )
    return graph.narrowed(x)


def normalization_within(graph: Graph, x: str, layer: Layer) -> str:
    """Local response normalisation within channels, in float32.

    Args:
        graph: Which it is put into.
        x: Maps.
        layer: Its name, window, alpha and beta.
    """
    x, half = graph.widened(x), layer.kernel_size // 2
    mean = graph.node(
        "AveragePool",
        graph.node("Mul", x, x),
        kernel_shape=[layer.kernel_size] * 2,
        pads=[half] * 4,
        count_include_pad=1,
    )
    scaled = graph.node("Mul", mean, graph.constant(np.array(layer.alpha, np.float32)))
    base = graph.node("Add", scaled, graph.constant(np.array(1, np.float32)))
    power = graph.node("Pow", base, graph.constant(np.array(-layer.beta, np.float32)))
    return graph.narrowed(graph.node("Mul", x, power, name=layer.name))


def repeated(graph: Graph, x: str, repeat: Repeat) -> str:
    """Put in the rows and columns that repeat, as `wide_padding.expand` does.

    Args:
        graph: Which it is put into.
        x: Maps.
        repeat: What is put in.
    """
    depth, count = repeat
    for axis in (2, 3):
        inner = _slice(graph, x, depth, -depth, axis)
        sides = [0] * 8
        sides[axis] = sides[axis + 4] = count
        inner = graph.node("Pad", inner, graph.integers(*sides), mode="edge")
        near = _slice(graph, x, 0, depth, axis)
        far = _slice(graph, x, -depth, _END, axis)
        x = graph.node("Concat", near, inner, far, axis=axis)
    return x


def upsampled(
    graph: Graph, x: str, name: str, kernel_size: int, factor: int, channels: int
) -> str:
    """The transposed convolution with a fixed bilinear kernel, rows, then columns.

    Args:
        graph: Which it is put into.
        x: Scores, float32.
        name: Of the layer.
        kernel_size: Of the filter.
        factor: Stride, in output pixels per input pixel.
        channels: Of the scores.
    """
    taps = np.broadcast_to(bilinear.bilinear_taps(kernel_size), (channels, kernel_size))
    for axis, what in enumerate(("rows", "columns")):
        shape, strides = [1, 1], [1, 1]
        shape[axis], strides[axis] = kernel_size, factor
        kernel = graph.floats(
            taps.reshape(channels, 1, *shape), f"{name}/{what}/kernel", wide=True
        )
        x = graph.node(
            "ConvTranspose",
            x,
            kernel,
            name=f"{name}/{what}",
            kernel_shape=shape,
            strides=strides,
            group=channels,
        )
    return x


def upsampled_by_kernel(
    graph: Graph, x: str, name: str, kernel: np.ndarray, factor: int
) -> str:
    """The transposed convolution with a kernel that was learned.

    Args:
        graph: Which it is put into.
        x: Scores, float32.
        name: Of the layer.
        kernel: [k, k, I, O], as our variables have it.
        factor: Stride, in output pixels per input pixel.
    """
    size = kernel.shape[0]
    kernel = np.transpose(kernel, (2, 3, 0, 1))
    return graph.node(
        "ConvTranspose",
        x,
        graph.floats(kernel, f"{name}/kernel", wide=True),
        name=name,
        kernel_shape=(size, size),
        strides=(factor, factor),
    )


def resized(
    graph: Graph,
    x: str,
    name: str,
    kernel_size: int,
    factor: int,
    channels: int,
    kind: str,
) -> str:
    """Resizing in the frame of a transposed convolution, as `ops.enlarging` does.

    Args:
        graph: Which it is put into.
        x: Scores, float32.
        name: Of the layer.
        kernel_size: Of the convolution.
        factor: Output pixels per cell.
        channels: Of the scores.
        kind: "nearest" or "bilinear".
    """
    reach = graph.node("Sub", graph.size_of(x), graph.integers(1))
    reach = graph.node("Mul", reach, graph.integers(factor))
    size = graph.node("Add", reach, graph.integers(kernel_size))
    x = extended(graph, x, near=1, far=1)
    if kind == "bilinear":
        x = upsampled(graph, x, name, kernel_size, factor, channels)
        return crop(graph, x, factor, size)
    ones = graph.floats(np.ones((channels, 1, factor, factor)), f"{name}/kernel", True)
    x = graph.node(
        "ConvTranspose",
        x,
        ones,
        name=name,
        kernel_shape=(factor, factor),
        strides=(factor, factor),
        group=channels,
    )
    return crop(graph, x, (3 * factor - kernel_size + 1) // 2, size)


def extended(
    graph: Graph,
    x: str,
    near: int,
    far: int,
    mode: Literal["edge", "constant"] = "edge",
) -> str:
    """Rows and columns more on both sides: the outermost again, or zeros.

    Args:
        graph: Which it is put into.
        x: Maps.
        near: How many before.
        far: How many behind.
        mode: What they hold.
    """
    sides = graph.integers(0, 0, near, near, 0, 0, far, far)
    return graph.node("Pad", x, sides, mode=mode)


def crop(graph: Graph, x: str, offset: int, size: str) -> str:
    """Cut [offset, offset + size) out of both spatial axes.

    Args:
        graph: Which it is put into.
        x: Maps.
        offset: First row and column to keep.
        size: Rows and columns to keep, int64 [2].
    """
    start = graph.integers(offset, offset)
    end = graph.node("Add", size, start) if offset else size
    return graph.node("Slice", x, start, end, graph.integers(2, 3))


def _slice(graph: Graph, x: str, start: int, end: int, axis: int) -> str:
    bounds = (graph.integers(each) for each in (start, end, axis))
    return graph.node("Slice", x, *bounds)
