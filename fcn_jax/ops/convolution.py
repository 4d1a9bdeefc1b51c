"""Convolution as the networks call it, and the one place where backends differ.

On the CPU, XLA computes a convolution with a large window (fc6: 7x7) over a small map
by its slowest path: 1 GFLOP/s was measured for 256 -> 1024 channels on 6x8 cells where
the same product as a matrix multiplication reaches 80. There such a convolution is
written as that multiplication (Caffe's im2col). Models do not see the difference.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from fcn_jax.ops import bilinear

Array = jax.Array

# The 3x3 windows of the trunk are fast as they are.
_LARGEST_NATIVE_WINDOW = 9


def conv_general_dilated(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    **options: Any,
) -> Array:
    """`jax.lax.conv_general_dilated` for NHWC maps and HWIO kernels.

    Args:
        lhs: Maps, [N, H, W, I].
        rhs: Kernel, [kh, kw, I, O].
        window_strides: (rows, columns).
        padding: ((top, bottom), (left, right)).
        **options: As of `jax.lax.conv_general_dilated`.

    Returns:
        [N, H', W', O].
    """

    def native(lhs, rhs):
        return jax.lax.conv_general_dilated(
            lhs, rhs, window_strides, padding, **options
        )

    kh, kw = rhs.shape[:2]
    if kh * kw <= _LARGEST_NATIVE_WINDOW or tuple(window_strides) != (1, 1):
        return native(lhs, rhs)

    def as_product(lhs, rhs):
        return _im2col_convolution(lhs, rhs, padding)

    return jax.lax.platform_dependent(lhs, rhs, cpu=as_product, default=native)


def _im2col_convolution(
    x: Array, kernel: Array, padding: Sequence[tuple[int, int]]
) -> Array:
    """A stride-1 convolution as one product of the windows with the kernel."""
    kh, kw, _, features = kernel.shape
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    windows = [
        x[:, i : i + rows, j : j + columns] for i in range(kh) for j in range(kw)
    ]
    windows = jnp.concatenate(windows, axis=-1)  # [N, rows, columns, kh * kw * I]
    return windows @ kernel.reshape(-1, features)


def deconvolution(
    x: Array,
    kernel: Array,
    pad: int,
    precision: jax.lax.Precision | None = None,
) -> Array:
    """Transposed convolution of stride 1: y[i + a - pad] += x[i] @ kernel[a].

    Args:
        x: Maps, [N, h, w, I].
        kernel: [k, k, I, O]; a Caffe or PyTorch kernel [I, O, k, k] transposed by
            (2, 3, 0, 1), without a flip.
        pad: Rows and columns that are cut off the result on every side.
        precision: Of the products.

    Returns:
        [N, h + k - 1 - 2 pad, w + k - 1 - 2 pad, O] of x's dtype.
    """
    reach = kernel.shape[0] - 1 - pad
    if kernel.shape[0] * kernel.shape[1] > _LARGEST_NATIVE_WINDOW:
        # fc6-deconv: a map of one cell becomes 7x7; a convolution would multiply 48
        # zeros for every value that counts.
        y = bilinear.conv_transpose(x, kernel, 1, precision)
        return y[:, pad : y.shape[1] - pad, pad : y.shape[2] - pad]
    return conv_general_dilated(
        x,
        kernel[::-1, ::-1],
        window_strides=(1, 1),
        padding=((reach, reach), (reach, reach)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=precision,
    )
