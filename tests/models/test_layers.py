"""Convolution, BatchNorm, dropout, score and upscore layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.models import layers

SIZES = ((5, 3), (2, 6), (1, 1))


def batch(seed=0, shape=(3, 5, 6, 2), dtype="float32"):
    rng = np.random.default_rng(seed)
    return jnp.asarray(3 + 2 * rng.normal(size=shape), dtype)


def true_pixels(x, sizes=SIZES):
    """The pixels of the images alone, [pixels, C]."""
    return np.concatenate(
        [x[n, :h, :w].reshape(-1, x.shape[-1]) for n, (h, w) in enumerate(sizes)]
    )


def normalise(norm, x, sizes=None, train=True, variables=None):
    variables = variables or norm.init(jax.random.key(0), x)
    return norm.apply(variables, x, sizes, train=train, mutable=["batch_stats"])


def test_conv_by_hand(key):
    conv = layers.Conv(features=1, kernel_size=3, pad=1)
    x = jnp.arange(6.0).reshape(1, 2, 3, 1)
    variables = conv.init(key, x)
    kernel = jnp.arange(9.0).reshape(3, 3, 1, 1)
    params = {"kernel": kernel, "bias": jnp.array([0.5])}
    assert jax.tree.map(jnp.shape, variables["params"]) == jax.tree.map(
        jnp.shape, params
    )
    y = conv.apply({"params": params}, x)
    # Correlation, as in Caffe: at (0, 0) the image lies under kernel[1:, 1:].
    expected = 4 * 0 + 5 * 1 + 7 * 3 + 8 * 4 + 0.5
    assert (y.shape, y[0, 0, 0, 0]) == ((1, 2, 3, 1), expected)


def test_conv_starts_as_he_proposes(key):
    conv = layers.Conv(features=64, kernel_size=3)
    params = conv.init(key, jnp.zeros((1, 3, 3, 32)))["params"]
    np.testing.assert_array_equal(params["bias"], np.zeros(64))
    kernel = np.asarray(params["kernel"])
    # 18,432 draws: the standard deviation is known to 0.5 %.
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 32)), rtol=0.03)


def test_conv_bias_without_gradient(key):
    conv = layers.Conv(features=2, kernel_size=1)
    x = batch()
    variables = conv.init(key, x)

    def gradient(train_bias):
        return jax.grad(lambda v: conv.apply(v, x, train_bias=train_bias).sum())(
            variables
        )["params"]

    held, free = gradient(False), gradient(True)
    np.testing.assert_array_equal(held["bias"], [0.0, 0.0])
    np.testing.assert_array_equal(free["bias"], [90.0, 90.0])
    np.testing.assert_array_equal(held["kernel"], free["kernel"])


def test_batch_norm_counts_true_pixels_only():
    """Statistics of the padded batch are those of the images alone, concatenated."""
    with jax.enable_x64(True):
        x = batch(dtype="float64")
        norm = layers.BatchNorm(param_dtype=jnp.float64)
        sizes = jnp.array(SIZES, jnp.int32)
        pixels = true_pixels(x)
        mean, var = pixels.mean(0), pixels.var(0)
        for fill in (0.0, 1e6, np.nan):
            padded = np.full(x.shape, fill)
            for n, (h, w) in enumerate(SIZES):
                padded[n, :h, :w] = x[n, :h, :w]
            y, updates = normalise(norm, jnp.asarray(padded), sizes)
            np.testing.assert_allclose(
                true_pixels(y), (pixels - mean) / np.sqrt(var + 1e-5), rtol=1e-10
            )
            stats = updates["batch_stats"]
            np.testing.assert_allclose(stats["mean"], 0.1 * mean, rtol=1e-12)
            np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * var, rtol=1e-12)


def test_batch_norm_without_sizes_counts_everything():
    x = batch()
    y, updates = normalise(layers.BatchNorm(momentum=0.0), x)
    pixels = np.asarray(x).reshape(-1, 2)
    stats = updates["batch_stats"]
    np.testing.assert_allclose(stats["mean"], pixels.mean(0), rtol=1e-5)
    np.testing.assert_allclose(stats["var"], pixels.var(0), rtol=1e-5)
    np.testing.assert_allclose(
        y.reshape(-1, 2),
        (pixels - pixels.mean(0)) / np.sqrt(pixels.var(0) + 1e-5),
        atol=1e-5,
    )


def test_batch_norm_gradient_ignores_padding():
    """Gradients are those of the images alone, and zero at the padding."""
    sizes = jnp.array(SIZES, jnp.int32)
    norm = layers.BatchNorm(param_dtype=jnp.float64)
    with jax.enable_x64(True):
        x, pull = batch(dtype="float64"), true_pixels(batch(1, dtype="float64"))
        variables = norm.init(jax.random.key(0), x)

        def loss(x, sizes):
            y, _ = normalise(norm, x, sizes, variables=variables)
            parts = [
                y[n, :h, :w].reshape(-1, 2) for n, (h, w) in enumerate(SIZES)
            ]  # What follows the norm masks.
            return jnp.vdot(jnp.concatenate(parts), pull)

        def loss_alone(pixels):
            y, _ = normalise(norm, pixels[None, None], variables=variables)
            return jnp.vdot(y[0, 0], pull)

        gradient = jax.grad(loss)(x, sizes)
        expected = jax.grad(loss_alone)(jnp.asarray(true_pixels(x)))
        np.testing.assert_allclose(true_pixels(gradient), expected, atol=1e-12)
        zero = jax.grad(loss)(x, sizes)
        for n, (h, w) in enumerate(SIZES):
            zero = zero.at[n, :h, :w].set(0)
        np.testing.assert_array_equal(zero, np.zeros_like(zero))


def test_batch_norm_of_an_empty_batch_is_finite_and_changes_nothing():
    x = batch()
    y, updates = normalise(layers.BatchNorm(), x, jnp.zeros((3, 2), jnp.int32))
    assert np.isfinite(y).all()
    stats = updates["batch_stats"]
    np.testing.assert_array_equal(stats["mean"], [0.0, 0.0])
    np.testing.assert_array_equal(stats["var"], [1.0, 1.0])


@pytest.mark.parametrize("train", (False, True))
def test_frozen_batch_norm_uses_and_keeps_the_running_averages(train):
    x = batch()
    norm = layers.BatchNorm(frozen=True)
    params = {"scale": jnp.array([1.0, 2.0]), "bias": jnp.array([0.0, 1.0])}
    stats = {"mean": jnp.array([3.0, 2.0]), "var": jnp.array([4.0, 1.0])}
    variables = {"params": params, "batch_stats": stats}
    y, updates = normalise(norm, x, train=train, variables=variables)
    expected = (np.asarray(x) - [3, 2]) / np.sqrt(np.add([4, 1], 1e-5)) * [1, 2] + [
        0,
        1,
    ]
    np.testing.assert_allclose(y, expected, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, updates["batch_stats"], stats)


def test_running_averages_are_used_outside_training():
    x = batch()
    y, updates = normalise(layers.BatchNorm(), x, train=False)
    np.testing.assert_allclose(y, np.asarray(x) / np.sqrt(1 + 1e-5), rtol=1e-6)
    np.testing.assert_array_equal(updates["batch_stats"]["mean"], [0.0, 0.0])


def test_training_without_a_place_for_the_averages():
    """Flax's BatchNorm refuses it too: else evaluation would be far from training."""
    x = batch()
    norm = layers.BatchNorm(name="bn1")
    variables = norm.init(jax.random.key(0), x)
    with pytest.raises(
        ValueError, match=r"BatchNorm bn1: train=True .* mutable=\['batc"
    ):
        norm.apply(variables, x, train=True)
    frozen = layers.BatchNorm(frozen=True).apply(variables, x, train=True)
    np.testing.assert_array_equal(frozen, norm.apply(variables, x))


