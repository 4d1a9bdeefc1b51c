"""Focal, Dice, Tversky and Lovasz losses: by hand, as recorded, on several devices."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.training import focal, losses, lovasz, overlaps
from fcn_jax.training.losses import CrossEntropy, LossOptions, WeightedSum
from tests.support.paths import GOLDEN

VOID = 255
DEVICES = 4


def share_of(name):
    """logits, labels and options -> the loss."""
    return lambda *args, **options: REGIONS[name](*args, **options).share


REGIONS = {
    "dice": overlaps.tversky,
    "tversky": functools.partial(overlaps.tversky, alpha=0.3, beta=0.7),
    "lovasz": lovasz.lovasz,
}


def by_hand():
    """Probabilities of three pixels, two classes; the last is void."""
    probs = np.array([[0.75, 0.25], [0.4, 0.6], [0.1, 0.9]])
    return jnp.log(jnp.asarray(probs, "float32"))[None, None], jnp.array(
        [[[0, 1, VOID]]]
    )


def example(rows=4, num_classes=5, seed=0):
    """Scores and labels, a class of which is true nowhere; the first image is void."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(rows, 5, 6, num_classes)).astype(np.float32)
    labels = rng.integers(0, num_classes - 1, (rows, 5, 6))
    labels[rng.random(labels.shape) < 0.3] = VOID
    labels[0] = VOID
    labels[-1][labels[-1] != VOID] = 2
    return jnp.asarray(logits), jnp.asarray(labels, jnp.int32)


def test_dice_by_hand():
    # Class 0: 2 * 0.75 / (1.15 + 1), class 1: 2 * 0.6 / (0.85 + 1).
    found = overlaps.tversky(*by_hand()).share
    expected = 1 - (1.5 / 2.15 + 1.2 / 1.85) / 2
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_tversky_by_hand():
    # Class 0: TP 0.75, FP 0.4, FN 0.25; class 1: TP 0.6, FP 0.25, FN 0.4.
    found = overlaps.tversky(*by_hand(), alpha=0.2, beta=1.0).share
    expected = 1 - (0.75 / (0.75 + 0.08 + 0.25) + 0.6 / (0.6 + 0.05 + 0.4)) / 2
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_lovasz_by_hand():
    # Class 0: errors 0.4 (not of it) and 0.25 (of it): IU of 1 falls to 1/2, then to 0.
    # Class 1: errors 0.4 (of it) and 0.25 (not of it): to 0 at once.
    found = lovasz.lovasz(*by_hand()).share
    expected = ((0.4 * 0.5 + 0.25 * 0.5) + 0.4) / 2
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_lovasz_at_the_corners_is_one_minus_iu():
    pred = np.array([0, 0, 1, 1, 2, 2, 0, 1])
    true = np.array([0, 1, 1, 1, 2, 0, 0, VOID])
    logits = 200.0 * jax.nn.one_hot(pred, 4)[None, None]
    found = lovasz.lovasz(logits, jnp.asarray(true)[None, None]).share
    assert float(found) == pytest.approx(1 - (2 / 4 + 2 / 3 + 1 / 2) / 3, rel=1e-6)


@pytest.mark.parametrize("pixels", (1, 7))
def test_the_steps_of_iu_are_those_of_sets(pixels):
    rng = np.random.default_rng(pixels)
    for _ in range(5):
        error = rng.permutation(pixels) / pixels
        true = rng.random(pixels) < 0.4
        true[rng.integers(pixels)] = True
        found = lovasz.steps_of_iu(
            jnp.asarray(error, "float32")[None],
            jnp.asarray(true)[None],
            jnp.ones((1, pixels), bool),
        )[0]
        order = np.argsort(-error)
        wrong = np.zeros(pixels, bool)
        before = 0.0
        for place in order:
            wrong[place] = True
            now = 1 - (true & ~wrong).sum() / (true | wrong).sum()
            assert float(found[place]) == pytest.approx(now - before, abs=1e-6)
            before = now


def test_focal_by_hand():
    found = focal.focal(*by_hand(), gamma=2.0, class_weights=jnp.array([1.0, 3.0]))
    expected = -(0.25**2) * np.log(0.75) - 3 * 0.4**2 * np.log(0.6)
    assert float(found.total) == pytest.approx(expected, rel=1e-5)
    assert (float(found.count), float(found.weight)) == (2, 4)


