"""Depth as it is stored and seen; what is none is named."""

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import depth


def test_the_logarithm_of_millimetres():
    found = depth.to_log(np.array([[1.0, 2.55, 10.0]]))
    np.testing.assert_allclose(found, [[6.907755, 7.843849, 9.210340]], rtol=1e-6)
    assert found.dtype == np.float32
    assert abs(found[0, 1] - depth.MEAN_LOG) < 1e-3


def test_a_file_holds_whole_millimetres(tmp_path):
    given = np.array([[0.0, 1.2345, 2.0004, 70.0]])
    depth.write(given, tmp_path / "depth.png")
    np.testing.assert_allclose(
        depth.read(tmp_path / "depth.png"), [[0, 1.235, 2.0, 65.535]], rtol=1e-6
    )


@pytest.mark.parametrize("value", (0.0, np.nan))
def test_what_is_no_depth_is_named(value):
    given = np.full((3, 4), 1.5, np.float32)
    given[2, 1:3] = value
    with pytest.raises(
        ValueError,
        match=f"a.png: depth {value:g} at row 2, column 1 .2 of 12 pixels have none.; "
        "expected metres above 0 everywhere.*fcn_jax.data.depth.filled",
    ):
        depth.check(given, "a.png")
    depth.check(np.full((3, 4), 1.5), "a.png")


@pytest.mark.parametrize(
    "given", (np.ones((2, 3, 1)), np.full((2, 3), "x"), np.ones((2, 3), bool))
)
def test_what_is_no_image_of_depths(given):
    with pytest.raises(ValueError, match=r"expected metres, \[H, W\], a number a pi"):
        depth.check(given, "a.png")


def test_holes_are_filled_with_the_nearest():
    given = np.array([[0, 1, 0, 0, 3], [np.nan, 1, 0, 0, 3]])
    np.testing.assert_array_equal(depth.filled(given), [[1, 1, 1, 3, 3]] * 2)


def test_nothing_to_fill_from():
    with pytest.raises(ValueError, match="depth of 2x3 holds no number above 0"):
        depth.filled(np.zeros((2, 3)))


def test_images_of_other_sizes():
    with pytest.raises(ValueError, match="a.png: the image is 4x5 and its depth 4x6"):
        depth.check_pair(np.zeros((4, 5, 3)), np.zeros((4, 6)), "a.png")


def test_an_image_of_8_bits_is_no_depth(tmp_path):
    Image.fromarray(np.ones((3, 4), np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(ValueError, match="grey.png: its mode is L; expected depth, gr"):
        depth.read(tmp_path / "grey.png")


def test_a_torn_file(tmp_path):
    path = tmp_path / "depth.png"
    depth.write(np.random.default_rng(0).uniform(1, 9, (40, 40)), path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match="depth.png cannot be read as an image"):
        depth.read(path)
    with pytest.raises(FileNotFoundError, match="nothing.png does not exist"):
        depth.read(tmp_path / "nothing.png")