def test_batch_norm_is_summed_over_the_axis():
    """Replicas that share an axis have the statistics of the whole batch."""
    x = batch()
    sizes = jnp.array(SIZES, jnp.int32)
    alone, updates = normalise(layers.BatchNorm(), x, sizes)
    norm = layers.BatchNorm(axis_name="batch")
    variables = norm.init(jax.random.key(0), x)

    def replica(x, sizes):
        return normalise(norm, x[None], sizes[None], variables=variables)

    split, split_updates = jax.vmap(replica, axis_name="batch")(x, sizes)
    np.testing.assert_allclose(true_pixels(split[:, 0]), true_pixels(alone), atol=1e-5)
    for name, value in updates["batch_stats"].items():
        for replicated in split_updates["batch_stats"][name]:
            np.testing.assert_allclose(replicated, value, rtol=1e-5)


def test_batch_norm_statistics_are_float32_in_bfloat16():
    """Thousands of bfloat16 values: summed narrowly, the mean would stall."""
    x = batch(shape=(4, 64, 64, 2), dtype="bfloat16")
    y, updates = normalise(layers.BatchNorm(momentum=0.0), x)
    assert y.dtype == jnp.bfloat16
    pixels = np.asarray(x, np.float32).reshape(-1, 2)
    stats = updates["batch_stats"]
    assert stats["mean"].dtype == jnp.float32
    np.testing.assert_allclose(stats["mean"], pixels.mean(0), rtol=1e-4)
    np.testing.assert_allclose(stats["var"], pixels.var(0), rtol=1e-4)


