"""Bilinear resizing: of padded batches by true sizes, and of images as Pillow does."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

Array = jax.Array


def resize(
    x: Array, sizes: Array, out_sizes: Array, out_shape: tuple[int, int]
) -> Array:
    """Resize each image of a padded batch from its true size to another.

    Pixel centres are at half-integers and the outermost pixels extend outwards, as in
    the bilinear resizing of image libraries; nothing outside the true size is read.

    Args:
        x: Padded maps, [N, h, w, C] floating; half precision is computed in float32.
        sizes: True heights and widths in `x`, [N, 2] integer, pixels.
        out_sizes: Heights and widths to resize them to, [N, 2] integer, pixels.
        out_shape: Height and width of the padded result.

    Returns:
        [N, out_shape[0], out_shape[1], C] of x's dtype; outside `out_sizes` the
        outermost pixels go on.
    """
    given, wide = x.dtype, jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    x = x.astype(wide)  # It holds places too: bfloat16 counts to 256.
    outside = ~_within(sizes.astype(jnp.int32), x.shape[1:3])
    x = jnp.where(outside, jnp.zeros((), x.dtype), x)  # 0 * inf would give NaN.
    rows = _weights(sizes[:, 0], out_sizes[:, 0], x.shape[1], out_shape[0], x.dtype)
    columns = _weights(sizes[:, 1], out_sizes[:, 1], x.shape[2], out_shape[1], x.dtype)
    highest = jax.lax.Precision.HIGHEST
    x = jnp.einsum("nyh,nhwc->nywc", rows, x, precision=highest)
    x = jnp.einsum("nxw,nywc->nyxc", columns, x, precision=highest)
    return x.astype(given)


def resize_images(images: Array, shape: tuple[int, int]) -> Array:
    """Resize images bilinearly, smoothed when reduced, as Pillow does.

    Pillow counts in fixed point: a uint8 may be one off, which is rare.

    Args:
        images: [N, h, w, C], uint8 or floating.
        shape: Height and width of the result; they may be symbolic, as those of images.

    Returns:
        `[N, *shape, C]` of their dtype; uint8 is rounded after each of the two passes.
    """
    whole = images.dtype == jnp.uint8
    x = images.astype(jnp.float32)
    highest = jax.lax.Precision.HIGHEST
    for axis, kind in ((2, "xw,nhwc->nhxc"), (1, "xh,nhwc->nxwc")):
        weights = _smoothing(images.shape[axis], shape[axis - 1])
        x = jnp.einsum(kind, weights, x, precision=highest)
        x = jnp.floor(x + 0.5) if whole else x
    return x.astype(images.dtype)


def _smoothing(length: int, out_length: int) -> Array:
    """How much of each input pixel is in each output pixel, [out_length, length]."""
    ratio = jnp.asarray(length, jnp.float32) / jnp.asarray(out_length, jnp.float32)
    centre = (jnp.arange(out_length, dtype=jnp.float32) + 0.5) * ratio - 0.5
    distance = centre[:, None] - jnp.arange(length, dtype=jnp.float32)[None]
    weights = jnp.maximum(1 - jnp.abs(distance) / jnp.maximum(ratio, 1), 0)
    return weights / weights.sum(1, keepdims=True)


def flip(x: Array, sizes: Array) -> Array:
    """Mirror each image of a padded batch left to right within its true width.

    Args:
        x: Padded maps, [N, H, W, C].
        sizes: True heights and widths, [N, 2] integer, pixels.

    Returns:
        The same shape; what lies right of the true width stays where it is.
    """
    sizes = sizes.astype(jnp.int32)  # Narrow or unsigned ones would overflow.
    column = jnp.arange(x.shape[2], dtype=sizes.dtype)[None]
    mirrored = sizes[:, 1:] - 1 - column
    source = jnp.where(
        mirrored >= 0, mirrored, jnp.broadcast_to(column, mirrored.shape)
    )
    return jnp.take_along_axis(x, source[:, None, :, None], axis=2)


def _within(sizes: Array, shape: Sequence[int]) -> Array:
    row = jnp.arange(shape[0], dtype=sizes.dtype)[None, :, None, None]
    column = jnp.arange(shape[1], dtype=sizes.dtype)[None, None, :, None]
    height, width = sizes[:, 0, None, None, None], sizes[:, 1, None, None, None]
    return (row < height) & (column < width)


def _weights(
    size: Array, out_size: Array, length: int, out_length: int, dtype: jnp.dtype
) -> Array:
    """How much of each input pixel is in each output pixel, [N, out_length, length]."""
    size, out_size = size[:, None].astype(dtype), out_size[:, None].astype(dtype)
    centre = (jnp.arange(out_length, dtype=dtype)[None] + 0.5) * (size / out_size) - 0.5
    centre = jnp.clip(centre, jnp.zeros((), dtype), size - 1)
    distance = centre[:, :, None] - jnp.arange(length, dtype=dtype)[None, None]
    return jnp.maximum(1 - jnp.abs(distance), 0)
