"""Scores by narrow products, against float64; and which devices take which."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import choices, scoring

CHANNELS, CLASSES = 16, 3


def drawn(dtype):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 3, 4, CHANNELS)), dtype)
    kernel = jnp.asarray(rng.normal(size=(CHANNELS, CLASSES)), jnp.float32)
    return x, kernel


def reference(x, kernel):
    return np.asarray(x, np.float64) @ np.asarray(kernel, np.float64)


def text_for(platform, dtype, **settings):
    """The scores of a dtype as they are lowered for a platform."""
    with choices.using(choices.Choices(**settings)):
        traced = jax.jit(lambda *given: scoring.score(*given)).trace(*drawn(dtype))
    return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("dtype", (jnp.float32, jnp.bfloat16))
def test_on_a_cpu_products_are_of_float32(dtype):
    x, kernel = drawn(dtype)
    found = scoring.score(x, kernel)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, reference(x, kernel), rtol=1e-5, atol=1e-5)


def test_narrow_products_round_the_weights_alone():
    x, kernel = drawn(jnp.bfloat16)
    found = scoring._narrow(x, kernel)
    assert found.dtype == jnp.float32
    exact = reference(x, kernel.astype(jnp.bfloat16))
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-5)
    assert np.abs(found - reference(x, kernel)).max() > 1e-4


def test_their_gradients_are_those_of_the_product():
    x, kernel = drawn(jnp.bfloat16)
    # Of few bits, so that nothing is rounded.
    g = jnp.asarray(np.random.default_rng(1).integers(-4, 5, (2, 3, 4, CLASSES)))
    value, pull = jax.vjp(scoring._narrow, x, kernel)
    of_x, of_kernel = pull(g.astype(value.dtype))
    assert (of_x.dtype, of_kernel.dtype) == (jnp.bfloat16, jnp.float32)
    narrow = kernel.astype(jnp.bfloat16)
    expected = np.asarray(g, np.float64) @ np.asarray(narrow, np.float64).T
    np.testing.assert_allclose(of_x.astype(jnp.float32), expected, rtol=1e-2, atol=0.05)
    expected = np.einsum("nhwi,nhwo->io", np.asarray(x, np.float64), g)
    np.testing.assert_allclose(of_kernel, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("platform", ("cuda", "tpu"))
def test_on_accelerators_maps_of_bfloat16_stay_as_they_are(platform):
    shape = f"tensor<2x3x4x{CHANNELS}xf32>"
    assert shape not in text_for(platform, jnp.bfloat16)
    assert shape in text_for(platform, jnp.bfloat16, narrow_scores=False)
    assert shape in text_for("cpu", jnp.bfloat16)


@pytest.mark.parametrize("platform", ("cuda", "cpu"))
def test_scores_of_float32_are_at_full_precision(platform):
    assert "HIGHEST" in text_for(platform, jnp.float32)


def test_outside_of_training_they_are_differentiated_forward_too():
    x, kernel = drawn(jnp.bfloat16)

    def derivative(kernel):
        return jax.jvp(lambda k: scoring.score(x, k), (kernel,), (kernel,))[1]

    np.testing.assert_allclose(
        derivative(kernel), scoring.score(x, kernel), rtol=1e-5, atol=1e-5
    )
