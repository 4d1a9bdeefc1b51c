"""Cross-entropy of scores before their upsampling, against that of all logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops.upsampled import Frame, Upsampled
from fcn_jax.training import losses
from fcn_jax.training.loss_options import LossOptions

CLASSES = 4
# As in FCN-8s with either padding, FCN-AlexNet, and odd ones: of one cell; whose image
# ends within a block; whose kernel is shorter than two blocks.
FRAMES = {
    "caffe": (Frame(8, 16, 31, (20, 21)), (9, 9)),
    "same": (Frame(8, 16, 4, (23, 16)), (3, 3)),
    "alexnet": (Frame(32, 63, 18, (40, 33)), (3, 3)),
    "one cell": (Frame(2, 4, 1, (2, 2)), (1, 1)),
    "odd": (Frame(3, 5, 2, (7, 8)), (4, 4)),
}


def drawn(frame, cells, dtype=np.float32):
    rng = np.random.default_rng(0)
    scores = jnp.asarray(rng.normal(size=(2, *cells, CLASSES)) * 4, dtype)
    labels = rng.integers(0, CLASSES + 1, (2, *frame.size))
    labels = np.where(labels == CLASSES, 255, labels)
    return scores, jnp.asarray(labels, jnp.int32)


def both_ways(options, scores, labels, frame, keys=None):
    """The loss and its gradient: of all logits, and of what makes them."""
    loss = losses.CrossEntropy(options)
    batch = {"labels": labels}
    keys = jax.random.split(jax.random.key(0), 2) if keys is None else keys

    def total(scores, logits_of):
        (part,) = loss(logits_of(Upsampled(scores, frame)), batch, keys)
        weight = jnp.where(part.weight > 0, part.weight, 1)
        return part.total / weight, part

    found = []
    for logits_of in (Upsampled.whole, lambda logits: logits):
        value = jax.value_and_grad(total, has_aux=True)
        found.append(jax.jit(value, static_argnums=1)(scores, logits_of))
    return found


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize(
    "options",
    (
        LossOptions(),
        LossOptions(class_weights=(1.0, 0.0, 3.0, 0.5)),
        LossOptions(pixel_probability=0.5),
        LossOptions(label_shrink=2),  # Of all logits, either way.
    ),
    ids=("plain", "weighted", "sampled", "shrunk"),
)
def test_it_is_that_of_the_logits(name, options):
    frame, cells = FRAMES[name]
    with jax.enable_x64(True):
        given = drawn(frame, cells, np.float64)
        (plain, gradient), (fused, of_scores) = both_ways(options, *given, frame)
        for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(fused), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-12)
        assert np.abs(gradient).max() > 1e-3
        np.testing.assert_allclose(of_scores, gradient, rtol=1e-10, atol=1e-14)


def test_in_float32_they_differ_by_rounding():
    frame, cells = FRAMES["caffe"]
    given = drawn(frame, cells)
    (plain, gradient), (fused, of_scores) = both_ways(LossOptions(), *given, frame)
    np.testing.assert_allclose(fused[0], plain[0], rtol=1e-6)
    np.testing.assert_allclose(of_scores, gradient, atol=1e-6 * np.abs(gradient).max())


def test_without_a_pixel_that_counts_it_is_0_whatever_the_scores():
    frame, cells = FRAMES["same"]
    scores, labels = drawn(frame, cells)
    void = jnp.full_like(labels, 255)
    scores = scores.at[0, 0, 0].set(jnp.nan)
    _, (fused, of_scores) = both_ways(LossOptions(), scores, void, frame)
    assert fused[0] == 0
    np.testing.assert_array_equal(of_scores, 0)


def test_large_scores_do_not_overflow():
    frame, cells = FRAMES["same"]
    scores, labels = drawn(frame, cells)
    (plain, _), (fused, of_scores) = both_ways(
        LossOptions(), scores * 1e4, labels, frame
    )
    np.testing.assert_allclose(fused[0], plain[0], rtol=1e-6)
    assert np.isfinite(of_scores).all()


def test_weights_are_one_a_class():
    frame, cells = FRAMES["same"]
    scores, labels = drawn(frame, cells)
    with pytest.raises(ValueError, match=r"class_weights have shape \(2,\); expected"):
        both_ways(LossOptions(class_weights=(1.0, 2.0)), scores, labels, frame)
