"""Local response normalisation across and within channels, as Caffe computes it.

References:
    Krizhevsky, Sutskever and Hinton 2012, sec. 3.3; BVLC/caffe, lrn_layer.cpp.
"""

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def local_response_normalization(
    x: Array,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Array:
    """Divide every value by a power of the sum of squares of its neighbours.

    `y_c = x_c / (k + alpha / size * sum of x_j ** 2) ** beta`, `|j - c| <= size // 2`;
    Caffe divides alpha by the channels of a window, the paper does not.

    Args:
        x: Maps, [N, h, w, C] floating point; sums are at least float32.
        size: Channels of a window, odd.
        alpha: Factor on the mean square.
        beta: Exponent.
        k: What is added, so that nothing is divided by zero.

    Returns:
        [N, h, w, C] of the dtype of `x`; zero where `x` is.

    Raises:
        ValueError: If `size` is not odd and positive.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(
            f"local_response_normalization: size={size} is not odd and positive; a "
            f"window has a channel in its middle (AlexNet and GoogLeNet take 5)."
        )
    wide = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    square = jnp.square(x.astype(wide))
    total = jax.lax.reduce_window(
        square,
        np.zeros((), wide),  # Known while tracing: only then has it a gradient.
        jax.lax.add,
        window_dimensions=(1, 1, 1, size),
        window_strides=(1, 1, 1, 1),
        padding=((0, 0), (0, 0), (0, 0), (size // 2, size // 2)),
    )
    return (x.astype(wide) * (k + alpha / size * total) ** -beta).astype(x.dtype)


def within_channel(
    x: Array, size: int = 3, alpha: float = 5e-5, beta: float = 0.75
) -> Array:
    """Divide every value by a power of the mean square of those around it.

    `y = x / (1 + alpha * mean of squares) ** beta`, over size x size values of its own
    channel; beyond the map these are 0 and counted, as Caffe counts its padding.

    Args:
        x: Maps, [N, h, w, C] floating point; sums are at least float32.
        size: Side of a window, odd.
        alpha: Factor on the mean square.
        beta: Exponent.

    Returns:
        [N, h, w, C] of the dtype of `x`; zero where `x` is.

    Raises:
        ValueError: If `size` is not odd and positive.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(
            f"within_channel: size={size} is not odd and positive; a window has a "
            f"value in its middle (ZF-5 takes 3)."
        )
    wide = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    half = (size // 2, size // 2)
    total = jax.lax.reduce_window(
        jnp.square(x.astype(wide)),
        np.zeros((), wide),  # Known while tracing: only then has it a gradient.
        jax.lax.add,
        window_dimensions=(1, size, size, 1),
        window_strides=(1, 1, 1, 1),
        padding=((0, 0), half, half, (0, 0)),
    )
    return (x.astype(wide) * (1 + alpha / size**2 * total) ** -beta).astype(x.dtype)
