import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.training import losses
from tests.support.paths import GOLDEN


def labels_of(*rows):
    return jnp.asarray([rows], jnp.int32)


def test_by_hand():
    logits = jnp.log(jnp.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]))[None, None]
    loss = losses.cross_entropy(logits, labels_of([0, 1]))
    assert float(loss.total) == pytest.approx(-np.log(0.7) - np.log(0.1), rel=1e-6)
    assert (float(loss.count), float(loss.weight)) == (2, 2)


def test_void_counts_nowhere(key):
    logits = jax.random.normal(key, (1, 1, 3, 4))
    whole = losses.cross_entropy(logits[:, :, :2], labels_of([1, 2]))
    with_void = losses.cross_entropy(logits, labels_of([1, 2, 255]))
    for a, b in zip(whole, with_void, strict=True):
        np.testing.assert_array_equal(a, b)


def test_all_void_gives_zero_and_a_zero_gradient(key):
    logits = jax.random.normal(key, (1, 2, 2, 3))
    labels = jnp.full((1, 2, 2), 255)

    def mean(logits):
        loss = losses.cross_entropy(logits, labels)
        return losses.reduce_loss(loss.total, loss.weight, 1, "mean")

    value, gradient = jax.value_and_grad(mean)(logits)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


def test_fresh_scores_give_the_log_of_the_classes():
    loss = losses.cross_entropy(jnp.zeros((1, 5, 4, 21)), jnp.zeros((1, 5, 4), int))
    assert float(loss.total) == pytest.approx(20 * np.log(21), rel=1e-6)


def test_class_weights():
    logits = jnp.zeros((1, 1, 2, 2))
    weights = jnp.array([1.0, 3.0])
    loss = losses.cross_entropy(logits, labels_of([0, 1]), class_weights=weights)
    assert float(loss.total) == pytest.approx(4 * np.log(2))
    assert (float(loss.count), float(loss.weight)) == (2, 4)


def test_a_class_of_weight_0_is_void(key):
    logits = jax.random.normal(key, (1, 2, 3, 3))
    labels = labels_of([0, 1, 2], [2, 1, 0])
    void = jnp.where(labels == 1, 255, labels)

    def total(logits, labels, weights):
        return losses.cross_entropy(logits, labels, class_weights=weights).total

    value = jax.value_and_grad(total)
    ours = value(logits, labels, jnp.array([1.0, 0.0, 1.0]))
    theirs = value(logits, void, jnp.ones(3))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)
    alone = value(logits, jnp.ones_like(labels), jnp.array([1.0, 0.0, 1.0]))
    assert float(alone[0]) == 0
    assert not np.asarray(alone[1]).any()


def test_labels_that_are_no_class_do_not_reach_the_loss():
    logits, labels = jnp.zeros((1, 1, 3, 2)), labels_of([0, -1, 7])
    loss = jax.jit(losses.cross_entropy)(logits, labels)
    assert float(loss.total) == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match=r"label -1 at \(0, 0, 1\); with 2 classes la"):
        losses.cross_entropy(logits, labels)


def test_gradient_is_probability_minus_truth(key):
    logits = jax.random.normal(key, (2, 3, 4, 5))
    labels = jax.random.randint(key, (2, 3, 4), 0, 5).at[0, 0].set(255)

    def total(logits):
        return losses.cross_entropy(logits, labels).total

    check_grads(total, (logits,), order=1, modes=("rev",), atol=1e-2, rtol=1e-2)
    truth = jax.nn.one_hot(labels, 5)
    expected = jnp.where((labels == 255)[..., None], 0, jax.nn.softmax(logits) - truth)
    np.testing.assert_allclose(jax.grad(total)(logits), expected, atol=1e-6)


