"""Poolings whose windows overlap, against loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.test_util import check_grads

from fcn_jax.ops import window_pooling


def pooled(x, window, stride, pad):
    """Caffe's pooling of one plane, pixel by pixel."""
    counts = []
    for size in x.shape:
        count = int(np.ceil((size + 2 * pad - window) / stride)) + 1
        if pad and (count - 1) * stride >= size + pad:
            count -= 1
        counts.append(count)
    out = np.empty(counts, x.dtype)
    for i, j in np.ndindex(*counts):
        top, left = i * stride - pad, j * stride - pad
        out[i, j] = x[max(top, 0) : top + window, max(left, 0) : left + window].max()
    return out


@pytest.mark.parametrize("shape", ((7, 7), (8, 9), (3, 12)))
@pytest.mark.parametrize(
    ("window", "stride", "pad"), ((3, 2, 0), (3, 1, 1), (3, 2, 1), (2, 2, 1))
)
def test_values_against_loops(key, shape, window, stride, pad):
    x = np.asarray(jax.random.normal(key, shape))
    ours = window_pooling.max_pool_windows(
        jnp.asarray(x)[None, :, :, None], window, stride, pad
    )
    np.testing.assert_array_equal(ours[0, :, :, 0], pooled(x, window, stride, pad))


def test_the_gradient_goes_to_the_maximum():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    gradient = jax.grad(lambda x: window_pooling.max_pool_windows(x, 3, 1).sum())(x)
    expected = np.zeros((4, 4))
    expected[2:, 2:] = 1
    np.testing.assert_array_equal(gradient[0, :, :, 0], expected)


def test_a_map_without_room_for_a_window():
    with pytest.raises(ValueError, match="a map of 1x5 has no room for a window of"):
        window_pooling.max_pool_windows(jnp.ones((1, 1, 5, 1)), 3, 2)


@pytest.mark.parametrize(("window", "stride", "pad"), ((3, 2, 0), (3, 1, 1)))
def test_of_all_sizes_at_once(key, window, stride, pad):
    """Exported with symbolic sizes, rounding is that of each size."""

    def pool(x):
        return window_pooling.max_pool_windows(x, window, stride, pad)

    shape = export.symbolic_shape("1, h, w, 2", constraints=["h >= 3", "w >= 3"])
    traced = export.export(jax.jit(pool))(jax.ShapeDtypeStruct(shape, jnp.float32))
    for size in ((7, 8), (3, 10)):
        x = jax.random.normal(key, (1, *size, 2))
        np.testing.assert_array_equal(traced.call(x), pool(x))


def test_windows_that_could_hold_no_pixel_are_not_exported():
    shape = export.symbolic_shape("1, h, w, 2")
    with pytest.raises(ValueError, match="cannot be exported for all sizes of images"):
        export.export(jax.jit(lambda x: window_pooling.max_pool_windows(x, 2, 2, 1)))(
            jax.ShapeDtypeStruct(shape, jnp.float32)
        )


def test_means_against_loops(key):
    x = np.asarray(jax.random.normal(key, (1, 5, 4, 2)))
    ours = window_pooling.mean_pool(jnp.asarray(x), 3)
    assert ours.shape == (1, 3, 2, 2)
    for row, column in np.ndindex(3, 2):
        expected = x[0, row : row + 3, column : column + 3].mean((0, 1))
        np.testing.assert_allclose(ours[0, row, column], expected, atol=1e-6)
    assert window_pooling.mean_pool(x, 1) is x


def test_no_room_for_a_mean():
    with pytest.raises(ValueError, match="a map of 6x9 has no room for a window of 7"):
        window_pooling.mean_pool(jnp.ones((1, 6, 9, 1)), 7)


@pytest.mark.parametrize("numbers", ((0, 1, 0), (3, 0, 0), (3, 1, 3), (3, 1, -1)))
def test_numbers_without_sense(numbers):
    with pytest.raises(ValueError, match="expected a window and a stride of at"):
        window_pooling.max_pool_windows(jnp.ones((1, 9, 9, 1)), *numbers)


