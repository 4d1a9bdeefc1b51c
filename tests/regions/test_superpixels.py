"""SLIC as scikit-image does it, labels of superpixels, and their ceiling."""

import sys

import numpy as np
import pytest
from skimage.segmentation import slic

from fcn_jax.regions import superpixels
from fcn_jax.regions.superpixels import Slic
from tests.support.object_sources import Source, item

SQUARES = np.kron(np.arange(4).reshape(2, 2), np.ones((2, 2), int))  # 2x2 pixels each.


def image(height=40, width=60, seed=0):
    """Patches of colour; in noise no superpixel would stay connected."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 200, (height // 10 + 1, width // 10 + 1, 3))
    large = np.kron(patches, np.ones((10, 10, 1)))[:height, :width]
    return (large + rng.integers(0, 20, large.shape)).astype(np.uint8)


@pytest.mark.parametrize(
    ("shape", "count"), (((375, 500), 520), ((500, 500), 529), ((333, 500), 504))
)
def test_seeds_stand_on_a_grid(shape, count):
    """So compact that no seed moves: there are as many superpixels as seeds."""
    grid = slic(
        np.zeros((*shape, 3)) + np.arange(3), 500, compactness=1e6, max_num_iter=1,
        enforce_connectivity=False, start_label=0,
    )  # fmt: skip
    assert superpixels.check_superpixels(grid) == count


@pytest.mark.parametrize(
    ("compactness", "rounds", "found"),
    (
        (0.1, 1, "00000111"),
        (0.1, 2, "00011111"),
        (0.1, 10, "00011111"),
        (1, 1, "00000111"),
        (1, 2, "00001111"),
        (1, 10, "00011111"),
        (10, 1, "00000111"),
        (10, 2, "00001111"),
        (10, 10, "00001111"),
    ),
)
def test_a_row_of_grey_values(compactness, rounds, found):
    """Seeds at 2 and 6 without a colour: the first round sees place alone."""
    row = np.array([[0, 0, 0, 1, 1, 1, 1, 1.0]])
    labels = slic(
        row, 2, compactness=compactness, max_num_iter=rounds, channel_axis=None,
        convert2lab=False, enforce_connectivity=False, start_label=0,
    )  # fmt: skip
    assert "".join(map(str, labels[0])) == found


def test_superpixels_are_numbered_from_0_and_the_same_again():
    found = Slic(24)(image(), "a")
    assert (found.shape, found.dtype) == ((40, 60), np.int32)
    assert 10 < superpixels.check_superpixels(found) <= 36
    np.testing.assert_array_equal(found, Slic(24)(image(), "a"))


def test_edges_of_colours_are_edges_of_superpixels():
    halves = np.zeros((32, 32, 3), np.uint8)
    halves[:, 13:] = (200, 40, 40)
    found = Slic(16)(halves)
    assert not set(found[:, :13].ravel()) & set(found[:, 13:].ravel())


def test_the_majority_of_a_superpixel():
    labels = np.array(
        [[1, 1, 0, 2], [0, 255, 2, 0], [255, 255, 2, 255], [255, 255, 255, 255]],
        np.uint8,
    )
    found = superpixels.majority_labels(labels, SQUARES, 3, 255)
    assert (found.tolist(), found.dtype) == ([1, 0, 255, 2], np.uint8)  # 0, of equals.
    zero_is_void = superpixels.majority_labels(labels, SQUARES, 3, 0)
    assert zero_is_void.tolist() == [1, 2, 0, 2]


def source_of(*labels):
    return Source(*(item(x) for x in labels))


def of_squares(image, name):
    del image, name
    return SQUARES


def test_shares_are_of_superpixels_not_of_pixels():
    source = source_of(
        [[1, 1, 0, 0], [1, 0, 0, 0], [255, 255, 0, 255], [255, 255, 255, 255]],
        np.zeros((4, 4)),
    )
    shares = superpixels.class_shares(source, of_squares, 3, 255)
    np.testing.assert_allclose(shares, [6 / 7, 1 / 7, 0])


def test_without_objects_there_is_one_class_and_of_void_none():
    nothing = source_of(np.zeros((4, 4)))
    void = source_of(np.full((4, 4), 255))
    assert superpixels.class_shares(nothing, of_squares, 3, 255).tolist() == [1, 0, 0]
    assert superpixels.class_shares(void, of_squares, 3, 255).tolist() == [0, 0, 0]
    assert not superpixels.ceiling(void, of_squares, 3, 255).any()


def test_the_ceiling_is_what_superpixels_cannot_say():
    source = source_of([[1, 1, 0, 0], [1, 0, 0, 2], [255, 255, 0, 0], [255, 255, 0, 0]])
    found = superpixels.ceiling(source, of_squares, 3, 255)
    assert found.tolist() == [[7, 1, 0], [0, 3, 0], [1, 0, 0]]
    every_pixel = superpixels.ceiling(
        source, lambda image, name: np.arange(16).reshape(4, 4), 3, 255
    )
    assert every_pixel.tolist() == [[8, 0, 0], [0, 3, 0], [0, 0, 1]]


def test_without_scikit_image_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(ImportError, match=r"superpixels need .*fcn-jax\[superpixels\]"):
        Slic(4)(image())


@pytest.mark.parametrize(
    ("given", "what", "text"),
    (
        (image(4, 5), ValueError, "b has 4x5 = 20 pixels, fewer than the 24 superpi"),
        (image()[..., 0], ValueError, r"b: superpixels are of colours, .*\(40, 60\)"),
        (image() / 255, TypeError, "b: superpixels are of photographs, .* float64"),
    ),
)
def test_what_cannot_be_divided_is_named(given, what, text):
    with pytest.raises(what, match=text):
        Slic(24)(given, "b")


@pytest.mark.parametrize(
    ("given", "what", "text"),
    (
        (SQUARES / 1, TypeError, "c: superpixels are float64; expected integers"),
        (SQUARES[0], ValueError, r"c: a map of superpixels of shape \(4,\)"),
        (SQUARES - 1, ValueError, "c: a superpixel has the number -1; they are"),
        (2 * SQUARES, ValueError, "numbered to 6, and no pixel has the number 1; num"),
        (SQUARES, ValueError, "c has 4 superpixels, more than the 3 .*max_superpixels"),
    ),
)
def test_what_is_no_map_of_superpixels_is_named(given, what, text):
    with pytest.raises(what, match=text):
        superpixels.check_superpixels(given, 3 if given is SQUARES else None, "c")


def test_labels_are_of_the_same_image():
    with pytest.raises(ValueError, match=r"labels \(2, 2\) and superpixels \(4, 4\) d"):
        superpixels.majority_labels(np.zeros((2, 2), int), SQUARES, 3, 255)


@pytest.mark.parametrize("wrong", ({"num": 0}, {"compactness": 0}, {"most": -1}))
def test_numbers_without_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a number of superpixels from 1"):
        Slic(**{"num": 4} | wrong)
    assert (Slic(5).limit, Slic(5, most=6).limit) == (8, 6)