@pytest.mark.parametrize("reduction", losses.REDUCTIONS)
@pytest.mark.parametrize("name", ("plain", "weighted"))
def test_the_recorded_losses_and_gradients(name, reduction):
    golden = dict(np.load(GOLDEN / "losses.npz"))
    weights = jnp.asarray(golden["class_weights"]) if name == "weighted" else None

    def loss_of(logits):
        labels = jnp.asarray(golden["labels"])
        loss = losses.cross_entropy(logits, labels, class_weights=weights)
        return losses.reduce_loss(loss.total, loss.weight, 1, reduction)

    value, gradient = jax.jit(jax.value_and_grad(loss_of))(golden["logits"])
    expected = golden[f"{name}_{reduction}_grad"]
    # Recorded in float64; ours is float32.
    np.testing.assert_allclose(value, golden[f"{name}_{reduction}"], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected, atol=1e-6 * np.abs(expected).max())


def test_float64_stays_float64():
    golden = dict(np.load(GOLDEN / "losses.npz"))
    with jax.enable_x64(True):
        logits, labels = jnp.asarray(golden["logits"], float), golden["labels"]
        loss = losses.cross_entropy(logits, labels)
        assert {leaf.dtype for leaf in loss} == {jnp.dtype("float64")}
        assert float(loss.total) == pytest.approx(golden["plain_sum"], rel=1e-14)


@pytest.mark.parametrize("dtype", (jnp.uint8, jnp.int32))
@pytest.mark.parametrize("ignore_label", (255, 0, -1))
def test_any_ignore_label_and_integer(dtype, ignore_label, key):
    logits = jax.random.normal(key, (1, 1, 3, 3))
    labels = jnp.array([[[0, 1, 255]]], dtype)
    loss = jax.jit(losses.cross_entropy, static_argnames="ignore_label")(
        logits, labels, ignore_label=ignore_label
    )
    counting = [1] if ignore_label == 0 else [0, 1]
    log_probs = jax.nn.log_softmax(logits)[0, 0]
    expected = -sum(float(log_probs[pixel, pixel]) for pixel in counting)
    assert float(loss.total) == pytest.approx(expected, rel=1e-6)
    assert int(loss.count) == len(counting)


