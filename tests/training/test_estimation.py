"""E-steps by hand (the published loop), against NumPy, and what no gradient knows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax import parallel
from fcn_jax.data.weak import image_labels, planes
from fcn_jax.training import estimation
from fcn_jax.training.estimated import ByConstants, ByPortions, Estimated
from fcn_jax.training.estimation import Weak
from fcn_jax.training.loss_options import LossOptions
from fcn_jax.training.losses import CrossEntropy, WeightedSum, check_axis

PIXELS = 10
ADAPT = jax.jit(estimation.em_adapt, static_argnames=("portions", "sweeps"))
KEYS = jax.random.split(jax.random.key(7), 4)


def weak_images(held, size, channels):
    """Images of which every pixel may be of the same classes."""
    allowed = np.zeros((len(held), *size, channels), bool)
    for row, labels in enumerate(held):
        allowed[row, ..., list(labels)] = True
    return Weak(jnp.asarray(allowed), jnp.ones((len(held), *size), bool))


def adapt(scores, labels, **options):
    """The loop over one image of ten pixels, and the biases that it came to."""
    scores = np.asarray(scores, np.float32)
    weak = weak_images([labels], (1, len(scores)), scores.shape[1])
    found = ADAPT(jnp.asarray(scores)[None, None], weak, KEYS[:1], **options)
    return np.asarray(found)[0, 0]


def test_the_first_worked_case():
    """Background 5, class 1 from 0 by halves: n = 2, so that its bias is 1.5."""
    scores = np.stack([np.full(PIXELS, 5.0), np.arange(PIXELS) / 2], axis=-1)
    found = adapt(scores, [0, 1])
    # Where class 1 wins the best rises, by 0, 0.5 and 1: all fall by 0.15.
    np.testing.assert_allclose(found[:, 0], 4.85, rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], 1.35 + scores[:, 1], rtol=1e-6)
    assert np.flatnonzero(found[:, 1] > found[:, 0]).tolist() == [8, 9]
    assert found[7, 1] == found[7, 0]


def test_ties_go_to_the_larger_channel_as_in_caffe():
    scores = np.stack([np.full(PIXELS, 5.0), np.arange(PIXELS) / 2], axis=-1)
    found = jnp.asarray(adapt(scores, [0, 1]))[None, None]
    labels = estimation.last_argmax(found)
    assert labels.dtype == jnp.int32
    assert np.flatnonzero(labels).tolist() == [7, 8, 9]  # 30 %; `argmax` makes 20.
    assert np.flatnonzero(jnp.argmax(found, -1)).tolist() == [8, 9]


SECOND = np.array(
    [
        [3, 3, 3, 3, 2, 2, 1, 1, 0, 0],
        [1, 0, 2, -1, 2.5, 1, 0, -1, 3, -2],
        [5, 0, 0, 0, 0, 0, 4, 0, 0, 0],
    ]
).T


def test_the_second_worked_case():
    assert np.flatnonzero(SECOND.argmax(-1) == 2).tolist() == [0, 6]
    found = adapt(SECOND, [0, 1])
    winner = found.argmax(-1)
    assert (winner != 2).all()
    strictly = found[:, 1] > np.delete(found, 1, axis=1).max(-1)
    assert np.flatnonzero(strictly).tolist() == [4, 8]
    tied = np.flatnonzero(np.isclose(found[:, 0], found[:, 1]))
    np.testing.assert_allclose(found[tied, 0], [2.8, 1.8, 0.8], rtol=1e-6)
    assert tied.tolist() == [2, 5, 6]
    # One sweep does all: later ones add nothing.
    np.testing.assert_allclose(adapt(SECOND, [0, 1], sweeps=1), found, rtol=1e-6)
    # The bias of class 1 is 1, that of the background 0.
    np.testing.assert_allclose(
        found[:, 1] - found[:, 0], SECOND[:, 1] + 1 - SECOND[:, 0]
    )


def test_one_class_takes_all_but_the_ties_of_classes_that_are_not_there():
    found = jnp.asarray(adapt(SECOND, [1]))[None, None]
    labels = np.asarray(estimation.last_argmax(found))[0, 0]
    # At pixel 1 both have 0: class 2 is not above, and stays.
    assert labels.tolist() == [1, 2, 1, 1, 1, 1, 1, 1, 1, 1]


def test_a_portion_near_all_pixels_is_one_of_them():
    """In float32 0.99999999 of ten rounds to ten; there are places 0 to 9."""
    found = adapt(SECOND, [0, 1], portions=(0.99999999, 0.0), sweeps=1)
    assert np.isfinite(found).all()
    assert (found[:, 1] >= found[:, 0]).all()


def test_an_image_without_labels_stays_as_it_is():
    np.testing.assert_array_equal(adapt(SECOND, []), SECOND.astype(np.float32))


def in_numpy(scores, held, rng_orders, portions, sweeps, margin):
    """The release's loop, image by image and pixel by pixel, for float32."""
    scores = np.array(scores, np.float32)
    pixels = len(scores)
    for i in range(pixels):
        least = min(scores[i, c] for c in held)
        for c in range(scores.shape[1]):
            if c not in held and scores[i, c] > least:
                scores[i, c] = least - np.float32(margin)
    best = np.array([max(scores[i, c] for c in held) for i in range(pixels)])
    before = best.mean()
    biases = np.zeros(scores.shape[1])
    for order in rng_orders[:sweeps]:
        for c in order:
            lacking = best - scores[:, c]
            assert (lacking >= 0).all()
            asked = int(np.float32(portions[0 if c else 1]) * np.float32(pixels))
            bias = np.partition(lacking, asked)[asked]
            scores[:, c] += bias
            best = np.maximum(best, scores[:, c])
            biases[c] += bias
            assert (scores[:, c] >= best).sum() > asked  # Ties counted.
    assert (biases >= 0).all()
    return scores + np.float32(before - best.mean())


