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
