"""Pooling whose windows overlap, with Caffe's rounding and divisors.

`fcn_jax.ops.pooling` is for windows side by side (VGG-16), and can be undone; AlexNet,
GoogLeNet and DeepLab pool 3x3 windows at strides 2 and 1.

References:
    BVLC/caffe, pooling_layer.cpp (sizes are rounded up; no window starts in the padding
    beyond the last pixel).
"""

from typing import TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

Array = jax.Array
_T = TypeVar("_T", int, jax.Array)


def pooled_size(
    size: _T, window: int, stride: int, pad: int = 0, overhang: int | None = None
) -> _T:
    """How many windows there are along a side of `size` pixels.

    Args:
        size: Pixels; an integer, or integers of any shape.
        window: Side of the windows, pixels.
        stride: Step of the windows, pixels.
        pad: Pixels by which windows reach over the near edge.
        overhang: Pixels beyond `pad` by which they may reach over the far edge; None:
            stride - 1, which rounds their number up as Caffe does.

    Returns:
        Their number, like `size`; below 1 where the side has no room for a window.
    """
    beyond = stride - 1 if overhang is None else overhang
    count = (size + 2 * pad + beyond - window) // stride + 1
    if not pad:
        return count
    most = -(-(size + pad) // stride)  # Windows that start before the far padding.
    return (
        jnp.minimum(count, most) if isinstance(count, jax.Array) else min(count, most)
    )


def max_pool_windows(
    x: Array,
    window: int,
    stride: int,
    pad: int = 0,
    dilation: int = 1,
    overhang: int | None = None,
) -> Array:
    """The maximum of every window; padding and what lies beyond the edge is ignored.

    Args:
        x: Maps, [N, H, W, C] floating point.
        window: Side of the windows, in values that they see.
        stride: Step of the windows, pixels.
        pad: Pixels by which windows reach over the near edge, less than a window.
        dilation: Distance between the values of a window, pixels.
        overhang: See `pooled_size`.

    Returns:
        [N, h, w, C] of the dtype of `x`, with h and w of `pooled_size`.

    Raises:
        ValueError: If a number has no sense, or no window finds room; with symbolic
            sizes (`jax.export`) the latter cannot be answered and is not asked.
    """
    extent = dilation * (window - 1) + 1
    if window < 1 or stride < 1 or not 0 <= pad < max(extent, 1):
        raise ValueError(
            f"max_pool_windows: window={window}, stride={stride}, pad={pad}; expected "
            f"a window and a stride of at least 1, and a padding less than the window."
        )
    sides: list[tuple[int, int]] = []
    counts: list[int] = []
    for size in x.shape[1:3]:
        if export.is_symbolic_dim(size):
            far = _far_padding(extent, stride, pad, overhang)
            sides.append((pad, far))
            counts.append(cast("int", size))  # As many as find room: it is not asked.
            continue
        count = pooled_size(size, extent, stride, pad, overhang)
        if count < 1:
            raise ValueError(
                f"max_pool_windows: a map of {x.shape[1]}x{x.shape[2]} has no room for "
                f"a window of {extent}x{extent} at stride {stride}; give the network a "
                f"larger image."
            )
        counts.append(count)
        sides.append((pad, max(0, (count - 1) * stride + extent - size - pad)))
    if dilation != 1:
        return _by_shifts(x, window, stride, dilation, sides, counts)
    pooled = jax.lax.reduce_window(
        x,
        np.array(-np.inf, x.dtype),  # Known while tracing: only then has it a gradient.
        jax.lax.max,
        window_dimensions=(1, window, window, 1),
        window_strides=(1, stride, stride, 1),
        padding=((0, 0), *sides, (0, 0)),
    )
    rows, columns = (
        slice(None if export.is_symbolic_dim(count) else count) for count in counts
    )
    return pooled[:, rows, columns]


def _far_padding(extent: int, stride: int, pad: int, overhang: int | None) -> int:
    """Padding at the far edge by which, rounding down, windows are those of Caffe.

    Raises:
        ValueError: If a window could lie in it altogether.
    """
    far = pad + (stride - 1 if overhang is None else overhang)
    if far >= extent:
        raise ValueError(
            f"max_pool_windows: a window of {extent}x{extent}, stride={stride}, "
            f"pad={pad} cannot be exported for all sizes of images (a window could "
            f"hold no pixel); give the network a pooling whose windows are wider than "
            f"its steps."
        )
    return far


def mean_pool(x: Array, window: int) -> Array:
    """The mean of every window, at stride 1, as GoogLeNet's classifier ends.

    Args:
        x: Maps, [N, H, W, C] floating point; sums are at least float32.
        window: Side of the windows, pixels; no more than H and W.

    Returns:
        [N, H - window + 1, W - window + 1, C] of the dtype of `x`.

    Raises:
        ValueError: If no window finds room.
    """
    if window == 1:
        return x
    if not 1 <= window <= min(x.shape[1:3]):
        raise ValueError(
            f"mean_pool: a map of {x.shape[1]}x{x.shape[2]} has no room for a "
            f"window of {window}x{window}; give the network a larger image."
        )
    return _means(x, window, pad=0)


def _by_shifts(
    x: Array,
    window: int,
    stride: int,
    dilation: int,
    sides: list[tuple[int, int]],
    counts: list[int],
) -> Array:
    """The first maximum of windows whose values lie apart.

    JAX differentiates no `reduce_window` that is dilated.
    """
    x = jnp.pad(x, ((0, 0), *sides, (0, 0)), constant_values=-jnp.inf)
    best = None
    for i in range(window):
        rows = jax.lax.slice_in_dim(
            x, i * dilation, i * dilation + (counts[0] - 1) * stride + 1, stride, axis=1
        )
        for j in range(window):
            start = j * dilation
            end = start + (counts[1] - 1) * stride + 1
            value = jax.lax.slice_in_dim(rows, start, end, stride, axis=2)
            if best is None:
                best = value
            else:
                best = jnp.where((value > best) | (value != value), value, best)
    assert best is not None
    return best


def average_pool(x: Array, window: int) -> Array:
    """The mean of the window around every pixel; beyond the edge are zeros that count.

    Caffe's average pooling of stride 1 and a padding that keeps the size. It divides by
    all pixels of a window, those of the padding too: of four pixels in a corner the
    3x3 mean is their sum / 9.

    Args:
        x: Maps, [N, H, W, C] floating point; sums are at least float32.
        window: Side of the windows, pixels, odd.

    Returns:
        [N, H, W, C] of the dtype of `x`.

    Raises:
        ValueError: If the window is not odd and positive.

    References:
        BVLC/caffe, pooling_layer.cpp, PoolingParameter_PoolMethod_AVE.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(
            f"average_pool: window={window} has no middle pixel; expected an odd side."
        )
    return _means(x, window, pad=window // 2)


def _means(x: Array, window: int, pad: int) -> Array:
    """The mean of every window, at stride 1; sums are at least float32."""
    wide = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    total = jax.lax.reduce_window(
        x.astype(wide),
        np.zeros((), wide),  # Known while tracing: only then has it a gradient.
        jax.lax.add,
        window_dimensions=(1, window, window, 1),
        window_strides=(1, 1, 1, 1),
        padding=((0, 0), (pad, pad), (pad, pad), (0, 0)),
    )
    return (total / window**2).astype(x.dtype)
