"""Loss sampling by hand and in expectation, and patches as a restricted loss."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.training import losses, sampling
from fcn_jax.training.losses import CrossEntropy, LossOptions


def keys_of(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


def test_it_keeps_about_the_share_and_belongs_to_the_image():
    labels = jnp.zeros((2, 100, 100), int)
    keep = sampling.sample_pixels(keys_of(2), labels, 0.25)
    assert float(jnp.mean(keep)) == pytest.approx(0.25, abs=0.02)
    alone = sampling.sample_pixels(keys_of(2)[1:], labels[1:], 0.25)
    np.testing.assert_array_equal(keep[1], alone[0])


def test_what_was_drawn_before_is_drawn_still():
    keep = sampling.sample_pixels(keys_of(3), jnp.zeros((3, 9, 7), int), 0.3)
    drawn = [jax.random.bernoulli(key, 0.3, (9, 7)) for key in keys_of(3)]
    np.testing.assert_array_equal(keep, drawn)


def test_probability_one_keeps_every_pixel():
    labels = jnp.zeros((3, 9, 5), int)
    assert sampling.sample_pixels(keys_of(3), labels, 1.0, stride=2).all()


def test_cells_are_kept_whole():
    keep = sampling.sample_pixels(keys_of(1), jnp.zeros((1, 10, 7), int), 0.5, stride=4)
    assert keep.shape == (1, 10, 7)
    cells = keep[0, ::4, ::4]
    np.testing.assert_array_equal(
        keep[0], np.kron(cells, np.ones((4, 4), bool))[:10, :7]
    )
    assert len({*np.asarray(cells).ravel().tolist()}) == 2


# A network without padding: what a cell of its scores sees is a patch of the image.
FIELD, STRIDE = 8, 2  # 3x3, 2x2 of stride 2, 3x3: 3 + 1, and 2 * 2 more.


def parameters(seed):
    shapes = {"first": (3, 3, 2, 4), "score": (3, 3, 4, 3)}
    found = jax.random.split(jax.random.key(seed), 2)
    return {
        name: 0.5 * jax.random.normal(key, shape, jnp.float32)
        for key, (name, shape) in zip(found, shapes.items(), strict=True)
    }


def scores_of(params, image):
    """[N, H, W, 2] -> scores of the cells, [N, h, w, 3]."""

    def convolve(x, kernel):
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=layout
        )

    x = jax.nn.relu(convolve(image, params["first"]))
    x = jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
    )
    return convolve(x, params["score"])


def total(params, image, labels, keep=None):
    return losses.cross_entropy(scores_of(params, image), labels, keep=keep).total


def gap(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(jnp.abs(x - y).max() / jnp.abs(x).max()) for x, y in pairs)


@pytest.fixture
def scene():
    image = jax.random.normal(jax.random.key(1), (1, 10, 12, 2))
    labels = jnp.asarray([[[0, 1, 2], [255, 2, 1]]])
    assert scores_of(parameters(0), image).shape == (1, 2, 3, 3)
    return parameters(0), image, labels


@pytest.mark.long
def test_patches_of_the_kept_cells_are_the_image_with_its_loss_restricted(scene):
    """What Long et al. 2015, sec. 3.4, say: patch-wise training is loss sampling."""
    params, image, labels = scene
    keep = jnp.asarray([[[True, False, True], [True, True, False]]])
    whole = jax.grad(total)(params, image, labels, keep)
    patches = []
    for row, column in np.argwhere(np.asarray(keep[0])):
        top, left = STRIDE * row, STRIDE * column
        patch = image[:, top : top + FIELD, left : left + FIELD]
        label = labels[:, row : row + 1, column : column + 1]
        assert scores_of(params, patch).shape == (1, 1, 1, 3)
        patches.append(jax.grad(total)(params, patch, label))
    assert gap(whole, jax.tree.map(lambda *x: sum(x), *patches)) < 1e-5


def test_the_expected_gradient_is_the_share_of_the_whole(scene):
    """Exactly: over all subsets of the cells, each as often as it is drawn."""
    params, image, labels = scene
    p, whole = 0.25, jax.grad(total)(params, image, labels)
    expected = jax.tree.map(jnp.zeros_like, params)
    gradient = jax.jit(jax.grad(total))
    for subset in itertools.product((False, True), repeat=6):
        chance = p ** sum(subset) * (1 - p) ** (6 - sum(subset))
        keep = jnp.asarray(subset).reshape(1, 2, 3)
        found = gradient(params, image, labels, keep)
        expected = jax.tree.map(lambda e, g: e + chance * g, expected, found)  # noqa: B023
    assert gap(jax.tree.map(lambda g: p * g, whole), expected) < 1e-5


def gradient_of_loss(options, logits, labels, keys):
    """Of the reduced loss with respect to the scores."""
    loss = CrossEntropy(options)

    def reduced(logits):
        (part,) = loss(logits, {"labels": labels}, keys)
        return losses.reduce_loss(
            part.total, part.weight, len(logits), options.reduction
        )

    return jax.grad(reduced)(logits)


@pytest.mark.parametrize(
    ("reduction", "probability", "stride"), (("sum", 0.5, 1), ("mean", 0.25, 3))
)
def test_draws_average_to_the_whole_gradient(reduction, probability, stride):
    """With batches of 1 / p times the images, as in the paper."""
    logits = jax.random.normal(jax.random.key(2), (1, 9, 9, 3))
    labels = jax.random.randint(jax.random.key(3), (1, 9, 9), 0, 3)
    whole = gradient_of_loss(
        LossOptions(reduction=reduction), logits, labels, keys_of(1)
    )
    options = LossOptions(
        reduction=reduction,
        pixel_probability=probability,
        stride=stride,
        larger_batch=True,
    )
    times = round(1 / probability)
    more, labels_of_more = (jnp.repeat(x, times, axis=0) for x in (logits, labels))

    @jax.jit
    @jax.vmap
    def drawn(key):
        keys = jax.random.split(key, times)
        return gradient_of_loss(options, more, labels_of_more, keys).sum(axis=0)

    draws = drawn(keys_of(4000, seed=5))
    # Standard error of the mean of a 0/1 draw, relative; 5 of them. A mean over the
    # cells that happened to be kept is biased beside it, by less than a cell's share.
    error = 5 * np.sqrt((1 - probability) / (probability * times * 4000))
    bias = 0.0 if reduction == "sum" else 1.5 / (81 / stride**2)
    largest = float(jnp.abs(whole).max())
    gap = float(jnp.abs(draws.mean(axis=0) - whole[0]).max()) / largest
    assert gap < error + bias
    assert float(jnp.abs(draws[0] - whole[0]).max()) / largest > error + bias


def test_with_probability_one_a_larger_batch_is_the_same():
    logits = jax.random.normal(jax.random.key(0), (2, 3, 4, 3))
    labels = jnp.zeros((2, 3, 4), int)
    plain, larger = (
        gradient_of_loss(options, logits, labels, keys_of(2))
        for options in (LossOptions("sum"), LossOptions("sum", larger_batch=True))
    )
    np.testing.assert_array_equal(plain, larger)


def test_no_pixel_kept_is_no_gradient():
    logits = jax.random.normal(jax.random.key(0), (1, 2, 2, 3))
    options = LossOptions(pixel_probability=1e-6)
    found = gradient_of_loss(options, logits, jnp.zeros((1, 2, 2), int), keys_of(1))
    np.testing.assert_array_equal(found, 0)


def test_classes_are_kept_as_often_as_they_weigh():
    labels = jnp.asarray([[[0, 1, 2, 255]]])
    found = sampling.class_probabilities(labels, (1.0, 4.0, 2.0), 0.8)
    np.testing.assert_allclose(found, [[[0.2, 0.8, 0.4, 0.0]]], rtol=1e-6)


def test_in_a_cell_the_rarer_class_is_kept_with_the_others():
    """One number a cell: where the background is kept, so is the object in it."""
    probability = jnp.broadcast_to(jnp.asarray([0.2, 0.9] * 4), (50, 8, 8))
    keep = sampling.sample_pixels(keys_of(50), jnp.zeros((50, 8, 8)), probability, 4)
    rare, common = np.asarray(keep[..., 1::2]), np.asarray(keep[..., ::2])
    assert (rare | ~common).all()
    assert rare.mean() == pytest.approx(0.9, abs=0.07)
    assert common.mean() == pytest.approx(0.2, abs=0.09)


def test_balancing_by_sampling_expects_what_weights_give():
    logits = jax.random.normal(jax.random.key(2), (1, 6, 6, 3))
    labels = jax.random.randint(jax.random.key(3), (1, 6, 6), 0, 3)
    labels = labels.at[0, 0].set(255)
    weights = (1.0, 4.0, 2.0)
    weighed = gradient_of_loss(
        LossOptions("sum", class_weights=weights), logits, labels, keys_of(1)
    )
    options = LossOptions(
        "sum", class_weights=weights, weigh_by="sampling", pixel_probability=0.8
    )
    draws = jax.jit(jax.vmap(lambda k: gradient_of_loss(options, logits, labels, k)))(
        jax.vmap(lambda key: key[None])(keys_of(4000))
    )
    expected = weighed * 0.8 / 4
    # Of a class that is kept with probability q: five times sqrt((1 - q) / (4000 q)).
    np.testing.assert_allclose(draws.mean(axis=0), expected, rtol=0.16, atol=1e-6)
    np.testing.assert_array_equal(draws.mean(axis=0)[0, 0], 0)


def test_errors():
    labels = jnp.zeros((1, 2, 2), int)
    with pytest.raises(ValueError, match="stride=0 is not positive; 1 draws every"):
        sampling.sample_pixels(keys_of(1), labels, 0.5, 0)
    with pytest.raises(ValueError, match=r"probability=0 is not in \(0, 1\]; 1 keeps"):
        sampling.sample_pixels(keys_of(1), labels, 0)
    for weights in ((0.0, 0.0), (1.0, -1.0), (1.0, np.inf)):
        with pytest.raises(ValueError, match="cannot be probabilities; give finite"):
            sampling.class_probabilities(labels, weights, 0.5)