@pytest.mark.parametrize("portions", ((0.2, 0.4), (0.35, 0.1)))
def test_random_scores_come_to_what_numpy_makes_of_them(portions):
    """Scores of 1/256: every sum is exact, and ties are ties."""
    rng = np.random.default_rng(0)
    size, channels, held = (6, 7), 5, ([0, 1], [0, 2, 3, 4], [2], [0, 1, 3])
    scores = rng.integers(-1000, 1000, (4, *size, channels)).astype(np.float32) / 256
    weak = weak_images(held, size, channels)
    found = ADAPT(jnp.asarray(scores), weak, KEYS, portions=portions)
    there = estimation.classes_of_images(weak)
    for row, labels in enumerate(held):
        orders = estimation._orders(KEYS[row], there[row], 5)[:, : len(labels)]
        orders = np.asarray(orders).tolist()
        assert all(sorted(order) == labels for order in orders)
        assert all(order[0] == 0 for order in orders) == (0 in labels)
        flat = scores[row].reshape(-1, channels)
        expected = in_numpy(flat, labels, orders, portions, 5, estimation.MARGIN)
        np.testing.assert_allclose(
            np.asarray(found[row]).reshape(-1, channels), expected, atol=2e-5
        )
    orders = [estimation._orders(key, jnp.ones(5, bool), 5) for key in KEYS]
    assert len({np.asarray(order).tobytes() for order in orders}) == len(KEYS)


def test_the_mean_of_the_best_is_what_it_was():
    scores = jax.random.normal(KEYS[0], (2, 4, 5, 4))
    weak = weak_images([[0, 1, 2], [1, 3]], (4, 5), 4)
    found = ADAPT(scores, weak, KEYS[:2])
    for row, labels in enumerate(([0, 1, 2], [1, 3])):
        chosen = [np.asarray(x[row])[..., labels].max(-1) for x in (scores, found)]
        fallen = chosen[0].mean(), chosen[1].mean()
        assert fallen[1] == pytest.approx(fallen[0], abs=1e-5)