@pytest.mark.parametrize(("window", "stride", "dilation"), ((2, 1, 3), (3, 2, 2)))
def test_windows_whose_values_lie_apart(key, window, stride, dilation):
    """Against loops; the last ones may reach over the edge by `overhang`."""
    x, overhang = np.asarray(jax.random.normal(key, (11, 12))), 2
    extent = dilation * (window - 1) + 1
    counts = [(size + overhang - extent) // stride + 1 for size in x.shape]
    expected = np.empty(counts, x.dtype)
    for i, j in np.ndindex(*counts):
        rows = slice(i * stride, i * stride + extent, dilation)
        columns = slice(j * stride, j * stride + extent, dilation)
        expected[i, j] = x[rows, columns].max()
    ours = window_pooling.max_pool_windows(
        jnp.asarray(x)[None, :, :, None], window, stride, 0, dilation, overhang
    )
    np.testing.assert_array_equal(ours[0, :, :, 0], expected)


def test_of_values_that_lie_apart_the_first_maximum_has_the_gradient():
    x = jnp.zeros((1, 3, 3, 1)).at[0, 0, 2, 0].set(5.0).at[0, 2, 0, 0].set(5.0)
    pool = functools.partial(
        window_pooling.max_pool_windows, window=2, stride=1, dilation=2
    )
    np.testing.assert_array_equal(pool(x), np.full((1, 1, 1, 1), 5))
    gradient = jax.grad(lambda x: pool(x).sum())(x)
    expected = np.zeros((3, 3))
    expected[0, 2] = 1
    np.testing.assert_array_equal(gradient[0, :, :, 0], expected)
    assert np.isnan(pool(x.at[0, 2, 2, 0].set(jnp.nan))).all()


def test_as_many_windows_as_may_reach_over_the_edge():
    assert window_pooling.pooled_size(7, 2, 2) == 4  # Caffe's rounding up.
    assert window_pooling.pooled_size(7, 2, 2, overhang=0) == 3
    assert window_pooling.pooled_size(7, 5, 1, overhang=4) == 7


def test_stride_1_by_hand():
    """DeepLab's pool4 and pool5: every pixel gets the largest of those around it."""
    x = jnp.array([[1.0, 0, 0, 0], [0, 0, 5, 0], [2, 0, 0, 3]])[None, :, :, None]
    found = window_pooling.max_pool_windows(x, 3, 1, 1)[0, :, :, 0]
    expected = [[1, 5, 5, 5], [2, 5, 5, 5], [2, 5, 5, 5]]
    np.testing.assert_array_equal(found, expected)


def test_stride_2_by_hand():
    """DeepLab's pool1: windows around pixels 0, 2 and 4, the last beyond the edge."""
    x = jnp.array([[1.0, 7, 0, 3], [-2, -1, -9, -8]])[None, :, :, None]
    found = window_pooling.max_pool_windows(x, 3, 2, 1)[0, :, :, 0]
    # Padding is no pixel: in the last row of windows all are below zero.
    np.testing.assert_array_equal(found, [[7, 7, 3], [-1, -1, -8]])


def test_an_average_divides_by_the_padding_too():
    """By hand: 4 pixels of a corner, 6 of an edge, 9 inside, each sum / 9."""
    x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    found = window_pooling.average_pool(x, 3)[0, :, :, 0]
    expected = np.array([[8, 15, 12], [21, 36, 27], [20, 33, 24]]) / 9
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_gradient_of_an_average(key):
    x = jax.random.normal(key, (1, 4, 3, 2))
    check_grads(
        lambda x: window_pooling.average_pool(x, 3), (x,), 1, ["rev"], atol=1e-2
    )


@pytest.mark.parametrize("window", (0, 2, -3))
def test_an_average_without_a_middle(window):
    with pytest.raises(ValueError, match=f"window={window} has no middle pixel; expec"):
        window_pooling.average_pool(jnp.ones((1, 3, 3, 1)), window)