def test_focal_without_an_exponent_is_cross_entropy():
    logits, labels = example()
    ours, theirs = (
        jax.value_and_grad(lambda x, loss=loss: loss(x, labels).total)(logits)
        for loss in (functools.partial(focal.focal, gamma=0.0), losses.cross_entropy)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("gamma", (0.5, 2.0))
def test_focal_has_a_slope_where_a_pixel_is_right_beyond_doubt(gamma):
    logits = jnp.array([[200.0, 0.0], [0.0, 200.0]])[None, None]
    gradient = jax.grad(
        lambda x: focal.focal(x, jnp.array([[[0, 0]]]), gamma=gamma).total
    )(logits)
    np.testing.assert_array_equal(gradient, [[[[0, 0], [-1, 1]]]])


@pytest.mark.parametrize("name", ("dice", "tversky", "lovasz", "lovasz_per_image"))
def test_the_recorded_losses_and_gradients(name):
    golden = dict(np.load(GOLDEN / "region_losses.npz"))
    labels = jnp.asarray(golden["labels"])
    loss = share_of(name.removesuffix("_per_image"))
    options = {"per_image": True} if "image" in name else {}
    value, gradient = jax.jit(jax.value_and_grad(lambda x: loss(x, labels, **options)))(
        golden["logits"]
    )
    # Theirs divide by all six classes, of which one is true nowhere.
    factor = 1.0 if "lovasz" in name else 6 / 5
    expected = factor * golden[f"{name}_grad"]
    np.testing.assert_allclose(value, factor * golden[name], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected, atol=2e-6 * np.abs(expected).max())


def test_the_recorded_focal_loss_of_two_classes():
    golden = dict(np.load(GOLDEN / "region_losses.npz"))
    labels = jnp.asarray(golden["labels_of_two"])
    weights = jnp.array([0.75, 0.25])  # Theirs has alpha for the second.
    value, gradient = jax.value_and_grad(
        lambda x: focal.focal(x, labels, class_weights=weights).total
    )(jnp.asarray(golden["logits"][..., :2]))
    expected = golden["focal_grad"]
    np.testing.assert_allclose(value, golden["focal"], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", REGIONS)
def test_the_gradient_is_that_of_finite_differences(name):
    logits, labels = example(rows=2)
    loss = jax.jit(lambda x: share_of(name)(x, labels))
    check_grads(loss, (logits,), order=1, modes=("rev",), atol=1e-3, rtol=1e-2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "per_image"),
    [case for case in itertools.product(REGIONS, (False, True)) if case[0] != "dice"],
)
def test_several_devices_equal_one(name, per_image):
    logits, labels = example(rows=2 * DEVICES)
    loss = functools.partial(share_of(name), per_image=per_image)
    expected, gradient = jax.jit(jax.value_and_grad(loss))(logits, labels)

    def of_device(logits, labels):
        on_all = functools.partial(loss, axis_name="batch")
        share, gradient = jax.value_and_grad(on_all)(logits, labels)
        return jax.lax.psum(share, "batch"), gradient

    split = jax.tree.map(
        lambda x: x.reshape(DEVICES, 2, *x.shape[1:]), (logits, labels)
    )
    devices = jax.devices()[:DEVICES]
    values, gradients = jax.pmap(of_device, "batch", devices=devices)(*split)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    np.testing.assert_allclose(
        gradients.reshape(gradient.shape),
        gradient,
        atol=1e-6 * float(jnp.abs(gradient).max()),
    )
    assert float(jnp.abs(gradient).max()) > 0


@pytest.mark.parametrize("name", REGIONS)
def test_images_alone_are_averaged(name):
    logits, labels = example(rows=3)
    loss = jax.jit(share_of(name), static_argnames="per_image")
    alone = [float(loss(logits[i : i + 1], labels[i : i + 1])) for i in range(3)]
    assert alone[0] == 0  # It is void.
    found = float(loss(logits, labels, per_image=True))
    assert found == pytest.approx(np.mean(alone), rel=1e-6)
    assert found != pytest.approx(float(loss(logits, labels)), rel=1e-3)


@pytest.mark.parametrize("name", REGIONS)
def test_void_and_left_out_pixels_count_nowhere(name):
    logits, labels = example(rows=2)
    loss = jax.jit(jax.value_and_grad(share_of(name)))
    value, gradient = loss(logits, labels)
    other = jnp.where((labels == VOID)[..., None], 50.0, logits)
    np.testing.assert_array_equal(loss(other, labels)[0], value)
    assert not np.asarray(gradient)[np.asarray(labels) == VOID].any()
    keep = labels != 1
    kept = share_of(name)(logits, labels, keep=keep)
    void = share_of(name)(logits, jnp.where(keep, labels, VOID))
    np.testing.assert_array_equal(kept, void)
    nothing = loss(logits, jnp.full_like(labels, VOID))
    assert float(nothing[0]) == 0
    assert not np.asarray(nothing[1]).any()
    assert share_of(name)(logits[:0], labels[:0], per_image=True) == 0


@pytest.mark.parametrize("name", (*REGIONS, "focal"))
def test_bfloat16_scores_are_summed_in_float32(name):
    logits, labels = example(rows=2)
    logits = logits.astype(jnp.bfloat16)
    loss = share_of(name) if name in REGIONS else lambda *a: focal.focal(*a).total
    value, gradient = jax.value_and_grad(loss)(logits, labels)
    assert (value.dtype, gradient.dtype) == (jnp.float32, jnp.bfloat16)
    wide = loss(logits.astype(jnp.float32), labels)
    assert float(value) == pytest.approx(float(wide), rel=1e-6)


def test_a_false_negative_alone_may_count():
    logits = jnp.array([-200.0, 200.0])[None, None, None]
    found = overlaps.tversky(logits, jnp.array([[[0]]]), alpha=1.0, beta=0.0).share
    assert float(found) == 1  # Nothing of class 0 is predicted: no 0 / 0.


def batch_of(labels):
    return {"labels": labels}


def test_a_weighted_sum_weighs_totals_and_shares():
    logits, labels = example()
    options = LossOptions()
    terms = (
        (2.0, CrossEntropy(options)),
        (0.5, overlaps.Dice(options)),
        (3.0, lovasz.Lovasz(options)),
        (1.0, focal.Focal(options)),
        (1.0, overlaps.Tversky(options)),
    )
    keys = jax.random.split(jax.random.key(0), len(labels))
    parts = jax.jit(lambda *given: WeightedSum(terms)(*given))(
        logits, batch_of(labels), keys
    )
    entropy, peaks = losses.cross_entropy(logits, labels), focal.focal(logits, labels)
    assert float(parts[0].total) == pytest.approx(2 * float(entropy.total), rel=1e-6)
    assert float(parts[0].weight) == float(entropy.weight)
    expected = [
        0.5 * overlaps.tversky(logits, labels).share,
        3 * lovasz.lovasz(logits, labels).share,
        peaks.total,
        overlaps.tversky(logits, labels, alpha=0.3, beta=0.7).share,
    ]
    for part, value in zip(parts[1:], expected, strict=True):
        assert float(part[0]) == pytest.approx(float(value), rel=1e-6)


def test_heads_have_a_part_each():
    logits, labels = example()
    options = LossOptions(ignore_label={"a": VOID, "b": 1}, per_image=True)
    outputs, batch = {"a": logits, "b": logits}, batch_of({"a": labels, "b": labels})
    keys = jax.random.split(jax.random.key(0), len(labels))
    parts = jax.jit(lambda *given: lovasz.Lovasz(options)(*given))(outputs, batch, keys)
    assert len(parts) == 2
    assert float(parts[0].share) != float(parts[1].share)


def test_errors():
    logits, labels = example()
    with pytest.raises(
        ValueError, match="focal: gamma=-1 is no number from 0 on; 2 is"
    ):
        focal.focal(logits, labels, gamma=-1)
    with pytest.raises(
        ValueError, match="alpha=0, beta=0 are what false positives and"
    ):
        overlaps.tversky(logits, labels, alpha=0, beta=0)
    with pytest.raises(ValueError, match="lovasz: logits .* and labels .* do not fit"):
        lovasz.lovasz(logits, labels[1:])
    with pytest.raises(ValueError, match="tversky: label 7 at .*; with 5 classes"):
        overlaps.tversky(logits, labels.at[1].set(7))
    loss = WeightedSum(((1.0, lovasz.Lovasz(LossOptions(axis_name="batch"))),))
    with pytest.raises(ValueError, match="Lovasz sums over axis_name='batch', and the"):
        losses.check_axis(loss, None)
    losses.check_axis(loss, "batch")
    losses.check_axis(CrossEntropy(), "batch")


def test_gradients_need_scores_and_weights_and_no_map_of_probabilities():
    """What is kept for them, in float32 maps of [N, H, W, C]."""
    logits = jax.ShapeDtypeStruct((2, 64, 64, 16), jnp.bfloat16)
    labels = jax.ShapeDtypeStruct((2, 64, 64), jnp.uint8)

    def maps(loss):
        kept = jax.eval_shape(
            lambda x, y: jax.vjp(lambda x: loss(x, y), x)[1], logits, labels
        )
        sizes = (x.size * x.dtype.itemsize for x in jax.tree.leaves(kept))
        return sum(sizes) / (4 * logits.size)

    # Half a map are the scores themselves; few are labels and sums.
    assert 0.5 <= maps(share_of("tversky")) < 0.7
    assert 1.5 <= maps(share_of("lovasz")) < 1.7
