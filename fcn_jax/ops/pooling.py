"""Max pooling that remembers where each maximum was, and its inverse.

Windows do not overlap (stride = window). Sizes are rounded up as in Caffe: a last
window that reaches over the edge sees the pixels that exist. Everything selects by
comparison; no direction gathers or scatters, which is what makes it fast.

References:
    Noh, Hong and Han 2015, arXiv:1505.04366, sec. 3.2 (unpooling by switches).
    BVLC/caffe, pooling_layer.cpp (rounding; the first maximum wins).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fcn_jax.ops import cropping

Array = jax.Array

# One program where it is called alone; within another it leaves no trace.
_compiled = functools.partial(jax.jit, inline=True)


def max_pool(x: Array, window: int = 2) -> Array:
    """The maximum of every window; its gradient goes to the first maximum.

    Args:
        x: [N, H, W, C] floating point.
        window: Side of the windows and their stride, in pixels, 1 to 16.

    Returns:
        [N, ceil(H / window), ceil(W / window), C] of x's dtype. A window that holds
        NaN gives NaN, as in PyTorch.

    Raises:
        TypeError: If `x` is not floating point.
        ValueError: If `x` has not four axes, or the window is not 1 to 16.
    """
    return _max_pool(x, window)


def max_pool_with_switches(x: Array, window: int = 2) -> tuple[Array, Array]:
    """`max_pool`, and where in its window each maximum was.

    Args:
        x: [N, H, W, C] floating point.
        window: Side of the windows and their stride, in pixels, 1 to 16.

    Returns:
        The maxima, [N, ceil(H / window), ceil(W / window), C] of x's dtype, and the
        switches, uint8 of that shape, in [0, window**2), row by row; on ties the
        first position (0.0 and -0.0 tie), of several NaNs the last.

    Raises:
        TypeError: If `x` is not floating point.
        ValueError: If `x` has not four axes, or the window is not 1 to 16.
    """
    return _max_pool_with_switches(x, window)


def max_unpool(
    x: Array,
    switches: Array,
    window: int = 2,
    output_size: tuple[int, int] | None = None,
) -> Array:
    """Put every value where its maximum came from; zeros elsewhere.

    Args:
        x: [N, h, w, C].
        switches: Of a `max_pool_with_switches`, [N, h, w, C] uint8. No gradient flows
            to them.
        window: Side of the windows, in pixels.
        output_size: Height and width of the result, those of the pooled map; None:
            (h * window, w * window).

    Returns:
        `[N, *output_size, C]` of x's dtype.

    Raises:
        TypeError: If the switches are not uint8.
        ValueError: If shapes do not fit, or no map of `output_size` pools to h x w.
    """
    if switches.dtype != jnp.uint8:
        raise TypeError(
            f"max_unpool: switches are {switches.dtype}; expected uint8 as "
            f"max_pool_with_switches returns them. Flat indices of another framework "
            f"go through indices_to_switches first."
        )
    if x.ndim != 4 or switches.shape != x.shape:
        raise ValueError(
            f"max_unpool: values {x.shape} and switches {switches.shape} differ; "
            f"expected two maps [N, h, w, C] of the same pooling."
        )
    _check_window(window)
    if output_size is None:
        output_size = (x.shape[1] * window, x.shape[2] * window)
    _check_output_size(switches.shape, window, output_size)
    return _unpool(x, switches, window, tuple(output_size))


def switches_to_indices(
    switches: Array, window: int, output_size: tuple[int, int]
) -> Array:
    """Switches as flat positions h * W + w in their plane, as PyTorch keeps them.

    Args:
        switches: [N, h, w, C] uint8.
        window: Side of the windows, in pixels.
        output_size: Height and width of the map that was pooled.

    Returns:
        [N, h, w, C] int32.

    Raises:
        ValueError: If no map of `output_size` pools to h x w.
    """
    _check_window(window)
    _check_output_size(switches.shape, window, output_size)
    row0, column0 = _window_origins(switches.shape, window)
    within = switches.astype(jnp.int32)
    row, column = row0 + within // window, column0 + within % window
    return row * output_size[1] + column


def indices_to_switches(
    indices: Array, window: int, output_size: tuple[int, int]
) -> Array:
    """The inverse of `switches_to_indices`.

    Args:
        indices: Flat positions in their plane, [N, h, w, C] integer.
        window: Side of the windows, in pixels.
        output_size: Height and width of the map that was pooled.

    Returns:
        [N, h, w, C] uint8.

    Raises:
        TypeError: If the indices are not integers.
        ValueError: If no map of `output_size` pools to h x w or, outside `jit`, if an
            index lies outside its window.
    """
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise TypeError(
            f"indices_to_switches: indices are {indices.dtype}; expected integers."
        )
    _check_window(window)
    _check_output_size(indices.shape, window, output_size)
    indices = jnp.asarray(indices).astype(jnp.int32)
    row0, column0 = _window_origins(indices.shape, window)
    row = indices // output_size[1] - row0
    column = indices % output_size[1] - column0
    inside = (row >= 0) & (row < window) & (column >= 0) & (column < window)
    if not isinstance(inside, Tracer) and not bool(jnp.all(inside)):
        first = tuple(int(i) for i in np.argwhere(~np.asarray(inside))[0])
        raise ValueError(
            f"indices_to_switches: index {int(indices[first])} at {first} lies "
            f"outside its {window}x{window} window in a map of "
            f"{output_size[0]}x{output_size[1]}; the indices are of another "
            f"pooling, or count channels too (as TensorFlow's do)."
        )
    return (row * window + column).astype(jnp.uint8)


@functools.partial(_compiled, static_argnums=1)
def _pool(x: Array, window: int) -> tuple[Array, Array]:
    _check_window(window)
    if x.ndim != 4:
        raise ValueError(f"max_pool: x has shape {x.shape}; expected [N, H, W, C].")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"max_pool: x is {x.dtype}; expected floating point.")
    # Padding is below every number and is never NaN, so it never wins.
    values = _in_windows(x, window, -jnp.inf)
    best = values[0]
    switches = jnp.zeros(best.shape, jnp.uint8)
    for k, value in enumerate(values[1:], start=1):
        better = (value > best) | (value != value)
        best = jnp.where(better, value, best)
        switches = jnp.where(better, jnp.uint8(k), switches)
    return best, switches


def _in_windows(x: Array, window: int, fill: float) -> list[Array]:
    """The values at each position of the windows, row by row, [N, h, w, C] each."""
    n, height, width, channels = x.shape
    h, w = -(-height // window), -(-width // window)
    over_h, over_w = h * window - height, w * window - width
    if over_h != 0 or over_w != 0:
        pads = ((0, 0), (0, over_h), (0, over_w), (0, 0))
        x = jnp.pad(x, pads, constant_values=fill)
    x = x.reshape(n, h, window, w, window, channels)
    return [x[:, :, i, :, j] for i in range(window) for j in range(window)]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool(x: Array, window: int) -> Array:
    return _pool(x, window)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool_with_switches(x: Array, window: int) -> tuple[Array, Array]:
    return _pool(x, window)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _unpool(
    x: Array, switches: Array, window: int, output_size: tuple[int, int]
) -> Array:
    return _spread(x, switches, window, output_size)


@functools.partial(_compiled, static_argnums=(2, 3))
def _spread(x: Array, switches: Array, window: int, size: tuple[int, int]) -> Array:
    n, h, w, channels = x.shape
    position = np.arange(window * window, dtype=np.uint8)
    position = jnp.asarray(position.reshape(1, 1, window, 1, window, 1))
    here = switches[:, :, None, :, None] == position
    spread = jnp.where(here, x[:, :, None, :, None], jnp.zeros((), x.dtype))
    spread = spread.reshape(n, h * window, w * window, channels)
    return cropping.crop(spread, 0, size)


@functools.partial(_compiled, static_argnums=2)
def _select(g: Array, switches: Array, window: int) -> Array:
    """The values of `g` at the switches: the transpose of `_unpool`."""
    values = _in_windows(g, window, 0)
    chosen = values[0]
    for k, value in enumerate(values[1:], start=1):
        chosen = jnp.where(switches == k, value, chosen)
    return chosen


def _pool_forward(x: Array, window: int):
    maxima, switches = _pool(x, window)
    # A residual must be an array: an empty one carries the size of x.
    return maxima, (switches, jnp.zeros((0, *x.shape[1:3]), x.dtype))


def _pool_backward(window: int, residual: tuple, g: Array):
    switches, shape = residual
    return (_unpool(g, switches, window, shape.shape[1:]),)


def _switches_forward(x: Array, window: int):
    maxima, residual = _pool_forward(x, window)
    return (maxima, residual[0]), residual


def _switches_backward(window: int, residual: tuple, g: tuple[Array, Array]):
    return _pool_backward(window, residual, g[0])


def _unpool_forward(
    x: Array, switches: Array, window: int, output_size: tuple[int, int]
):
    return _unpool(x, switches, window, output_size), switches


def _unpool_backward(
    window: int, output_size: tuple[int, int], switches: Array, g: Array
):
    del output_size
    return _select(g, switches, window), np.zeros(switches.shape, jax.dtypes.float0)


_max_pool.defvjp(_pool_forward, _pool_backward)
_max_pool_with_switches.defvjp(_switches_forward, _switches_backward)
_unpool.defvjp(_unpool_forward, _unpool_backward)


def _window_origins(shape: tuple[int, ...], window: int) -> tuple[Array, Array]:
    """Row and column of each window's first pixel, broadcast to `shape`."""
    rows = jax.lax.broadcasted_iota(jnp.int32, shape, 1)
    columns = jax.lax.broadcasted_iota(jnp.int32, shape, 2)
    return rows * window, columns * window


def _check_window(window: int) -> None:
    if not 1 <= window <= 16:
        raise ValueError(
            f"pooling: window={window}; expected 1 to 16, for which a position in the "
            f"window fits into uint8."
        )


def _check_output_size(
    shape: tuple[int, ...], window: int, output_size: tuple[int, int]
) -> None:
    expected = tuple(-(-size // window) for size in output_size)
    if len(shape) != 4 or tuple(shape[1:3]) != expected:
        raise ValueError(
            f"pooling: a map of {output_size[0]}x{output_size[1]} pools to "
            f"{expected[0]}x{expected[1]} in windows of {window}, but the switches "
            f"have shape {tuple(shape)}; pass the size of the map that was pooled."
        )
