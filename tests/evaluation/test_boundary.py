"""Boundary IU, by hand."""

import numpy as np
import pytest
from scipy import ndimage

from fcn_jax.evaluation import boundary

VOID = 255


def scores(labels, pred, distance=1, num_classes=2, ignore_label=VOID):
    counter = boundary.BoundaryIU(num_classes, distance)
    counter.add(np.asarray(labels), np.asarray(pred), ignore_label)
    return counter.scores([str(number) for number in range(num_classes)])


def test_borders_are_where_labels_meet_and_where_the_image_ends():
    labels = np.zeros((5, 9), np.uint8)
    labels[:, 5:] = 1
    found = boundary.borders(labels, 1)
    inside = np.zeros((5, 9), bool)
    inside[1:4, 1:4] = inside[1:4, 6:8] = True
    np.testing.assert_array_equal(found, ~inside)


def test_they_are_what_erosion_takes_away():
    """As the reference has it: 3x3, as often as the distance, nothing outside."""
    labels = np.random.default_rng(0).integers(0, 3, (6, 8)).repeat(5, 0).repeat(5, 1)
    found = boundary.borders(labels, 3)
    for label in range(3):
        left = ndimage.binary_erosion(labels == label, np.ones((3, 3)), 3)
        np.testing.assert_array_equal(found[labels == label], ~left[labels == label])


def test_a_shifted_border_by_hand():
    labels, pred = np.zeros((2, 7, 8), np.uint8)
    labels[:, 4:] = 1
    pred[:, 5:] = 1
    # Of class 1 the truth is 7x4 without its inner 5x2, the prediction 7x3 without 5x1.
    # Right and near a border in both: the ring of the smaller, but for the 5 pixels
    # of its left column that lie inside the larger.
    found = scores(labels, pred)
    assert found["iu"]["1"] == pytest.approx(11 / (18 + 16 - 11))
    # Of class 0: 7x4 without 5x2, and 7x5 without 5x3, 5 of them inside the larger.
    assert found["iu"]["0"] == pytest.approx(13 / (18 + 20 - 13))
    assert found["mean_iu"] == pytest.approx((11 / 23 + 13 / 25) / 2)


def test_what_is_far_from_every_border_does_not_count():
    labels = np.zeros((9, 9), np.uint8)
    pred = labels.copy()
    pred[4, 4] = 1
    found = scores(labels, pred)
    # The border of the image is right; the eight neighbours and the hole are not.
    assert found["iu"] == {"0": 32 / (32 + 8), "1": 0}


def test_a_border_that_void_hides_is_right_on_either_side():
    labels, pred = np.zeros((2, 6, 10), np.uint8)
    labels[:, 6:], labels[:, 4:6] = 1, VOID
    pred[:, 5:] = 1  # Somewhere in the void.
    assert scores(labels, pred)["iu"] == {"0": 1.0, "1": 1.0}


def test_void_may_be_a_label_below_the_classes():
    labels, pred = np.zeros((2, 4, 6), np.uint8)
    labels[:, 3:], pred[:, 3:] = 1, 1
    assert scores(labels, pred, ignore_label=0)["iu"] == {"0": None, "1": 1.0}


def test_images_are_added_up_and_nothing_is_no_score():
    counter = boundary.BoundaryIU(2, 1)
    assert counter.scores("ab") == {"iu": {"a": None, "b": None}, "mean_iu": None}
    ones = np.ones((3, 3), np.uint8)
    counter.add(ones, ones)
    counter.add(ones, ones - 1)
    assert counter.scores("ab")["iu"] == {"a": 0, "b": 8 / 16}


def test_a_distance_of_nothing():
    with pytest.raises(ValueError, match="distance=0 pixels leaves no border; give 1"):
        boundary.BoundaryIU(2, 0)
