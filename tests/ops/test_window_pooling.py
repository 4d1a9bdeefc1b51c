"""Poolings whose windows overlap, against loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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
