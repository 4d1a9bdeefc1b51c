"""How a decoder may start: as an upsampling, the way that FCN's deconvolutions do.

A random decoder of many layers has to learn first to hand on what the encoder found;
one that starts as an upsampling of it learns to refine.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 3.3 (deconvolutions that start bilinear);
    Zagoruyko and Komodakis 2017, arXiv:1706.00388 (kernels that start as identities).
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

NOISE = 0.3  # Of the deviation that He et al. 2015 start such a kernel with.


def upsampling(reach: int = 0) -> Callable[..., Array]:
    """Initializer of deconvolutions that hand on what they are given, and noise.

    Where channels become fewer, output o sums inputs o, o + O, o + 2 O, ...; where they
    become more, output o has input o mod I. The noise (`NOISE`) keeps channels that
    start alike from learning the same.

    Args:
        reach: How far every value spreads, cells in each direction. 0: it stays where
            it is. 1, after unpooling: it fills the 2x2 window that it alone came to,
            wherever in it that was.

    Returns:
        Initializer of kernels [k, k, I, O], k odd and above 2 reach: (key, shape,
        dtype) -> kernel.
    """

    def init(key: jax.Array, shape: Sequence[int], dtype: jnp.dtype = jnp.float32):
        size, _, inputs, outputs = shape
        channels = np.arange(max(inputs, outputs))
        near = slice(size // 2 - reach, size // 2 + reach + 1)
        kernel = np.zeros(shape)
        kernel[near, near, channels % inputs, channels % outputs] = 1
        noise = nn.initializers.he_normal()(key, shape, dtype)
        return jnp.asarray(kernel, dtype) + NOISE * noise

    return init
