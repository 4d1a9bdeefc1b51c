import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.ops import filtering


def test_two_points_by_hand():
    features = jnp.array([[0.0, 0.0], [1.0, 1.0]])
    found = filtering.exact_filter(features, jnp.array([[1.0], [10.0]]))
    np.testing.assert_allclose(
        found[:, 0], [1 + 10 * np.exp(-1), 10 + np.exp(-1)], rtol=1e-6
    )


@pytest.mark.parametrize("block", (1, 7, 64))
def test_blocks_and_points_that_do_not_count(block):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 5)).astype(np.float32)
    values = rng.normal(size=(30, 2)).astype(np.float32)
    valid = np.arange(30) % 4 != 0
    squares = ((features[:, None] - features[None]) ** 2).sum(-1)
    expected = np.exp(-0.5 * squares) @ (values * valid[:, None])
    found = filtering.exact_filter(
        jnp.asarray(features), jnp.asarray(values), jnp.asarray(valid), block
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_gradients():
    rng = np.random.default_rng(1)
    features = jnp.asarray(rng.normal(size=(6, 2)), jnp.float32)
    values = jnp.asarray(rng.normal(size=(6, 2)), jnp.float32)
    check_grads(
        lambda v: filtering.exact_filter(features, v),
        (values,),
        order=1,
        modes=("rev",),
        atol=1e-2,
        rtol=1e-2,
    )
