"""Candidate masks by hand: regions, unions, boxes, and what is none."""

import numpy as np
import pytest

from fcn_jax.proposals import candidates
from fcn_jax.proposals.candidates import Candidates

REGIONS = np.repeat(np.array([[0, 1, 2, 2]], np.int32), 4, axis=0)  # Three columns.
MEMBER = np.array([[1, 0, 0], [0, 1, 1], [1, 1, 1]], bool)
THREE = Candidates(REGIONS, MEMBER)


def masks_of(found):
    return np.stack([found.mask(k) for k in range(len(found))])


def test_masks_areas_and_boxes_of_unions():
    assert len(THREE) == 3
    assert THREE.mask(1).tolist() == [[False, True, True, True]] * 4
    assert THREE.areas().tolist() == [4, 12, 16]
    assert THREE.boxes.tolist() == [[0, 0, 4, 1], [0, 1, 4, 4], [0, 0, 4, 4]]
    assert len(THREE.first(2)) == 2


def test_any_masks_become_candidates_over_the_regions_that_they_share():
    rng = np.random.default_rng(0)
    masks = rng.random((11, 5, 7)) < 0.3
    masks[4] = False  # Empty: left out.
    found = candidates.from_masks(masks)
    np.testing.assert_array_equal(masks_of(found), np.delete(masks, 4, axis=0))
    boxes = [
        (r.min(), c.min(), r.max() + 1, c.max() + 1)
        for r, c in (np.nonzero(m) for m in np.delete(masks, 4, axis=0))
    ]
    np.testing.assert_array_equal(found.boxes, boxes)


def test_sets_of_one_image_are_joined_over_common_regions():
    masks = np.random.default_rng(1).random((9, 4, 4)) < 0.5
    parts = [candidates.from_masks(masks[:4]), THREE, candidates.from_masks(masks[4:])]
    found = candidates.join(parts)
    wanted = np.concatenate([masks_of(part) for part in parts])
    np.testing.assert_array_equal(masks_of(found), wanted)
    assert candidates.join([THREE]) is THREE


def test_each_mask_is_kept_once():
    twice = Candidates(REGIONS, MEMBER[[2, 0, 2, 1, 0]])
    found, places = candidates.without_duplicates(twice)
    assert places.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(found.member, MEMBER[[2, 0, 1]])


def test_rectangles_stand_behind_the_others():
    box = np.array([[1, 0, 3, 3]])
    found = candidates.with_rectangles(THREE, box)
    assert len(found) == 4
    np.testing.assert_array_equal(masks_of(found)[:3], masks_of(THREE))
    assert found.boxes[3].tolist() == box[0].tolist()
    assert found.mask(3).sum() == 6
    assert candidates.with_rectangles(THREE, box[:0]) is THREE


@pytest.mark.parametrize(
    ("regions", "member", "error", "message"),
    [
        (REGIONS.astype(float), MEMBER, TypeError, "regions are float64; expected int"),
        (REGIONS, MEMBER.astype(int), TypeError, "membership is int64; expected bool"),
        (REGIONS[0], MEMBER, ValueError, r"regions \(4,\) and membership \(3, 3\)"),
        (REGIONS, MEMBER[:, :2], ValueError, "regions 0 to 2, 3 .* masks unite 2;"),
        (REGIONS * 2, MEMBER, ValueError, "regions 0 to 4, 3 of them .* without gaps"),
        (
            REGIONS,
            MEMBER & [False, True, True],
            ValueError,
            "candidate 0 is empty; leave it out",
        ),
    ],
)
def test_what_is_no_set_of_candidates(regions, member, error, message):
    with pytest.raises(error, match=message):
        Candidates(regions, member)


def test_what_cannot_be_joined_or_made():
    with pytest.raises(ValueError, match=r"2 sizes, \[\(2, 3\), \(4, 4\)\]"):
        candidates.join([THREE, candidates.from_masks(np.ones((1, 2, 3), bool))])
    with pytest.raises(ValueError, match="no mask has a pixel"):
        candidates.from_masks(np.zeros((2, 3, 3), bool))