def test_pixels_with_masks_have_no_part_in_portions():
    """Ten pixels to estimate and ten that are not come to what ten alone do."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(1, 2, 10, 3)).astype(np.float32)
    alone = weak_images([[0, 2]], (1, 10), 3)
    first = ADAPT(jnp.asarray(scores[:, :1]), alone, KEYS[:1])
    both = weak_images([[0, 2]], (2, 10), 3)
    both = both._replace(estimated=both.estimated.at[:, 1].set(False))
    found = ADAPT(jnp.asarray(scores), both, KEYS[:1])
    np.testing.assert_allclose(found[:, :1], first, atol=1e-6)


def test_fixed_biases_by_hand():
    scores = jnp.asarray([[[[1.0, 0, 9], [8, 0, 1]]]])
    weak = weak_images([[0, 1]], (1, 2), 3)
    found = estimation.em_fixed(scores, weak, 6.0, 5.0)
    np.testing.assert_array_equal(found, [[[[6, 6, 9], [13, 6, 1]]]])
    # The class that is not there may still be the best; a tie is the larger class's.
    assert np.asarray(estimation.last_argmax(found)).tolist() == [[[2, 0]]]


def test_equal_biases_of_all_classes_change_nothing():
    scores = jax.random.normal(KEYS[0], (2, 3, 4, 3))
    weak = weak_images([[0, 1, 2]] * 2, (3, 4), 3)
    found = estimation.last_argmax(estimation.em_fixed(scores, weak, 5.0, 5.0))
    np.testing.assert_array_equal(found, jnp.argmax(scores, -1))


def test_in_boxes_a_pixel_is_of_one_over_it_or_background():
    scores = jnp.asarray([[[[3.0, 0, 9], [3, 2, 9], [9, 2, 0]]]])
    allowed = jnp.asarray([[[[1, 0, 0], [1, 1, 0], [1, 1, 1]]]], bool)
    weak = Weak(allowed, jnp.ones((1, 1, 3), bool))
    found = estimation.em_boxes(scores, weak, 5.0, 3.0)
    np.testing.assert_array_equal(
        found, [[[[6, -np.inf, -np.inf], [6, 7, -np.inf], [12, 7, 5]]]]
    )
    assert np.asarray(estimation.last_argmax(found)).tolist() == [[[0, 1, 0]]]


@pytest.mark.parametrize("channels", (7, 8, 21))
def test_planes_are_unpacked_as_they_were_packed(channels):
    rng = np.random.default_rng(0)
    allowed = rng.random((4, 5, channels)) < 0.5
    asked = rng.random((4, 5)) < 0.5
    packed = planes.pack(allowed, asked)
    weak = estimation.weak_of(jnp.asarray(packed)[None], channels)
    np.testing.assert_array_equal(weak.estimated[0], asked)
    np.testing.assert_array_equal(weak.allowed[0], allowed & asked[..., None])
    for ours, theirs in zip(planes.unpack(packed, channels), weak[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs[0])


STEPS = {
    "em_fixed": ByConstants(estimation.em_fixed, (6.0, 5.0)),
    "em_boxes": ByConstants(estimation.em_boxes, (5.0, 3.0)),
    "em_adapt": ByPortions(),
}


@pytest.fixture(scope="module")
def batch():
    """Four images of 3 classes: of the last all pixels have labels, and one is void."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, (4, 6, 6)).astype(np.uint8)
    labels[3, 0, 0] = 255
    allowed = rng.random((4, 6, 6, 3)) < 0.5
    allowed[..., 0] = True
    packed = [planes.pack(x, number < 3) for number, x in enumerate(allowed)]
    return {"labels": labels, planes.PLANES: np.stack(packed)}


@pytest.mark.parametrize("name", STEPS)
def test_the_gradient_is_that_of_the_labels_alone(name, batch):
    loss = Estimated(CrossEntropy(), STEPS[name])
    logits = jax.random.normal(KEYS[0], (4, 6, 6, 3))

    def total(logits, how, batch):
        return how(logits, batch, KEYS)[0].total

    @jax.jit
    def labelled(logits, batch):
        weak = estimation.weak_of(batch[planes.PLANES], 3)
        return loss.labels(logits, batch["labels"].astype(jnp.int32), weak, KEYS)

    labels = labelled(logits, batch)
    np.testing.assert_array_equal(labels[3], batch["labels"][3])
    assert np.asarray(labels[:3]).max() < 3
    gradient = jax.jit(jax.value_and_grad(total), static_argnums=1)
    ours = gradient(logits, loss, batch)
    theirs = gradient(logits, CrossEntropy(), {"labels": labels})
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-7)


def test_no_gradient_goes_through_the_e_step(batch):
    """The labels are constants to whatever is made of them."""

    def raised(logits):
        weak = estimation.weak_of(jnp.asarray(batch[planes.PLANES]), 3)
        labels = jnp.asarray(batch["labels"], jnp.int32)
        found = Estimated(CrossEntropy(), ByPortions()).labels(
            logits, labels, weak, KEYS
        )
        return jnp.sum(found.astype(jnp.float32))

    assert not np.asarray(jax.jit(jax.grad(raised))(jnp.ones((4, 6, 6, 3)))).any()


