"""Resizing in the frame of a transposed convolution, against NumPy and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import bilinear, enlarging


def interpolated(x, factor, length, start):
    """A line of pixels between cells whose centres are `factor` apart, by np.interp.

    The first pixel of the frame lies `start` pixels after the first centre.
    """
    centres = np.arange(len(x)) * factor
    return np.interp(start + np.arange(length), centres, x)


@pytest.mark.long
@pytest.mark.parametrize(
    ("factor", "kernel_size"), ((2, 4), (4, 8), (4, 7), (1, 1), (1, 2), (3, 6))
)
def test_linear_is_interpolation_between_the_centres(key, factor, kernel_size):
    x = np.asarray(jax.random.normal(key, (5, 4)))
    length = [(side - 1) * factor + kernel_size for side in x.shape]
    start = -(kernel_size - 1) / 2  # Of the kernel over the first cell.
    expected = np.array([interpolated(n, factor, length[1], start) for n in x])
    expected = [interpolated(n, factor, length[0], start) for n in expected.T]
    found = enlarging.linear(jnp.asarray(x)[None, :, :, None], factor, kernel_size)
    np.testing.assert_allclose(found[0, :, :, 0].T, expected, rtol=0, atol=1e-6)


def test_linear_is_the_transposed_convolution_but_near_the_edges(key):
    x = jax.random.normal(key, (2, 5, 6, 3))
    ours = enlarging.linear(x, 4, 8)
    theirs = bilinear.bilinear_upsample(x, 4, 8)
    assert ours.shape == theirs.shape
    inside = np.s_[:, 4:-4, 4:-4]
    np.testing.assert_allclose(ours[inside], theirs[inside], rtol=0, atol=1e-6)
    assert np.abs(theirs[:, 0]).max() < np.abs(ours[:, 0]).max()


@pytest.mark.parametrize("factor", (2, 4, 32))
def test_nearest_lays_a_square_over_each_cell(factor):
    x = jnp.arange(6.0).reshape(1, 2, 3, 1)
    found = enlarging.nearest(x, factor, 2 * factor)
    # Half a factor more on each side, where the nearest cell is the outermost.
    squares = np.kron(np.asarray(x[0, :, :, 0]), np.ones((factor, factor)))
    expected = np.pad(squares, factor // 2, mode="edge")
    np.testing.assert_array_equal(found[0, :, :, 0], expected)


def test_nearest_without_enlarging_changes_nothing():
    x = jnp.arange(6.0).reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(enlarging.nearest(x, 1, 1), x)


@pytest.mark.long
@pytest.mark.parametrize("resize", (enlarging.nearest, enlarging.linear))
def test_what_lies_beyond_the_true_extent_is_not_seen(key, resize):
    x = jax.random.normal(key, (2, 4, 5, 2))
    sizes = jnp.array([(3, 2), (4, 5)], jnp.int32)
    inside = (jnp.arange(4) < 3)[:, None] & (jnp.arange(5) < 2)[None]
    wild = x.at[0].set(jnp.where(inside[..., None], x[0], jnp.nan))
    found = resize(wild, 4, 8, sizes)
    alone = resize(x[:1, :3, :2], 4, 8)
    np.testing.assert_allclose(found[:1, :16, :12], alone, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[1:], resize(x[1:], 4, 8), rtol=0, atol=1e-6)


def test_edges_by_hand():
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]])[None, :, :, None]
    found = enlarging.repeat_edges(x)[0, :, :, 0]
    np.testing.assert_array_equal(
        found, [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    )
    one = enlarging.repeat_edges(x, jnp.array([[1, 1]]))
    np.testing.assert_array_equal(one, np.ones((1, 4, 4, 1)))
    whole = enlarging.repeat_edges(x, jnp.array([[2, 2]], jnp.uint8))
    np.testing.assert_array_equal(whole[0, :, :, 0], found)


def test_gradients_reach_every_cell_and_sum_to_the_pixels(key):
    x = jax.random.normal(key, (1, 3, 2, 1))
    for resize in (enlarging.nearest, enlarging.linear):
        gradient = jax.grad(lambda x, resize=resize: resize(x, 2, 4).sum())(x)
        assert (gradient > 0).all()
        np.testing.assert_allclose(gradient.sum(), 8 * 6, rtol=1e-6)
