"""True sizes of images that were padded to one shape, followed through a network.

A batch of differently sized images is padded at the bottom and right to one shape.
A convolution near the true border then sees whatever the padding became, where the
image alone would have met zeros. Setting everything outside the true extent to zero
after every layer gives each image the scores that it has alone, with one compilation
for any mixture of sizes.

`sizes` is int32 [N, 2], the true (height, width) of every example in pixels, or None
where every example fills the array; then none of these functions does anything.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fcn_jax.ops import window_pooling

Array = jax.Array


def valid(sizes: Array, height: int, width: int) -> Array:
    """Which positions of a padded map lie inside the true extent of their example.

    Args:
        sizes: True (height, width) of every example, [N, 2] integer, pixels.
        height: Height of the padded map.
        width: Width of the padded map.

    Returns:
        [N, height, width, 1] bool.
    """
    rows = jax.lax.broadcasted_iota(sizes.dtype, (1, height, 1, 1), 1)
    cols = jax.lax.broadcasted_iota(sizes.dtype, (1, 1, width, 1), 2)
    sizes = sizes[:, :, None, None, None]  # [N, 2, 1, 1, 1]
    return (rows < sizes[:, 0]) & (cols < sizes[:, 1])


def mask(x: Array, sizes: Array | None) -> Array:
    """Zero outside the true extents, whatever stood there (NaN included).

    Args:
        x: Maps, [N, h, w, C].
        sizes: True (height, width) of every example, [N, 2] integer, or None.

    Returns:
        [N, h, w, C], `x` itself if `sizes` is None.
    """
    if sizes is None:
        return x
    # A selection, not a product: zero times NaN is NaN.
    return jnp.where(valid(sizes, x.shape[1], x.shape[2]), x, jnp.zeros((), x.dtype))


def after_convolution(
    sizes: Array | None, kernel_size: int, stride: int = 1, pad: int = 0
) -> Array | None:
    """Extents after a convolution, which rounds down.

    Args:
        sizes: True (height, width) before the layer, [N, 2] integer, or None.
        kernel_size: Side of the window (dilation (k - 1) + 1 where it is dilated).
        stride: Step of the window.
        pad: Zeros added on every side.

    Returns:
        True (height, width) after it, [N, 2], or None.
    """
    if sizes is None:
        return None
    return (sizes + 2 * pad - kernel_size) // stride + 1


def after_window(
    sizes: Array | None,
    kernel_size: int,
    stride: int = 1,
    pad: int = 0,
    overhang: int | None = None,
) -> Array | None:
    """Extents after a pooling, by Caffe's rounding: up, but no window in the padding.

    Args:
        sizes: True (height, width) before the layer, [N, 2] integer, or None.
        kernel_size: Side of the window.
        stride: Step of the window.
        pad: Pixels by which windows reach over the near edge.
        overhang: See `window_pooling.pooled_size`.

    Returns:
        True (height, width) after it, [N, 2], or None.
    """
    if sizes is None:
        return None
    return window_pooling.pooled_size(sizes, kernel_size, stride, pad, overhang)


def after_upsampling(
    sizes: Array | None, kernel_size: int, stride: int
) -> Array | None:
    """Extents after a transposed convolution without padding.

    Args:
        sizes: True (height, width) before the layer, [N, 2] integer, or None.
        kernel_size: Side of the kernel.
        stride: Upsampling factor.

    Returns:
        True (height, width) after it, [N, 2], or None.
    """
    if sizes is None:
        return None
    return (sizes - 1) * stride + kernel_size


def check(sizes: Array | None, shape: tuple[int, ...]) -> None:
    """Refuse true sizes that do not belong to a padded batch.

    The values are looked at only where they are known: under `jax.jit` only shape and
    dtype are checked, and sizes beyond the padded shape go unnoticed.

    Args:
        sizes: True (height, width) of every example, [N, 2] integer, or None.
        shape: Shape of the padded images, (N, H, W, ...).

    Raises:
        TypeError: If `sizes` is not of an integer dtype.
        ValueError: If `sizes` is not [N, 2], is negative or exceeds (H, W).
    """
    if sizes is None:
        return
    if not jnp.issubdtype(sizes.dtype, jnp.integer):
        raise TypeError(
            f"sizes has dtype {sizes.dtype}; true heights and widths are whole pixels: "
            f"pass int32 [N, 2]."
        )
    if sizes.shape != (shape[0], 2):
        raise ValueError(
            f"sizes has shape {tuple(sizes.shape)}; for images of shape {tuple(shape)} "
            f"pass the true (height, width) of every example, shape ({shape[0]}, 2)."
        )
    if isinstance(sizes, Tracer):
        return
    values = np.asarray(sizes)
    wrong = (values < 0) | (values > np.asarray(shape[1:3]))
    if wrong.any():
        n = int(np.flatnonzero(wrong.any(axis=1))[0])
        height, width = values[n].tolist()
        raise ValueError(
            f"sizes[{n}] = ({height}, {width}) does not fit images of shape "
            f"{tuple(shape)}: true sizes lie in 0..{shape[1]} x 0..{shape[2]}; pass "
            f"(height, width) in pixels as they were before padding, or pad the images "
            f"to a larger shape."
        )
