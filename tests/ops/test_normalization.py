"""Local response normalisation, against a loop over channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.ops import normalization


def test_values_against_a_loop(key):
    x = np.asarray(jax.random.normal(key, (1, 2, 3, 7)), np.float64)
    expected = np.empty_like(x)
    for c in range(7):
        near = x[..., max(0, c - 2) : c + 3]
        scale = 1.0 + 0.5 / 5 * (near**2).sum(-1)
        expected[..., c] = x[..., c] * scale**-0.75
    ours = normalization.local_response_normalization(jnp.asarray(x, "float32"), 5, 0.5)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_zero_stays_zero_and_dtype_stays():
    x = jnp.zeros((1, 2, 2, 4), jnp.bfloat16)
    ours = normalization.local_response_normalization(x)
    assert ours.dtype == jnp.bfloat16
    assert not ours.any()


def test_gradients(key):
    x = jax.random.normal(key, (1, 2, 2, 5))
    check_grads(
        lambda x: normalization.local_response_normalization(x, 3, 0.5), (x,), order=1
    )


@pytest.mark.parametrize("size", (0, 4))
def test_a_window_has_a_middle(size):
    with pytest.raises(ValueError, match=f"size={size} is not odd and positive"):
        normalization.local_response_normalization(jnp.ones((1, 1, 1, 8)), size)


def test_within_a_channel_against_a_loop(key):
    """Nine squares to a window, those beyond the map being zeros that count."""
    x = np.asarray(jax.random.normal(key, (1, 4, 5, 2)), np.float64)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.empty_like(x)
    for i in range(4):
        for j in range(5):
            near = padded[0, i : i + 3, j : j + 3] ** 2
            expected[0, i, j] = x[0, i, j] * (1 + 0.5 * near.sum((0, 1)) / 9) ** -0.75
    ours = normalization.within_channel(jnp.asarray(x, "float32"), 3, 0.5)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_gradients_within_a_channel(key):
    x = jax.random.normal(key, (1, 3, 3, 2))
    check_grads(lambda x: normalization.within_channel(x, 3, 0.5), (x,), order=1)


def test_a_window_within_a_channel_has_a_middle():
    with pytest.raises(ValueError, match="within_channel: size=2 is not odd and"):
        normalization.within_channel(jnp.ones((1, 1, 1, 8)), 2)
