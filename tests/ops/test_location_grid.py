"""A grid of classifiers, its probabilities mixed: by hand, and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import location_grid


@pytest.mark.parametrize(
    ("pixel", "expected"),
    (
        (0, {0: 1.0}),
        (4, {0: 1.0}),
        (5, {0: 0.95, 1: 0.05}),
        (9, {0: 0.55, 1: 0.45}),
        (24, {1: 0.05, 2: 0.95}),
        (49, {4: 1.0}),
    ),
)
def test_five_cells_over_fifty_pixels_by_hand(pixel, expected):
    """Pixel x lies at (x + 1/2) / 10 - 1/2: 5 at .05 and 24 at 1.95."""
    weights = location_grid.cell_weights(50, 5)[pixel]
    np.testing.assert_allclose(weights, [expected.get(k, 0) for k in range(5)])


def mixed(scores):
    """Probabilities of pixels, as the sum says it: no logarithm."""
    side, grid = scores.shape[0], round(scores.shape[-1] ** 0.5)
    along = location_grid.cell_weights(side, grid)
    cells = 1 / (1 + np.exp(-scores.reshape(side, side, grid, grid)))
    return np.einsum("yi,xj,yxij->yx", along, along, cells)


@pytest.fixture(scope="module")
def scores():
    return np.random.default_rng(0).normal(size=(6, 6, 9)) * 3


def test_probabilities_are_mixed_and_not_scores(scores):
    found = jax.nn.sigmoid(location_grid.mixed_logits(jnp.asarray(scores, "float32")))
    np.testing.assert_allclose(found, mixed(scores), atol=1e-6)
    along = location_grid.cell_weights(6, 3)
    of_scores = np.einsum("yi,xj,yxij->yx", along, along, scores.reshape(6, 6, 3, 3))
    assert np.abs(1 / (1 + np.exp(-of_scores)) - mixed(scores)).max() > 0.1


def test_equal_scores_come_out_as_they_are():
    for score in (-200.0, -1.5, 0.0, 200.0):
        found = location_grid.mixed_logits(jnp.full((2, 4, 4, 4), score))
        np.testing.assert_allclose(found, np.full((2, 4, 4), score), rtol=1e-6)


def test_the_gradient_is_the_published_one(scores):
    """Of label 1: -r_k (1 - p_k), r_k = w_k p_k / p; of 0: r_k p_k (local_layer)."""
    labels = np.random.default_rng(1).integers(0, 2, size=(6, 6))

    def loss(scores):
        logits = location_grid.mixed_logits(scores)
        return -jnp.sum(jax.nn.log_sigmoid(jnp.where(labels == 1, logits, -logits)))

    found = jax.grad(loss)(jnp.asarray(scores, "float32"))
    along = location_grid.cell_weights(6, 3)
    weights = np.einsum("yi,xj->yxij", along, along).reshape(6, 6, 9)
    p = 1 / (1 + np.exp(-scores))
    inside = weights * p / (weights * p).sum(axis=-1, keepdims=True)
    outside = weights * (1 - p) / (weights * (1 - p)).sum(axis=-1, keepdims=True)
    expected = np.where(labels[..., None] == 1, -inside * (1 - p), outside * p)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_extreme_scores_have_finite_losses_and_gradients():
    """All cells sure of the wrong answer: the loss is the score, the gradient 1."""

    def loss(score):
        return -jax.nn.log_sigmoid(
            location_grid.mixed_logits(jnp.full((2, 2, 4), score))
        ).mean()

    value, gradient = jax.value_and_grad(loss)(-300.0)
    assert (float(value), float(gradient)) == (300.0, -1.0)


def test_wrong_grids():
    message = r"grid=51 classifiers .* 50 pixels; choose 1 to 50 \(the published nets"
    with pytest.raises(ValueError, match=message):
        location_grid.check_grid(51, 50)
    with pytest.raises(ValueError, match="grid=0 classifiers"):
        location_grid.cell_weights(50, 0)
    with pytest.raises(ValueError, match=r"\(4, 4, 8\); expected \[\.\.\., side, side"):
        location_grid.mixed_logits(jnp.zeros((4, 4, 8)))


def test_weights_that_all_share_are_not_written_to():
    with pytest.raises(ValueError, match="read-only"):
        location_grid.cell_weights(6, 3)[0] = 0
