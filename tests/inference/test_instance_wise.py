"""Instance-wise inference: aggregation by hand, padding, limits, refusals."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.inference import instance_wise
from fcn_jax.preprocessing import Preprocessing

# The network sees the pixels as they are.
PLAIN = Preprocessing("plain", "rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
SIDE = 4


class Pixels(nn.Module):
    """A network whose logits are the colours, less 100."""

    num_classes: int = 3

    @nn.compact
    def __call__(self, images, sizes=None, train=False):
        assert images.shape[1:] == (SIDE, SIDE, 3)
        return images - 100


def run(images, boxes, num_boxes=None, **options):
    boxes = jnp.asarray(boxes, jnp.int32)
    if num_boxes is None:
        num_boxes = [boxes.shape[1]] * boxes.shape[0]
    batch = {
        "image": jnp.asarray(images, jnp.uint8),
        "boxes": boxes,
        "num_boxes": jnp.asarray(num_boxes, jnp.int32),
    }
    settings = {"model": Pixels(), "preprocessing": PLAIN, "side": SIDE}
    return instance_wise.scores({}, batch, **settings | options)


def flat(value, shape=(8, 8)):
    return np.full((*shape, 3), value, np.uint8)


def random_image(shape=(12, 10), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def test_one_box_the_size_of_the_window_is_the_network_itself():
    image = random_image((SIDE, SIDE))
    found = run(image[None], [[(0, 0, SIDE, SIDE)]])
    np.testing.assert_allclose(found[0], image.astype(np.float32) - 100, atol=1e-4)


@pytest.mark.parametrize(
    ("variant", "aggregation", "left", "right"),
    (
        ("paper", "max", 0, 60),
        ("released", "max", 0, 60),
        ("paper", "sum", -40, 120),
        ("paper", "mean", -40, 60),
    ),
)
def test_aggregation_by_hand(variant, aggregation, left, right):
    """The left half scores -40 and is seen once, the right half +60 and twice."""
    image = flat(60)
    image[:, 4:] = 160
    boxes = [[(0, 0, 8, 4), (0, 4, 8, 8), (0, 4, 8, 8)]]
    found = run(image[None], boxes, variant=variant, aggregation=aggregation)[0]
    np.testing.assert_allclose(found[:, :4], left, atol=1e-3)
    np.testing.assert_allclose(found[:, 4:], right, atol=1e-3)


def test_a_maximum_is_negative_only_where_all_boxes_overlap():
    image = flat(60)  # Scores -40 everywhere.
    boxes = [[(0, 0, 8, 8), (0, 0, 8, 4)]]
    paper = run(image[None], boxes)[0]
    np.testing.assert_allclose(paper[:, :4], -40, atol=1e-3)
    np.testing.assert_allclose(paper[:, 4:], 0)
    released = run(image[None], boxes, variant="released")[0]
    np.testing.assert_allclose(released, 0)


def test_sum_and_mean_count_the_boxes_that_cover_a_pixel():
    image = flat(130)
    boxes = [[(0, 0, 8, 8), (0, 0, 8, 4), (0, 0, 4, 4)]]
    summed = run(image[None], boxes, aggregation="sum")[0, :, :, 0]
    np.testing.assert_allclose(summed[:4, :4], 90, atol=1e-3)
    np.testing.assert_allclose(summed[4:, :4], 60, atol=1e-3)
    np.testing.assert_allclose(summed[:, 4:], 30, atol=1e-3)
    mean = run(image[None], boxes, aggregation="mean")
    np.testing.assert_allclose(mean, 30, atol=1e-3)


@pytest.mark.parametrize("aggregation", instance_wise.AGGREGATIONS)
def test_uncovered_pixels_score_zero(aggregation):
    found = run(flat(50)[None], [[(0, 0, 4, 8)]], aggregation=aggregation)[0]
    assert not np.asarray(found[4:]).any()
    np.testing.assert_allclose(found[:4], -50, atol=1e-3)


@pytest.mark.parametrize("boxes_at_once", (1, 2, 5))
@pytest.mark.parametrize("aggregation", ("max", "mean"))
def test_neither_passes_nor_padding_nor_neighbours_change_the_scores(
    boxes_at_once, aggregation
):
    images = np.stack([random_image(seed=1), random_image(seed=2)])
    boxes = np.array(
        [[(0, 0, 7, 9), (3, 2, 12, 10), (-1, 4, 6, 12)], [(2, 2, 9, 9)] * 3]
    )
    together = run(
        images, boxes, [3, 1], boxes_at_once=boxes_at_once, aggregation=aggregation
    )
    for n, count in enumerate((3, 1)):
        alone = run(
            images[n : n + 1],
            boxes[n : n + 1, :count],
            boxes_at_once=3,
            aggregation=aggregation,
        )
        np.testing.assert_allclose(together[n], alone[0], atol=1e-4)


@pytest.mark.parametrize(
    ("boxes", "most", "windows"),
    ((1, 8, 1), (3, 8, 3), (8, 8, 8), (50, 8, 5), (49, 8, 7), (53, 8, 6), (9, 4, 3)),
)
def test_passes_leave_few_windows_to_fill_up(boxes, most, windows):
    seen = []

    class Counting(Pixels):
        @nn.compact
        def __call__(self, images, sizes=None, train=False):
            seen.append(images.shape[0])
            return images

    at_once = {"boxes_at_once": most, "model": Counting()}
    run(flat(9)[None], [[(0, 0, 8, 8)] * boxes], **at_once)
    assert set(seen) == {windows}


def test_what_lies_outside_the_image_is_black():
    found = run(flat(200)[None], [[(-8, 0, 8, 8)]])[0]
    # Half of the window is black: near the top of the image the two mix.
    np.testing.assert_allclose(found[-2:], 100, atol=1e-3)
    assert float(found[0].max()) < 100


def test_depth_in_its_own_unit_is_not_rounded():
    """The logarithm of millimetres, 6.9 at 1 m and 9.2 at 10 m, would be 7 and 9."""
    images = np.random.default_rng(0).uniform(-3, 300, (1, 4, 4, 4))
    images = images.astype(np.float32)
    recipe = Preprocessing("depth", "rgbd", (0.0,) * 4, (1.0,) * 4)

    class Deep(nn.Module):
        num_classes: int = 4

        def __call__(self, images, sizes=None, train=False):
            return images

    batch = {
        "image": jnp.asarray(images),
        "boxes": jnp.array([[[0, 0, 4, 4]]], jnp.int32),
        "num_boxes": jnp.array([1], jnp.int32),
    }
    found = instance_wise.scores(
        {}, batch, model=Deep(), preprocessing=recipe, side=SIDE
    )
    np.testing.assert_allclose(found, images, rtol=1e-6)


def test_log_probs_are_normalised():
    batch = {
        "image": random_image()[None],
        "boxes": jnp.array([[(0, 0, 12, 10)]], jnp.int32),
        "num_boxes": jnp.array([1], jnp.int32),
    }
    found = instance_wise.log_probs(
        {}, batch, model=Pixels(), preprocessing=PLAIN, side=SIDE
    )
    np.testing.assert_allclose(np.exp(found).sum(-1), 1, rtol=1e-4)


def test_one_compilation_for_any_number_of_boxes():
    compiled = jax.jit(
        lambda image, boxes, num_boxes: instance_wise.scores(
            {},
            {"image": image, "boxes": boxes, "num_boxes": num_boxes},
            model=Pixels(),
            preprocessing=PLAIN,
            side=SIDE,
        )
    )
    image = random_image()[None]
    boxes = np.tile(np.array([0, 0, 12, 10], np.int32), (1, 20, 1))
    first = compiled(image, boxes, np.array([1], np.int32))
    second = compiled(image, boxes, np.array([20], np.int32))
    np.testing.assert_allclose(first, second, atol=1e-4)
    assert compiled._cache_size() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"aggregation": "median"}, "aggregation='median' is not known; .* max, mean"),
        ({"variant": "mine"}, "variant='mine' is not known; .* paper, released"),
        (
            {"variant": "released", "aggregation": "mean"},
            "the released code takes the maximum only; use aggregation='max'",
        ),
        ({"side": 0}, "side=0, boxes_at_once=8: both are at least 1"),
    ),
)
def test_unknown_options(options, message):
    with pytest.raises(ValueError, match=message):
        run(flat(0)[None], [[(0, 0, 8, 8)]], **options)


def test_boxes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"boxes have shape \(1, 4\).* \[1, K, 4\]"):
        run(flat(0)[None], [(0, 0, 8, 8)], [1])
    with pytest.raises(ValueError, match="K = 0: there are no boxes .*WholeImage"):
        run(flat(0)[None], np.zeros((1, 0, 4)), [0])
