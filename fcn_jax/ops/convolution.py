"""First, short form of this module."""

import jax
import jax.numpy as jnp


def conv_general_dilated(
    lhs, rhs, window_strides=(1, 1), padding=((0, 0), (0, 0)), **kw
):
    def native(lhs, rhs):
        return jax.lax.conv_general_dilated(lhs, rhs, window_strides, padding, **kw)

    kh, kw_ = rhs.shape[:2]
    if kh * kw_ <= 9:
        return native(lhs, rhs)

    def im2col(x, w):
        (t, b), (l, r) = padding
        xp = jnp.pad(x, ((0, 0), (t, b), (l, r), (0, 0)))
        oh, ow = xp.shape[1] - kh + 1, xp.shape[2] - kw_ + 1
        cols = jnp.concatenate(
            [xp[:, i : i + oh, j : j + ow] for i in range(kh) for j in range(kw_)], -1
        )
        y = cols.reshape(-1, cols.shape[-1]) @ w.reshape(-1, w.shape[-1])
        return y.reshape(*cols.shape[:3], -1)

    return jax.lax.platform_dependent(lhs, rhs, cpu=im2col, default=native)