def test_left_out_pixels_count_nowhere(key):
    logits = jax.random.normal(key, (1, 2, 2, 3))
    labels = labels_of([0, 1], [2, 255])
    keep = jnp.array([[[True, False], [False, True]]])
    kept = losses.cross_entropy(logits, labels, keep=keep)
    void = jnp.where(keep, labels, 255)
    for a, b in zip(kept, losses.cross_entropy(logits, void), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(kept.count) == 1


def test_a_constant_added_to_all_scores_changes_nothing():
    # Differences of scores are what counts; a log-sum-exp in float32 would lose them.
    logits = jnp.array([[0.0, 1.0, 2.0]])[None, None]
    near, far = (
        losses.cross_entropy(logits + shift, labels_of([0])).total
        for shift in (0.0, 2.0**20)
    )
    assert float(near) == float(far)


def test_no_direction_gathers_or_scatters():
    logits = jnp.zeros((1, 4, 4, 3))
    labels = jnp.zeros((1, 4, 4), jnp.int32)
    lowered = jax.jit(
        jax.value_and_grad(lambda x: losses.cross_entropy(x, labels).total)
    ).lower(logits)
    assert "scatter" not in lowered.as_text()
    assert "gather" not in lowered.as_text()


def test_bfloat16_logits_give_a_float32_loss():
    logits = jnp.zeros((1, 1, 1, 3), jnp.bfloat16)
    loss, gradient = jax.value_and_grad(
        lambda x: losses.cross_entropy(x, labels_of([0])).total
    )(logits)
    assert loss.dtype == jnp.float32
    assert float(loss) == pytest.approx(np.log(3), rel=1e-6)
    assert gradient.dtype == jnp.bfloat16


def test_huge_scores_stay_finite():
    logits = jnp.array([[1e30, -1e30], [0.0, 0.0]]).reshape(1, 1, 2, 2)
    loss, gradient = jax.value_and_grad(
        lambda x: losses.cross_entropy(x, labels_of([0, 1])).total
    )(logits)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


def test_reductions():
    total, weight = jnp.float32(12), jnp.float32(4)
    assert losses.reduce_loss(total, weight, 2, "sum") == 6
    assert losses.reduce_loss(total, weight, 2, "mean") == 3
    assert losses.reduce_loss(jnp.float32(0.1), jnp.float32(0.5), 1, "mean") == 0.2


def test_errors():
    logits, labels = jnp.zeros((1, 2, 2, 3)), jnp.zeros((1, 2, 2), int)
    with pytest.raises(ValueError, match=r"logits .* and labels .* do not fit"):
        losses.cross_entropy(logits, labels[:, :1])
    with pytest.raises(TypeError, match="labels are float32; expected integers"):
        losses.cross_entropy(logits, labels.astype(jnp.float32))
    with pytest.raises(
        ValueError, match=r"class_weights have shape \(2,\).* 3 classes"
    ):
        losses.cross_entropy(logits, labels, class_weights=jnp.ones(2))
    with pytest.raises(ValueError, match="loss reduction 'avg' is not known"):
        losses.reduce_loss(jnp.float32(1), jnp.float32(1), 1, "avg")
    with pytest.raises(ValueError, match=r"keep has shape \(1, 2, 1\); expected that"):
        losses.cross_entropy(logits, labels, keep=jnp.ones((1, 2, 1), bool))
    with pytest.raises(TypeError, match="keep is float32; expected bool"):
        losses.cross_entropy(logits, labels, keep=jnp.ones((1, 2, 2)))


def test_a_loss_on_shrunk_labels_by_hand():
    """Three pixels of 17 count in a row, by their own scores alone."""
    scores = np.log([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]])
    logits = np.full((1, 2, 17, 2), 7.0)
    logits[0, 0, ::8] = scores
    labels = np.ones((1, 2, 17), np.int32)
    labels[0, 0, 0], labels[0, 0, 16] = 0, 255
    loss = losses.CrossEntropy(losses.LossOptions(label_shrink=8))
    batch = {"labels": jnp.asarray(labels)}
    keys = jax.random.split(jax.random.key(0), 1)
    (part,) = loss(jnp.asarray(logits, "float32"), batch, keys)
    assert float(part.total) == pytest.approx(-np.log(0.5) - np.log(0.75), rel=1e-5)
    assert (float(part.count), float(part.weight)) == (2, 2)

    def total(logits):
        return loss(logits, batch, keys)[0].total

    gradient = jax.grad(total)(jnp.asarray(logits, "float32"))
    seen = np.abs(gradient).sum((0, 3))
    np.testing.assert_array_equal(np.argwhere(seen > 0), [[0, 0], [0, 8]])


def test_pixels_are_sampled_of_the_shrunk_labels(key):
    options = losses.LossOptions(label_shrink=8, pixel_probability=0.5)
    logits = jnp.zeros((2, 65, 65, 3))
    batch = {"labels": jnp.zeros((2, 65, 65), jnp.int32)}
    (part,) = losses.CrossEntropy(options)(logits, batch, jax.random.split(key, 2))
    assert 40 < float(part.count) < 122  # Of 2 x 81.
    # Cells are of pixels of the image: one of 65 holds all that is left.
    whole = losses.CrossEntropy(dataclasses.replace(options, stride=65))
    keys = jax.random.split(key, 2)
    (part,) = whole(logits, batch, keys)
    drawn = jax.vmap(lambda each: jax.random.uniform(each, (1, 1)))(keys)
    assert float(part.count) == 81 * float((drawn < 0.5).sum())
    finer = losses.CrossEntropy(dataclasses.replace(options, stride=8))
    (part,) = finer(logits, batch, keys)
    drawn = jax.vmap(lambda each: jax.random.uniform(each, (9, 9)))(keys)
    assert float(part.count) == float((drawn < 0.5).sum())