def test_variance_survives_a_large_mean():
    """Once the running mean is near, the square of the mean does not drown it."""
    x = batch() + 1e4
    norm = layers.BatchNorm(momentum=0.0)
    _, updates = normalise(norm, x)
    variables = norm.init(jax.random.key(0), x) | updates
    _, updates = normalise(norm, x, variables=variables)
    var = np.asarray(x, np.float64).reshape(-1, 2).var(0)
    np.testing.assert_allclose(updates["batch_stats"]["var"], var, rtol=1e-5)


def drop(x, rate=0.5, train=True, example_ids=None):
    return layers.Dropout(rate).apply(
        {}, x, example_ids, train=train, rngs={"dropout": jax.random.key(3)}
    )


def test_dropout_drops_at_its_rate_and_scales_up_the_rest():
    x = jnp.ones((2, 50, 50, 4))
    y = drop(x, 0.25)
    # 20,000 draws: the share is known to 0.3 %.
    np.testing.assert_allclose((y == 0).mean(), 0.25, atol=0.015)
    np.testing.assert_allclose(y[y != 0], 1 / 0.75, rtol=1e-6)
    assert (y[0] != y[1]).any()


def test_dropout_belongs_to_the_example():
    x = jnp.ones((4, 5, 5, 3))
    ids = jnp.array([7, 3, 9, 3])
    together = drop(x, example_ids=ids)
    np.testing.assert_array_equal(together[1], together[3])
    for n in range(4):
        alone = drop(x[n : n + 1], example_ids=ids[n : n + 1])
        np.testing.assert_array_equal(alone[0], together[n])
    np.testing.assert_array_equal(drop(x), drop(x, example_ids=jnp.arange(4)))


def test_dropout_limits():
    x = batch()
    assert drop(x, train=False) is x
    assert drop(x, rate=0.0) is x
    np.testing.assert_array_equal(drop(x, rate=1.0), jnp.zeros_like(x))
    assert drop(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize("rate", (-0.1, 1.5))
def test_dropout_rate_is_a_probability(rate):
    with pytest.raises(ValueError, match=f"dropout_rate={rate} is not a .*0 and 1"):
        drop(batch(), rate)


def test_score_starts_at_zero_and_is_at_least_float32(key):
    score = layers.Score(4)
    x = batch().astype(jnp.bfloat16)
    variables = score.init(key, x)
    assert variables["params"]["kernel"].shape == (1, 1, 2, 4)
    y = score.apply(variables, x)
    assert y.dtype == jnp.float32
    np.testing.assert_array_equal(y, np.zeros((3, 5, 6, 4)))


def test_score_scales_its_features():
    score = layers.Score(1)
    params = {"kernel": jnp.ones((1, 1, 2, 1)), "bias": jnp.ones(1)}
    y = score.apply({"params": params}, jnp.ones((1, 1, 1, 2)), 0.25)
    assert y.item() == 1.5


@pytest.mark.parametrize("factor", (2, 8))
def test_learned_upscore_starts_bilinear(key, factor):
    x = batch()
    fixed = layers.Upscore(2 * factor, factor)
    assert not fixed.init(key, x)
    learned = layers.Upscore(2 * factor, factor, learned=True)
    variables = learned.init(key, x)
    assert variables["params"]["kernel"].shape == (2 * factor, 2 * factor, 2, 2)
    y = learned.apply(variables, x)
    assert y.shape == (3, 6 * factor, 7 * factor, 2)
    np.testing.assert_allclose(y, fixed.apply({}, x), rtol=1e-5, atol=1e-6)
