"""Windows of an image, by hand."""

import numpy as np
import pytest

from fcn_jax.inference import windows


def image(height, width):
    return np.zeros((height, width, 3), np.uint8)


def proposing(*boxes, dtype=np.int32):
    found = np.array(boxes, dtype).reshape(-1, 4)
    return lambda image, name: (found, np.zeros(len(found), np.float32))


def test_the_whole_image():
    np.testing.assert_array_equal(
        windows.WholeImage()(image(3, 5), "a"), [(0, 0, 3, 5)]
    )
    assert windows.WholeImage().max_windows((3, 5)) == 1


def test_tiles_by_hand():
    tiles = windows.Tiles(side=4, overlap=0.5)
    np.testing.assert_array_equal(
        tiles(image(4, 10), "a"),
        [(0, 0, 4, 4), (0, 2, 4, 6), (0, 4, 4, 8), (0, 6, 4, 10)],
    )
    np.testing.assert_array_equal(tiles(image(3, 2), "a"), [(0, 0, 3, 2)])


@pytest.mark.parametrize("size", ((375, 500), (224, 225), (500, 333)))
def test_tiles_cover_the_image_and_overlap_enough(size):
    tiles = windows.Tiles(side=224, overlap=0.25)
    boxes = tiles(image(*size), "a")
    cover = np.zeros(size, int)
    for row0, col0, row1, col1 in boxes:
        assert 0 <= row0 < row1 <= size[0]
        assert 0 <= col0 < col1 <= size[1]
        cover[row0:row1, col0:col1] += 1
    assert cover.min() >= 1
    for axis in (0, 1):
        starts = np.unique(boxes[:, axis])
        assert (np.diff(starts) <= 168).all()
    assert len(boxes) == tiles.max_windows(size) <= tiles.max_windows((500, 500))


def test_proposals_are_extended_and_counted():
    found = windows.ProposalWindows(
        proposing(
            (10, 20, 20, 40),
            (0, 0, 4, 4),
            (20, 40, 25, 49),  # Small, and far from the corner.
            (5, 5, 25, 25),
            (0, 0, 30, 50),
        ),
        num=2,
        min_side=12,
    )
    np.testing.assert_array_equal(
        found(image(30, 50), "a"), [(9, 18, 21, 42), (3, 3, 27, 27)]
    )
    assert found.max_windows((30, 50)) == 2


def test_no_proposal_left_falls_back_to_the_whole_image():
    small = windows.ProposalWindows(proposing((0, 0, 4, 4)), min_side=112)
    with pytest.warns(UserWarning, match=r"im7: no proposal .* 30x50; the whole"):
        found = small(image(30, 50), "im7")
    np.testing.assert_array_equal(found, [(0, 0, 30, 50)])


@pytest.mark.parametrize(
    ("box", "message"),
    (
        ((0, 0, 31, 10), r"im7: box 0, \(0, 0, 31, 10\), leaves the image"),
        ((4, 4, 4, 9), r"im7: box 0, \(4, 4, 4, 9\), has no area"),
    ),
)
def test_wrong_proposals(box, message):
    with pytest.raises(ValueError, match=message):
        windows.ProposalWindows(proposing(box))(image(30, 50), "im7")


def test_wrong_numbers():
    with pytest.raises(ValueError, match="K = 0 proposals: .* at least 1"):
        windows.ProposalWindows(proposing(), num=0)
    with pytest.raises(ValueError, match=r"extension=4 is not in \[1, 3\]"):
        windows.ProposalWindows(proposing(), extension=4)
    with pytest.raises(ValueError, match=r"side=224, overlap=1; .* in \[0, 1\)"):
        windows.Tiles(overlap=1)
