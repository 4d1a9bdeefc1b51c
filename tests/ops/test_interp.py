"""DeepLab's upsampling and label shrinking, by hand and against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.ops import interp


def test_cells_stay_on_their_pixels_by_hand():
    x = jnp.array([[0.0, 4.0], [8.0, 0.0]])[None, :, :, None]
    found = interp.zoom(x, 4, (5, 5))[0, :, :, 0]
    rows = np.arange(5)[:, None] / 4
    columns = np.arange(5)[None] / 4
    expected = (1 - rows) * columns * 4 + rows * (1 - columns) * 8
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[2, 2] == 3  # The mean of the four.


@pytest.mark.parametrize(("cells", "factor"), ((41, 8), (5, 2), (1, 8), (3, 1)))
def test_a_zoom_is_undone_by_a_shrink(key, cells, factor):
    """41 -> 321 -> 41, as of the released nets."""
    x = jax.random.normal(key, (2, cells, cells, 3))
    side = cells + (cells - 1) * (factor - 1)
    wide = interp.zoom(x, factor, (side, side))
    assert wide.shape == (2, side, side, 3)
    np.testing.assert_array_equal(interp.shrink(wide, factor), x)


def test_a_zoom_is_linear_between_cells(key):
    """Against NumPy's interpolation along both axes."""
    x = np.asarray(jax.random.normal(key, (4, 3)))
    found = interp.zoom(jnp.asarray(x)[None, :, :, None], 8, (22, 17))[0, :, :, 0]
    rows = np.arange(22) / 8
    along = np.stack([np.interp(rows, np.arange(4), x[:, j]) for j in range(3)], axis=1)
    columns = np.arange(17) / 8
    expected = np.stack([np.interp(columns, np.arange(3), row) for row in along])
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    (
        # n - 1 a multiple of 8: the first and the last pixel are cells, as in Caffe.
        (17, [0, 8, 16]),
        # Else Caffe would lie between pixels, and mix: 0, 8.5, 17 of 18.
        (18, [0, 8, 16]),
        (16, [0, 8]),
        (1, [0]),
    ),
)
def test_labels_shrink_by_hand(pixels, expected):
    row = jnp.arange(pixels)
    labels = jnp.stack([row, row + 100])[None]
    found = interp.shrink(labels, 8)
    assert len(expected) == (pixels - 1) // 8 + 1
    np.testing.assert_array_equal(found, [[expected]])
    np.testing.assert_array_equal(interp.shrink(labels, 1), labels)


def test_labels_of_two_classes_are_never_mixed():
    """A border between classes 1 and 15, void on it: no class 8 comes of it."""
    labels = jnp.array([[1] * 8 + [255] + [15] * 8] * 17)[None]
    assert sorted(set(np.ravel(interp.shrink(labels, 8)))) == [1, 15, 255]


def test_the_gradient_of_a_zoom_is_its_transpose(key):
    x = jax.random.normal(key, (1, 3, 2, 2))
    check_grads(lambda x: interp.zoom(x, 4, (8, 5)), (x,), 1, ["rev"], atol=1e-2)


def test_cells_that_end_before_the_image():
    x = jnp.zeros((1, 3, 4, 2))
    assert interp.zoom(x, 8, (17, 25)).shape == (1, 17, 25, 2)
    with pytest.raises(
        ValueError, match=r"3x4 cells, 8 pixels apart, reach over 17x25 pixels, and 18x"
    ):
        interp.zoom(x, 8, (18, 25))


@pytest.mark.parametrize("factor", (0, -8))
def test_factors_without_sense(factor):
    with pytest.raises(ValueError, match=f"zoom: factor={factor} is not positive; Dee"):
        interp.zoom(jnp.zeros((1, 2, 2, 1)), factor, (1, 1))
    with pytest.raises(ValueError, match=f"shrink: factor={factor} is not positive"):
        interp.shrink(jnp.zeros((1, 2, 2)), factor)
