"""The products of class scores: few, and everything after them is a sum of them.

On GPUs and TPUs a net of bfloat16 multiplies features and weights in bfloat16 there, as
everywhere in it, and adds in float32. In float32 instead, the maps before the scores
would be written again in twice their size, and their gradients too (DeconvNet, 64 of
224x224: 1.6 GB a step). A net of float32 has its scores in float32, at full precision.
"""

import jax
import jax.numpy as jnp

from fcn_jax.ops import choices, convolution

Array = jax.Array


def score(x: Array, kernel: Array) -> Array:
    """Score features, without a bias.

    Args:
        x: Features, [N, h, w, F] of any float.
        kernel: [F, C], float32 or float64.

    Returns:
        [N, h, w, C] of the kernel's dtype.
    """
    narrow = choices.current().narrow_scores and _is_narrower(x, kernel)
    if not narrow:
        return _wide(x, kernel)
    # Outside of training JAX differentiates, forward too.
    product = _narrow if convolution.differentiates_in_reverse() else _narrow_product
    return jax.lax.platform_dependent(x, kernel, cpu=_wide, default=product)


def _is_narrower(x: Array, kernel: Array) -> bool:
    return x.dtype.itemsize < kernel.dtype.itemsize and kernel.dtype == jnp.float32


def _wide(x: Array, kernel: Array) -> Array:
    """Products and sums of the kernel's dtype, as a 1x1 convolution."""
    return convolution.conv_general_dilated(
        x.astype(kernel.dtype),
        kernel[None, None],
        (1, 1),
        ((0, 0), (0, 0)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=jax.lax.Precision.HIGHEST,
    )


def _narrow_product(x: Array, kernel: Array) -> Array:
    """Products of x's dtype, sums of float32."""
    return _product(x, kernel.astype(x.dtype), ((x.ndim - 1,), (0,)), jnp.float32)


@jax.custom_vjp
def _narrow(x: Array, kernel: Array) -> Array:
    """`_narrow_product`, whose gradients are products of x's dtype too."""
    return _narrow_product(x, kernel)


def _narrow_forward(x: Array, kernel: Array):
    return _narrow_product(x, kernel), (x, kernel)


def _narrow_backward(residual: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, kernel = residual
    g, rest = g.astype(x.dtype), tuple(range(x.ndim - 1))
    of_x = _product(g, kernel.astype(x.dtype), ((x.ndim - 1,), (1,)), x.dtype)
    of_kernel = _product(x, g, (rest, rest), kernel.dtype)
    return of_x, of_kernel


_narrow.defvjp(_narrow_forward, _narrow_backward)


def _product(
    lhs: Array,
    rhs: Array,
    contracted: tuple[tuple[int, ...], tuple[int, ...]],
    dtype: jnp.dtype,
) -> Array:
    return jax.lax.dot_general(
        lhs, rhs, (contracted, ((), ())), preferred_element_type=dtype
    )
