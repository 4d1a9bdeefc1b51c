"""Gaussian filtering exactly, for tests and for small images.

References:
    Krähenbühl and Koltun 2011, arXiv:1210.5644, eq. 3: every kernel of the dense CRF is
    exp(-|f_i - f_j|^2 / 2) in features that are divided by their standard deviations.
"""

import jax
import jax.numpy as jnp

Array = jax.Array


def exact_filter(
    features: Array, values: Array, valid: Array | None = None, block: int = 512
) -> Array:
    """The sum over all points j of exp(-|f_i - f_j|^2 / 2) v_j, itself included.

    Time grows with the square of the number of points, memory with `block` times them.

    Args:
        features: Points, [N, d] floating.
        values: [N, C] floating.
        valid: Points that count, [N] bool; None: all.
        block: Points of the result that are computed at a time.

    Returns:
        [N, C].
    """
    count, d = features.shape
    if valid is not None:
        values = jnp.where(valid[:, None], values, jnp.zeros((), values.dtype))
    pad = -count % block
    padded = jnp.pad(features, ((0, pad), (0, 0))).reshape(-1, block, d)

    def rows(some: Array):
        squares = jnp.zeros((block, count), features.dtype)
        for axis in range(d):
            squares = squares + (some[:, axis, None] - features[None, :, axis]) ** 2
        kernel = jnp.exp(-0.5 * squares).astype(values.dtype)
        return jnp.matmul(kernel, values, precision=jax.lax.Precision.HIGHEST)

    return jax.lax.map(rows, padded).reshape(-1, values.shape[1])[:count]
