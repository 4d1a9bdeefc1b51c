"""Segment pursuit by hand."""

import numpy as np
import pytest

from fcn_jax.proposals import candidates, pursuit

DISJOINT = np.eye(3)


def test_the_largest_are_taken_until_the_mean_is_not_reached():
    """Areas 10, 8 and 3: their mean is 7, and what is left after two is less."""
    found = pursuit.pursue(np.array([8, 10, 3]), DISJOINT)
    assert found.tolist() == [1, 0]


def test_a_segment_excludes_those_that_overlap_it():
    overlaps = np.eye(3)
    overlaps[0, 1] = overlaps[1, 0] = 0.2  # From .2 on.
    assert pursuit.pursue(np.array([8, 10, 9]), overlaps).tolist() == [1, 2]
    overlaps[0, 1] = overlaps[1, 0] = 0.19
    assert pursuit.pursue(np.array([10, 9, 8]), overlaps).tolist() == [0, 1]


def test_chance_is_proportional_to_area_and_ends_likewise():
    areas, counts = np.array([10, 8, 3]), np.zeros(3)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        found = pursuit.pursue(areas, DISJOINT, rng)
        counts[found[0]] += 1
        assert {0, 1} <= set(found.tolist())  # None of the mean area is left.
    np.testing.assert_allclose(counts / 2000, areas / areas.sum(), atol=0.04)


def test_no_segment_is_no_choice():
    found = pursuit.pursue(np.zeros(0), np.zeros((0, 0)))
    assert found.shape == (0,)


def test_purity_counts_the_stuff_in_a_segments_box():
    """Of 3x4 pixels the first two rows are sky; a segment has its box's corner not."""
    stuff = np.zeros((3, 4), bool)
    stuff[:2] = True
    masks = np.zeros((2, 3, 4), bool)
    masks[0, :2, :2] = True
    masks[0, 0, 0] = False
    masks[1, 1:, 3] = True  # A pixel of sky, one of ground.
    found = candidates.from_masks(masks)
    np.testing.assert_allclose(pursuit.purity(found, stuff), [3 / 4, 1 / 2])


def test_overlaps_by_hand():
    masks = np.zeros((2, 1, 5), bool)
    masks[0, 0, :3] = masks[1, 0, 2:] = True
    found = pursuit.overlaps(candidates.from_masks(masks))
    np.testing.assert_allclose(found, [[1, 0.2], [0.2, 1]])


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"areas of \(2,\) and overlaps of \(3, 3\)"):
        pursuit.pursue(np.ones(2), DISJOINT)
    with pytest.raises(
        ValueError, match="max_iou=0, least area 1; expected an overlap"
    ):
        pursuit.pursue(np.ones(3), DISJOINT, max_iou=0)
    with pytest.raises(ValueError, match="least area 0; expected"):
        pursuit.pursue(np.array([1, 0, 2]), DISJOINT)
    found = candidates.from_masks(np.ones((1, 2, 2), bool))
    with pytest.raises(ValueError, match=r"stuff of \(3, 2\) and segments of \(2, 2\)"):
        pursuit.purity(found, np.ones((3, 2), bool))
