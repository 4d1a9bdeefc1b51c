"""Boxes with classes by hand: those of masks, what they cover, and what is none."""

import numpy as np
import pytest

from fcn_jax.data.weak import boxes

CLASSES = ("background", "a", "b")
A, B = (1, 0, 0, 10, 10), (2, 3, 3, 6, 6)  # A, of 100 pixels, contains B, of 9.


def test_boxes_are_tight_around_objects_and_know_their_classes():
    labels, numbers = np.zeros((8, 9), np.uint8), np.zeros((8, 9), np.uint8)
    labels[1:3, 2:5], numbers[1:3, 2:5] = 1, 1
    labels[1, 5:9], numbers[1, 5:9] = 1, 2  # Of one class, side by side.
    labels[6, 0], numbers[6, 0] = 2, 3
    labels[0, 2:5] = numbers[0, 2:5] = 255  # Void is no part of an object.
    item = {"image": np.zeros((8, 9, 3)), "labels": labels, "objects": numbers}
    found = boxes.boxes_of(item, CLASSES, "it")
    assert found.tolist() == [[1, 1, 2, 3, 5], [1, 1, 5, 2, 9], [2, 6, 0, 7, 1]]
    assert boxes.boxes_of(item, CLASSES, "it", min_area=5).tolist() == [[1, 1, 2, 3, 5]]


@pytest.mark.parametrize("order", ((A, B), (B, A)))
def test_the_smallest_box_wins_whatever_the_order(order):
    labels = boxes.rectangles(np.array(order), (12, 12))
    assert np.bincount(labels.ravel()).tolist() == [44, 91, 9]
    assert (labels[3:6, 3:6] == 2).all()


def test_boxes_of_one_area_have_one_order():
    pair = np.array([(2, 0, 0, 2, 2), (1, 1, 1, 3, 3)])
    ours = boxes.rectangles(pair, (3, 3))
    np.testing.assert_array_equal(ours, boxes.rectangles(pair[::-1], (3, 3)))
    assert ours[1, 1] == 2


def test_a_pixel_may_be_of_every_box_over_it_or_background():
    found = boxes.covering(np.array([A, B]), (11, 11), 3)
    assert found[4, 4].tolist() == [True, True, True]
    assert found[0, 0].tolist() == [True, True, False]
    assert found[10, 10].tolist() == [True, False, False]


def test_no_boxes_leave_background():
    none = np.zeros((0, 5), np.int32)
    assert not boxes.rectangles(none, (2, 3)).any()
    assert boxes.covering(none, (2, 3), 3).sum() == 6
    boxes.check_boxes(none, (2, 3), 3, "it")


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, 0, 0, 3, 9), r"it: box 0, \(0, 0, 3, 9\), leaves the image; .* 4x8"),
        ((1, 2, 2, 2, 3), "it: box 0, .* has no area"),
        ((0, 0, 0, 1, 1), "it: box 0 is of class 0; of 3 classes .* another list"),
        ((3, 0, 0, 1, 1), "it: box 0 is of class 3; of 3 classes .* 1 to 2"),
        ((0, 0, 1, 1), r"it: boxes of shape \(1, 4\); expected \[K, 5\]"),
    ],
)
def test_wrong_boxes_are_named(box, message):
    with pytest.raises(ValueError, match=message):
        boxes.check_boxes(np.array([box]), (4, 8), 3, "it")


def test_boxes_are_integers():
    with pytest.raises(TypeError, match="it: boxes are float64; expected integers"):
        boxes.check_boxes(np.ones((1, 5)), (4, 8), 3, "it")
