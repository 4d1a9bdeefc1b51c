"""AP^r, by hand."""

import numpy as np
import pytest

from fcn_jax.evaluation import region_precision
from fcn_jax.evaluation.region_precision import RegionPrecision

SCORES = np.array([0.9, 0.8, 0.7, 0.6])
# Of four regions with three objects; the second overlaps the first object more than the
# first region does, and comes too late.
IOU = np.array([[0.8, 0, 0], [0.9, 0.1, 0], [0.1, 0.6, 0], [0, 0, 0.4]])


@pytest.mark.parametrize(
    ("threshold", "hits", "precision"),
    (
        (0.5, [True, False, True, False], 1 / 3 + 2 / 9),
        (0.7, [True, False, False, False], 1 / 3),
    ),
)
def test_four_regions_by_hand(threshold, hits, precision):
    """At .5 TP FP TP FP: recall 1/3 at precision 1, 2/3 at 2/3."""
    order = np.array([2, 0, 3, 1])  # The order in which they come says nothing.
    found = region_precision.matched(SCORES[order], IOU[order], threshold)
    assert found[np.argsort(order)].tolist() == hits
    value = region_precision.average_precision(SCORES[order], found, 3)
    assert value == pytest.approx(precision)


def test_precision_is_that_of_the_best_recall_beyond():
    """FP TP TP: precisions 0, 1/2, 2/3, of which the envelope is 2/3 throughout."""
    hits = np.array([False, True, True])
    assert region_precision.average_precision(SCORES[:3], hits, 4) == pytest.approx(
        2 / 4 * 2 / 3
    )


def test_overlaps_are_of_pixels():
    objects = np.array([[1, 1, 0], [2, 0, 0]])
    masks = np.array([[[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]], bool)
    found = region_precision.mask_iou(masks, objects, [1, 2])
    np.testing.assert_allclose(found, [[2 / 3, 0], [0, 1]])


def test_objects_of_an_image_are_those_of_its_class():
    """A region on the object of another class is false; no object, no score."""
    precision = RegionPrecision(4, (0.5,))
    objects = np.array([[1, 1, 0, 3]])
    masks = np.array([[[1, 1, 0, 0]], [[1, 1, 0, 0]], [[0, 0, 0, 1]]], bool)
    scores, classes = np.array([0.5, 0.9, 0.8]), np.array([1, 2, 2])
    precision.add(masks, scores, classes, objects, {1: 1, 3: 2})
    precision.add(masks[:1], scores[:1], np.array([3]), objects, {})
    found = precision.result()
    assert found["ap_r"] == {"0.5": [None, 1.0, 0.5, None]}
    assert found["mean_ap_r"] == {"0.5": 0.75}
    assert found["num_objects"] == [0, 1, 1, 0]
    assert found["num_regions"] == [0, 1, 2, 1]


def test_an_image_without_regions_has_missed_its_objects():
    precision = RegionPrecision(2)
    empty = np.zeros((0, 1, 2), bool)
    precision.add(empty, np.zeros(0), np.zeros(0, int), np.array([[1, 0]]), {1: 1})
    assert precision.result()["mean_ap_r"] == {"0.5": 0.0, "0.7": 0.0}
    assert RegionPrecision(2).result()["mean_ap_r"] == {"0.5": None, "0.7": None}


def test_wrong_arguments():
    with pytest.raises(ValueError, match="num_objects=0; recall is a share of objects"):
        region_precision.average_precision(SCORES, SCORES > 0, 0)
    with pytest.raises(ValueError, match=r"thresholds=\(0.5, 2\) .* not all in \(0, 1"):
        RegionPrecision(2, (0.5, 2))
    with pytest.raises(ValueError, match=r"\(2, 2\) pixels .* objects have \(1, 2\)"):
        RegionPrecision(2).add(
            np.zeros((1, 2, 2), bool), SCORES[:1], np.ones(1), np.zeros((1, 2)), {}
        )
