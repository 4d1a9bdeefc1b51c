"""The padding of 100 pixels of Caffe's FCNs, most of which repeats.

They pad the image by 100 pixels, so that the 7x7 window of fc6 finds room. A few pixels
away from the image and from the outer edge all of this padding looks alike, and so do
the maps of it: row by row above and below the image, column by column beside it. So the
image is padded by a few pixels only, and rows and columns that repeat are put in after
a pooling. The maps are those of the whole padding, and so are the gradients, for half
of the pixels in the first stages.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array


class Repeat(NamedTuple):
    """What is put into a map, along each of its four sides.

    Attributes:
        depth: Rows between the outer edge and the first that repeats.
        count: How many times that row is put in.
    """

    depth: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]


def expand(x: Array, sizes: Array | None, repeat: Repeat) -> Array:
    """Put in the rows and columns that repeat, on all four sides.

    Args:
        x: Maps, [N, h, w, C]; zero outside the true extents.
        sizes: True (height, width) of every example, [N, 2] integer, or None.
        repeat: Depth and count; the row at that depth is to repeat, seen from either
            edge.

    Returns:
        [N, h + 2 count, w + 2 count, C]; zero outside the true extents, which grow by
        as much.
    """
    for axis in (1, 2):
        if sizes is None:
            x = _expand(x, axis, *repeat)
        else:
            x = _expand_masked(x, axis, sizes[:, axis - 1], *repeat)
    return x


def after_expansion(sizes: Array | None, repeat: Repeat) -> Array | None:
    """Extents after it, [N, 2], or None.

    Args:
        sizes: True (height, width) before it, [N, 2] integer, or None.
        repeat: What was put in.
    """
    return None if sizes is None else sizes + 2 * repeat.count


def _expand(x: Array, axis: int, depth: int, count: int):
    length = x.shape[axis]
    parts = (
        _slice(x, axis, 0, depth),
        _pad(_slice(x, axis, depth, length - depth), axis, count, count, "edge"),
        _slice(x, axis, length - depth, length),
    )
    return jnp.concatenate(parts, axis)


def _expand_masked(x: Array, axis: int, sizes: Array, depth: int, count: int):
    """The same where the far edge is where `sizes` [N] says."""
    row = _slice(x, axis, depth, depth + 1)
    parts = (
        _slice(x, axis, 0, depth),
        _pad(_slice(x, axis, depth, x.shape[axis]), axis, count, 0, "edge"),
    )
    before = jnp.concatenate(parts, axis)
    near = _pad(before, axis, 0, count, "constant")
    far = _pad(before, axis, count, 0, "constant")
    position = jax.lax.broadcasted_iota(sizes.dtype, near.shape, axis)
    start = (sizes - depth + count)[:, None, None, None]
    x = jnp.where(position < start, near, row)
    return jnp.where(position < start + count, x, far)


def _slice(x: Array, axis: int, start: int, stop: int):
    return jax.lax.slice_in_dim(x, start, stop, axis=axis)


def _pad(x: Array, axis: int, before: int, after: int, mode: str):
    sides = [(0, 0)] * x.ndim
    sides[axis] = (before, after)
    return jnp.pad(x, sides, mode=mode)
