"""The ReLU of a convolution and its bias, which a library computes in one pass.

cuDNN adds a bias and cuts off what is negative while it writes a map. XLA has it do so
where nothing else asks for the map before; the gradient of JAX's ReLU does.
"""

import jax
import jax.numpy as jnp

from fcn_jax.ops import choices

Array = jax.Array


def relu_of_sum(x: Array) -> Array:
    """max(x, 0), for a map that has just got its bias.

    Args:
        x: Floating; NaN stays NaN.

    Returns:
        Of the shape and dtype of `x`; its gradient is 1 where that is positive, else 0.
    """
    return _relu(x) if choices.current().relu_by_result else jax.nn.relu(x)


@jax.custom_jvp
def _relu(x: Array) -> Array:
    return jnp.maximum(x, jnp.zeros((), x.dtype))


@_relu.defjvp
def _relu_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    result = _relu(*primals)
    (tangent,) = tangents
    passes = jax.lax.platform_dependent(
        result, cpu=lambda result: result > 0, default=_is_positive
    )
    return result, jnp.where(passes, tangent, jnp.zeros_like(tangent))


def _is_positive(result: Array) -> Array:
    # XLA would ask of x, not of max(x, 0), whether it is positive.
    return jax.lax.optimization_barrier(result) > 0
