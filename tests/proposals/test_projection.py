"""Masks on cells, by hand and against a loop over pixels."""

import numpy as np
import pytest

from fcn_jax.proposals import candidates, projection
from fcn_jax.proposals.projection import Cells

VGG = Cells(7.5, 16, tuple(-(-side // 16) for side in range(300)))


def zf_cells(side):
    """conv1 7/2 p1, pool1 3/2, conv2 5/2, pool2 3/2; poolings round up."""
    side = (side + 2 - 7) // 2 + 1
    side = -(-(side - 3) // 2) + 1
    side = (side - 5) // 2 + 1
    return max(0, -(-(side - 3) // 2) + 1)


ZF = Cells(20, 16, tuple(map(zf_cells, range(300))))


def row(first, last, side):
    """A mask of columns first to last of an image that is as low as ZF-5 takes any."""
    mask = np.zeros((1, 31, side), bool)
    mask[0, :, first : last + 1] = True
    return candidates.from_masks(mask)


def cells_of(mask, cells):
    return projection.project(mask, cells)[0, 0].tolist()


def test_columns_0_to_11_are_three_quarters_of_the_first_cell():
    np.testing.assert_array_equal(VGG.centres(32), [7.5, 23.5])
    assert VGG.nearest(32).tolist() == [0] * 16 + [1] * 16
    assert cells_of(row(0, 11, 32), VGG) == [True, False]


def test_half_of_a_cell_is_enough():
    assert cells_of(row(8, 23, 32), VGG) == [True, True]
    assert cells_of(row(9, 22, 32), VGG) == [False, False]


def test_of_two_centres_as_near_it_is_the_first():
    """ZF-5: pixels 0 to 28 are the first cell's; the last is as near to the second."""
    assert ZF.centres(52).tolist() == [20, 36]
    assert ZF.nearest(52).tolist() == [0] * 29 + [1] * 23
    assert cells_of(row(0, 27, 52), ZF) == [True, False]
    # The first cell has 29 pixels, of which 15 are half and 14 are not.
    assert cells_of(row(0, 14, 52), ZF) == [True, False]
    assert cells_of(row(0, 13, 52), ZF) == [False, False]


def test_all_of_an_image_is_every_cell_and_a_speck_is_none():
    masks = np.zeros((2, 40, 50), bool)
    masks[0], masks[1, 3:5, 3:5] = True, True
    found = projection.project(candidates.from_masks(masks), VGG)
    assert found.shape == (2, 3, 4)
    assert found[0].all()
    assert not found[1].any()


@pytest.mark.parametrize("seen", (None, (80, 120), (33, 41)))
def test_cells_against_a_loop_over_pixels(seen):
    rng = np.random.default_rng(0)
    size = (40, 60)
    masks = rng.random((5, *size)) < np.linspace(0.3, 0.7, 5)[:, None, None]
    masks[:, :20] |= rng.random((5, 20, 60)) < 0.3
    ours = projection.project(candidates.from_masks(masks), VGG, seen)
    height, width = seen or size
    counts = VGG.counts[height], VGG.counts[width]
    totals, pixels = np.zeros((5, *counts)), np.zeros(counts)
    for y in range(size[0]):
        for x in range(size[1]):
            # Where the pixel's centre lies in the image as it is seen.
            places = ((y + 0.5) * height / size[0], (x + 0.5) * width / size[1])
            near = tuple(
                int(np.argmin(np.round(np.abs(p - 0.5 - 7.5 - 16 * np.arange(n)), 9)))
                for p, n in zip(places, counts, strict=True)
            )
            pixels[near] += 1
            totals[:, near[0], near[1]] += masks[:, y, x]
    theirs = 2 * totals >= np.maximum(pixels, 1)[None]
    np.testing.assert_array_equal(ours, theirs)
    assert 0 < ours.mean() < 1


def test_a_segment_is_seen_if_one_of_its_cells_is_its_boxs():
    """The last centre lies beyond the image: of 4 columns there the box has no cell."""
    boxes = np.array([[0, 96, 31, 100], [0, 80, 31, 100]])
    masks = np.concatenate(
        [projection.project(row(start, 99, 100), VGG) for start in (96, 80)]
    )
    assert masks[:, 0].astype(int).tolist() == [[0] * 6 + [1], [0] * 5 + [1, 1]]
    seen = projection.has_cells(masks, boxes, VGG, (31, 100))
    assert seen.tolist() == [False, True]


def test_as_many_masks_stay_as_tell_so_many_regions_apart():
    masks = np.zeros((3, 1, 8), bool)
    masks[0, 0, :4] = masks[1, 0, 2:6] = masks[2, 0, 7] = True
    found = candidates.from_masks(masks)
    assert found.num_regions == 5
    same = projection.within(found, 5)
    np.testing.assert_array_equal([same.mask(i) for i in range(3)], masks)
    less = projection.within(found, 4)
    assert (len(less), less.num_regions) == (2, 4)
    np.testing.assert_array_equal([less.mask(i) for i in range(2)], masks[:2])
    one = projection.within(found, 3)
    assert (len(one), one.num_regions) == (1, 2)
    np.testing.assert_array_equal(one.mask(0), masks[0])


def test_boxes_are_seen_where_they_are_13_cells_wide():
    boxes = np.array([[0, 0, 150, 200], [0, 0, 40, 60]], np.int32)
    scales = projection.suited_scale(boxes, 375)
    assert [projection.SCALES[i] for i in scales] == [480, 1200]
    # 208 * 100 / 100: as near to 200 as to 216.
    tie = np.array([[0, 0, 100, 100]], np.int32)
    assert projection.suited_scale(tie, 100, (216, 200, 208.5)).tolist() == [2]
    assert projection.suited_scale(tie, 100, (216, 200)).tolist() == [0]


def test_what_is_refused():
    with pytest.raises(ValueError, match="stride=0: cells lie a positive number"):
        Cells(7.5, 0, (0, 1))
    for side in (0, 300):
        with pytest.raises(
            ValueError, match=f"a side of {side} pixels has no cell, or"
        ):
            VGG.along(side)
    with pytest.raises(ValueError, match="most=1 regions: a mask tells 2 apart"):
        projection.within(row(0, 1, 4), 1)
    with pytest.raises(ValueError, match="there is no scale; give at least one"):
        projection.suited_scale(np.zeros((1, 4), np.int32), 100, ())
