"""Rows and columns that repeat are put in where they belong."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from fcn_jax.ops import wide_padding

BY_ONE = wide_padding.Repeat(depth=1, count=2)


def by_hand(x, depth, count):
    """Along both axes of one map, with the far edge at its end."""
    for axis in (0, 1):
        n = x.shape[axis]
        order = [
            *range(depth),
            *[depth] * count,
            *range(depth, n - depth),
            *[n - depth - 1] * count,
            *range(n - depth, n),
        ]
        x = np.take(x, order, axis)
    return x


def a_map(height, width, depth):
    """Rows and columns beside the edge repeat, as `expand` may expect."""
    x = np.arange(height * width, dtype=np.float32).reshape(height, width, 1)
    x[[depth, -depth - 1]] = x[depth]
    x[:, [depth, -depth - 1]] = x[:, depth : depth + 1]
    return x


def test_a_row_by_hand():
    row = jnp.asarray([1.0, 7, 3, 7, 2]).reshape(1, 1, 5, 1)
    x = jnp.concatenate([row * 10, row, row * 2, row, row * 20], 1)
    y = wide_padding.expand(x, None, BY_ONE)
    assert y.shape == (1, 9, 9, 1)
    np.testing.assert_array_equal(y[0, 4, :, 0], [2, 14, 14, 14, 6, 14, 14, 14, 4])
    np.testing.assert_array_equal(y[0, :, 0, 0], [10, 1, 1, 1, 2, 1, 1, 1, 20])


def test_with_sizes_every_example_is_widened_at_its_own_edge():
    repeat = wide_padding.Repeat(depth=2, count=3)
    sizes = [(7, 9), (9, 6), (6, 6)]
    x = np.zeros((3, 9, 9, 1), np.float32)
    expected = np.zeros((3, 15, 15, 1), np.float32)
    for n, (h, w) in enumerate(sizes):
        x[n, :h, :w] = a_map(h, w, 2)
        expected[n, : h + 6, : w + 6] = by_hand(x[n, :h, :w], 2, 3)
    sizes = jnp.asarray(sizes, jnp.int32)
    y = jax.jit(functools.partial(wide_padding.expand, repeat=repeat))(x, sizes)
    np.testing.assert_array_equal(y, expected)
    after = wide_padding.after_expansion(sizes, repeat)
    np.testing.assert_array_equal(after, [(13, 15), (15, 12), (12, 12)])
    assert wide_padding.after_expansion(None, repeat) is None


def test_the_gradient_counts_what_is_repeated():
    x = jnp.ones((1, 4, 5, 1))
    of_rows = jax.grad(lambda x: wide_padding.expand(x, None, BY_ONE).sum())(x)[
        0, :, :, 0
    ]
    np.testing.assert_array_equal(of_rows, np.outer([1, 3, 3, 1], [1, 3, 1, 3, 1]))
