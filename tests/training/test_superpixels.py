"""The loss of superpixels, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.data import frequencies
from fcn_jax.training import losses
from fcn_jax.training.losses import LossOptions
from fcn_jax.training.superpixels import SuperpixelCrossEntropy

# Three superpixels of 3, 2 and 1 pixels, and what lies beyond the image.
SUPERPIXELS = jnp.array([[[0, 0, 0], [1, 1, 2], [-1, -1, -1]]])
LABELS = jnp.array([[[1, 1, 0], [0, 0, 255], [255, 255, 255]]], jnp.uint8)
SCORES = np.array([[0.0, 1.0], [2.0, -1.0], [5.0, 5.0]])
LOGITS = jnp.asarray(
    np.where((SUPERPIXELS >= 0)[..., None], SCORES[SUPERPIXELS], 0), "float32"
)


def loss_of(**options):
    options = {"superpixels": 4} | options
    return SuperpixelCrossEntropy(LossOptions(**options))


def part_of(loss, logits=LOGITS, labels=LABELS):
    batch = {"labels": labels, "superpixels": SUPERPIXELS}
    (part,) = loss(logits, batch, jax.random.split(jax.random.key(0), 1))
    return part


def test_a_superpixel_counts_once_whatever_its_size():
    part = part_of(loss_of())
    log_p = np.log([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-3))])
    np.testing.assert_allclose(part.total, -log_p.sum(), rtol=1e-6)
    assert (part.count, part.weight) == (2, 2)  # One is void.


def test_classes_count_alike_by_one_over_their_share():
    weights = frequencies.inverse_weights(np.array([0.5, 0.25, 0.25, 0]))
    assert weights == (2, 4, 4, 0)
    assert [0.5 * weights[0], 0.25 * weights[1], 0.25 * weights[2]] == [1, 1, 1]


def test_weights_are_factors_and_the_mean_is_over_superpixels():
    part = part_of(loss_of(class_weights=(2.0, 4.0)))
    log_p = np.log([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-3))])
    np.testing.assert_allclose(part.total, -(4 * log_p[0] + 2 * log_p[1]), rtol=1e-6)
    mean = losses.reduce_loss(part.total, part.weight, 1, "mean")
    np.testing.assert_allclose(mean, part.total / 2)


def test_of_void_there_is_no_loss_and_no_gradient():
    void = jnp.full_like(LABELS, 255)
    value, grad = jax.value_and_grad(lambda x: part_of(loss_of(), x, void).total)(
        LOGITS
    )
    assert value == 0
    np.testing.assert_array_equal(grad, jnp.zeros_like(LOGITS))
    assert part_of(loss_of(), labels=void).count == 0


def test_void_may_be_a_low_label():
    part = part_of(loss_of(ignore_label=0))
    assert part.count == 1  # The second superpixel is void now, as is 255.


def test_the_gradient_is_shared_by_the_pixels():
    grad = jax.grad(lambda x: part_of(loss_of(), x).total)(LOGITS)
    p = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(grad[0, 0], [[(1 - p) / 3, (p - 1) / 3]] * 3, rtol=1e-5)
    np.testing.assert_array_equal(grad[0, 2], jnp.zeros((3, 2)))


def test_heads_have_a_part_each():
    batch = {"labels": {"a": LABELS, "b": LABELS}, "superpixels": SUPERPIXELS}
    parts = loss_of()({"b": 2 * LOGITS, "a": LOGITS}, batch, jnp.zeros(1))
    assert parts[0].total == part_of(loss_of()).total != parts[1].total


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="superpixels=0 is how many an image may have"):
        SuperpixelCrossEntropy(LossOptions())
    with pytest.raises(ValueError, match="the batch has labels, and no superpixels"):
        loss_of()(LOGITS, {"labels": LABELS}, jnp.zeros(1))