def test_cells_alone_are_seen_where_labels_shrink(batch):
    """Every third pixel: the E-step and the loss know of no other."""
    logits = jax.random.normal(KEYS[0], (4, 6, 6, 3))
    shrunk = jax.jit(Estimated(CrossEntropy(), ByPortions(), shrink=3))
    ours = shrunk(logits, batch, KEYS)
    cells = {name: x[:, ::3, ::3] for name, x in batch.items()}
    seen = jax.jit(Estimated(CrossEntropy(), ByPortions()))
    theirs = seen(logits[:, ::3, ::3], cells, KEYS)
    assert ours[0].count == theirs[0].count == 4 * 4 - 1
    assert ours[0].total == theirs[0].total


@pytest.mark.parametrize("name", ("em_fixed", "em_adapt"))
def test_an_image_holds_the_classes_that_lie_between_its_cells(name):
    """As in the release: classes are looked for before labels are shrunk."""
    labels = np.zeros((6, 6), np.uint8)
    labels[1, 1] = 2  # Of every third pixel none.
    packed = planes.pack(image_labels.where_they_are(labels, 3))[None]
    batch = {"labels": np.full((1, 6, 6), 255, np.uint8), planes.PLANES: packed}
    logits = np.zeros((1, 6, 6, 3), np.float32)
    logits[..., 2] = np.arange(6)[None, :, None] / 6
    found = Estimated(CrossEntropy(), STEPS[name], shrink=3)(logits, batch, KEYS[:1])
    cells = jnp.asarray(logits[:, ::3, ::3])
    weak = weak_images([[0, 2]], (2, 2), 3)
    theirs = estimation.last_argmax(STEPS[name](cells, weak, KEYS[:1]))
    assert (theirs == 2).any()
    alone = CrossEntropy()(cells, {"labels": theirs}, KEYS[:1])
    np.testing.assert_allclose(found[0].total, alone[0].total, rtol=1e-6)


def test_on_several_devices_labels_are_those_on_one(batch):
    loss = Estimated(CrossEntropy(), ByPortions())
    logits = jax.random.normal(KEYS[0], (4, 6, 6, 3))
    arrays = {"logits": np.asarray(logits), **batch, "keys": jax.random.key_data(KEYS)}

    def share(parts):
        keys = jax.random.wrap_key_data(parts["keys"])
        weak = estimation.weak_of(parts[planes.PLANES], 3)
        labels = parts["labels"].astype(jnp.int32)
        return loss.labels(parts["logits"], labels, weak, keys)

    found = []
    for count in (1, 4):
        devices = jax.local_devices()[:count]
        step = parallel.data_parallel(share, devices)
        found.append(np.asarray(step(parallel.shard_batch(arrays, devices))))
    np.testing.assert_array_equal(found[0].reshape(4, 6, 6), found[1].reshape(4, 6, 6))


@pytest.mark.parametrize("portion", ((1.0, 0.4), (0.2, -0.1), (0.2,)))
def test_portions_are_fractions(portion):
    weak = weak_images([[0]], (1, 2), 3)
    message = r"em_adapt: portions=\(.*\) are what a class of objects .* below 1"
    with pytest.raises(ValueError, match=message):
        estimation.em_adapt(jnp.zeros((1, 1, 2, 3)), weak, KEYS[:1], portions=portion)
    with pytest.raises(ValueError, match="portions="):
        ByPortions(portion)


def test_there_is_a_sweep():
    with pytest.raises(ValueError, match="reached in sweeps=0; at least one"):
        ByPortions(sweeps=0)


def test_weak_labels_are_of_the_networks_classes():
    with pytest.raises(ValueError, match="of 3 planes; those of 7 classes have 1"):
        estimation.weak_of(jnp.zeros((1, 2, 2, 3), jnp.uint8), 7)


def test_labels_are_estimated_of_weak_labels_and_one_head(batch):
    loss, logits = Estimated(CrossEntropy(), ByPortions()), jnp.zeros((4, 6, 6, 3))
    with pytest.raises(ValueError, match="the batch has no 'allowed': wrap"):
        loss(logits, {"labels": batch["labels"]}, KEYS)
    with pytest.raises(ValueError, match="with one head; this one scores a, b"):
        loss({"a": logits, "b": logits}, batch, KEYS)


def test_the_axis_of_the_loss_inside_is_looked_at():
    from fcn_jax.training.overlaps import Dice

    dice = Dice(LossOptions(axis_name="other"))
    both = WeightedSum(((1.0, CrossEntropy()), (1.0, dice)))
    with pytest.raises(ValueError, match="Dice sums over axis_name='other'"):
        check_axis(Estimated(both, ByPortions()), "batch")
    check_axis(Estimated(CrossEntropy(), ByPortions()), "batch")
