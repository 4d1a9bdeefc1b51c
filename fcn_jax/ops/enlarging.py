"""Resizing of score maps by whole factors, in the frame of a transposed convolution.

A transposed convolution with a bilinear kernel fades towards the edges of its result,
where fewer cells overlap. Resizing repeats the outermost cells instead, as image
libraries do. What comes out here is as large as that of the convolution, and lies where
that lies, so that one may take the place of the other.
"""

import jax
import jax.numpy as jnp

from fcn_jax.ops import bilinear

Array = jax.Array


def nearest(
    x: Array, factor: int, kernel_size: int, sizes: Array | None = None
) -> Array:
    """Every pixel gets the value of the cell whose centre is nearest.

    Args:
        x: [N, h, w, C].
        factor: Output pixels per cell.
        kernel_size: Of the transposed convolution whose place it takes; 2 factor lays
            `factor` x `factor` pixels over each cell.
        sizes: True (height, width) of every example, [N, 2] integer, or None.

    Returns:
        [N, (h - 1) factor + kernel_size, (w - 1) factor + kernel_size, C].
    """
    start = (3 * factor - kernel_size + 1) // 2
    x = repeat_edges(x, sizes)
    for axis in (1, 2):
        length = (x.shape[axis] - 3) * factor + kernel_size
        x = jnp.repeat(x, factor, axis=axis)
        x = jax.lax.slice_in_dim(x, start, start + length, axis=axis)
    return x


def linear(
    x: Array, factor: int, kernel_size: int, sizes: Array | None = None
) -> Array:
    """Every pixel gets the bilinear mean of the cells around it.

    Args:
        x: [N, h, w, C] floating.
        factor: Output pixels per cell.
        kernel_size: Of the transposed convolution whose place it takes.
        sizes: True (height, width) of every example, [N, 2] integer, or None.

    Returns:
        [N, (h - 1) factor + kernel_size, (w - 1) factor + kernel_size, C].
    """
    lengths = [(side - 1) * factor + kernel_size for side in x.shape[1:3]]
    x = bilinear.bilinear_upsample(repeat_edges(x, sizes), factor, kernel_size)
    for axis, length in enumerate(lengths, start=1):
        x = jax.lax.slice_in_dim(x, factor, factor + length, axis=axis)
    return x


def repeat_edges(x: Array, sizes: Array | None = None) -> Array:
    """A cell more on each side, like its neighbour within the true extent.

    Args:
        x: [N, h, w, C].
        sizes: True (height, width) of every example, [N, 2] integer, or None.

    Returns:
        [N, h + 2, w + 2, C]; beyond the true extent the outermost cells go on.
    """
    if sizes is None:
        return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    sizes = sizes.astype(jnp.int32)  # Narrow or unsigned ones would overflow.
    for axis in (1, 2):
        place = jnp.arange(-1, x.shape[axis] + 1, dtype=sizes.dtype)[None]
        last = jnp.maximum(sizes[:, axis - 1, None] - 1, 0)
        place = jnp.clip(place, 0, last)
        shape = [place.shape[0], 1, 1, 1]
        shape[axis] = place.shape[1]
        x = jnp.take_along_axis(x, place.reshape(shape), axis=axis)
    return x
