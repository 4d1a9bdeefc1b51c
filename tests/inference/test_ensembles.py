"""Ensembles, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.inference import ensembles


def given(variables, batch):
    """A member whose scores are its variables."""
    del batch
    return variables


def run(*scores, combine="mean_prob"):
    variables = [jnp.asarray(s, jnp.float32).reshape(1, 1, 1, -1) for s in scores]
    found = ensembles.log_probs(
        variables, {}, members=[given] * len(variables), combine=combine
    )
    return np.exp(found.reshape(-1))


def test_mean_of_probabilities():
    found = run(np.log([0.5, 0.25, 0.25]), 7 + np.log([0.1, 0.1, 0.8]))
    np.testing.assert_allclose(found, [0.3, 0.175, 0.525], rtol=1e-5)


def test_product_of_scores_set_to_zero_below_it():
    found = run([2.0, -3.0, 1.0], [1.5, -2.0, -1.0], combine="product_score")
    np.testing.assert_allclose(
        found, np.exp([3, 0, 0]) / np.exp([3, 0, 0]).sum(), rtol=1e-6
    )
    # Both below zero: their product would be positive.
    everywhere = run([-1.0, -2.0], [-3.0, -4.0], combine="product_score")
    np.testing.assert_allclose(everywhere, [0.5, 0.5])


@pytest.mark.parametrize("combine", ensembles.COMBINATIONS)
def test_the_order_of_members_does_not_matter(combine):
    first, second = [0.3, 1.2, -0.5], [2.0, 0.1, 0.4]
    np.testing.assert_allclose(
        run(first, second, combine=combine), run(second, first, combine=combine)
    )


def test_an_ensemble_of_one_is_its_member():
    np.testing.assert_allclose(run(np.log([0.2, 0.8])), [0.2, 0.8], rtol=1e-6)


def test_refusals():
    with pytest.raises(ValueError, match="combine='sum' is not known; .* mean_prob"):
        run([1.0], combine="sum")
    with pytest.raises(ValueError, match="score 2, 3 classes; combine networks"):
        run([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="1 members was given 2 sets of variables"):
        ensembles.log_probs([1, 2], {}, members=[given])
