"""ReLU behind a convolution: its gradient by what it gave is JAX's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import activation, choices
from fcn_jax.ops.choices import Choices

VALUES = jnp.array([-np.inf, -2.0, -0.0, 0.0, 1e-30, 3.0, np.inf, np.nan], jnp.float32)


def relu_and_gradient(values, made):
    with choices.using(made):
        result, pull = jax.vjp(activation.relu_of_sum, values)
        return result, pull(jnp.full_like(values, 5.0))[0]


@pytest.mark.parametrize("dtype", (jnp.float32, jnp.bfloat16))
def test_both_are_jaxs_bit_for_bit(dtype):
    values = VALUES.astype(dtype)
    wide = jnp.float32  # NumPy knows no NaN of bfloat16.
    expected, pull = jax.vjp(jax.nn.relu, values)
    for by_result in (False, True):
        made = Choices(relu_by_result=by_result)
        result, gradient = relu_and_gradient(values, made)
        of_jax = pull(jnp.full_like(values, 5.0))[0]
        np.testing.assert_array_equal(result.astype(wide), expected.astype(wide))
        np.testing.assert_array_equal(gradient.astype(wide), of_jax.astype(wide))


def test_it_is_differentiated_forward_too():
    with choices.using(Choices(relu_by_result=True)):
        _, tangent = jax.jvp(
            activation.relu_of_sum, (VALUES,), (jnp.full_like(VALUES, 5.0),)
        )
    np.testing.assert_array_equal(tangent, [0, 0, 0, 0, 5, 5, 5, 0])


@pytest.mark.parametrize(
    ("platform", "by_result", "barriers"),
    (("cuda", True, 1), ("cuda", False, 0), ("cpu", True, 0)),
)
def test_gpus_are_asked_about_what_it_gave(platform, by_result, barriers):
    traced = jax.jit(
        lambda x: relu_and_gradient(x, Choices(relu_by_result=by_result))
    ).trace(VALUES)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.optimization_barrier") == barriers
