"""Regions made one map, by hand and painted one after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import pasting


def masks(*rows):
    """Masks of an image of one row, "##.." each."""
    return jnp.array([[[c == "#" for c in row]] for row in rows])


def test_masks_are_placed_by_the_nearest_pixel():
    """Pixel k of 3 sees pixel floor(2 k / 3) of 2: 0, 0, 1."""
    mask = jnp.array([[[True, False], [False, True]]])
    found = pasting.place_masks(mask, jnp.array([[1, 0, 4, 3]], jnp.int32), (5, 4))
    np.testing.assert_array_equal(
        found[0].astype(int),
        [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]],
    )


def test_boxes_of_few_bits():
    """The last pixel of a box of 8 is 7 * 50 / 8 in the mask: not in uint8."""
    mask = jnp.tri(50, dtype=bool)[None]
    boxes = jnp.array([[1, 0, 9, 8]], jnp.uint8)
    np.testing.assert_array_equal(
        pasting.place_masks(mask, boxes, (9, 9)),
        pasting.place_masks(mask, boxes.astype(jnp.int32), (9, 9)),
    )


@pytest.mark.parametrize(
    ("max_iou", "left"),
    ((0.0, [False, True, False, True, False]), (0.4, [True, True, False, True, False])),
)
def test_worse_regions_of_a_class_go(max_iou, left):
    """The first shares a pixel of three with the second, the third two of three."""
    found = pasting.region_nms(
        masks("##...", ".##..", ".###.", ".##..", "....."),
        jnp.array([0.5, 0.9, 0.6, 0.1, 1.0]),
        jnp.array([1, 1, 1, 2, 3], jnp.int32),
        max_iou,
    )
    assert found.tolist() == left  # Another class stays; what is empty goes.


def test_what_was_left_out_takes_nothing_with_it():
    found = pasting.region_nms(
        masks("##...", ".##..", "..##."),
        jnp.array([0.9, 0.8, 0.7]),
        jnp.array([1, 1, 1], jnp.int32),
    )
    assert found.tolist() == [True, False, True]


def test_the_better_region_is_on_top_in_any_order():
    """A of .9 and B of .5 overlap in one pixel, which is A's."""
    both, scores = masks("##..", ".##."), jnp.array([0.9, 0.5])
    there = jnp.array([True, True])
    assert pasting.paint(both, scores, there).tolist() == [[0, 0, 1, -1]]
    assert pasting.paint(both[::-1], scores[::-1], there).tolist() == [[1, 1, 0, -1]]
    equal = pasting.paint(both, jnp.array([0.5, 0.5]), there)
    assert equal.tolist() == [[0, 0, 1, -1]]


def test_the_best_are_painted_alone():
    scores = jnp.array([0.2, 0.9, 0.8, 0.7, 0.5])
    left = jnp.array([True, True, False, True, True])
    found = pasting.best(scores, left, 0.2, 2)
    assert found.tolist() == [False, True, False, True, False]
    assert pasting.best(scores, left, 0.2, 9).tolist() == [
        False,
        True,
        False,
        True,
        True,
    ]


def test_the_map_is_that_of_a_painter():
    """In ascending order each region covers what was there."""
    rng = np.random.default_rng(0)
    found = rng.random((6, 7, 9)) > 0.6
    scores = rng.permutation(6) / 10 + 0.1
    classes = rng.integers(1, 4, size=6).astype(np.int32)
    expected = np.zeros((7, 9), int)
    for n in np.argsort(scores):
        if scores[n] > 0.25:
            expected[found[n]] = classes[n]

    @jax.jit
    def paint(scores):
        left = pasting.best(scores, jnp.ones(6, bool), 0.25, 10)
        owner = pasting.paint(jnp.asarray(found), scores, left)
        return pasting.painted_logits(owner, scores, jnp.asarray(classes), 0.25, 4)

    logits = paint(jnp.asarray(scores, "float32"))
    assert (logits.shape, logits.dtype) == ((7, 9, 4), jnp.float32)
    np.testing.assert_array_equal(logits.argmax(-1), expected)
    np.testing.assert_allclose(logits[..., 0], np.full((7, 9), 0.25))


def test_an_overlap_out_of_range():
    with pytest.raises(ValueError, match=r"max_iou=1.5 is not in \[0, 1\]; 0 leaves"):
        pasting.region_nms(masks("#"), jnp.ones(1), jnp.ones(1, jnp.int32), 1.5)
