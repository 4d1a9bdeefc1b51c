"""Pooling over a label map, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.ops import segments

MAP = jnp.array([[0, 0, 1], [2, 2, 1], [2, 3, 3]])
NUM = 5  # There is no 4.
ROW = jnp.array([[0, 0, 1, 1, 2, 2, 3, 3, -1]])


def test_sums_counts_and_means():
    x = jnp.arange(9.0).reshape(3, 3, 1)
    np.testing.assert_array_equal(segments.counts(MAP, NUM), [2, 2, 3, 2, 0])
    np.testing.assert_array_equal(segments.sums(x, MAP, NUM)[:, 0], [1, 7, 13, 15, 0])
    np.testing.assert_allclose(
        segments.means(x, MAP, NUM)[:, 0], [0.5, 3.5, 13 / 3, 7.5, 0], rtol=1e-6
    )


def test_what_lies_beyond_the_image_counts_nowhere():
    beyond = jnp.where(MAP == 1, -1, MAP).at[0, 0].set(7)  # As does what has no room.
    x = jnp.ones((3, 3, 2))
    np.testing.assert_array_equal(segments.sums(x, beyond, NUM)[:, 0], [1, 0, 3, 2, 0])
    spread = segments.spread(jnp.arange(10.0).reshape(5, 2) + 1, ROW)
    np.testing.assert_array_equal(spread[0, :, 0], [1, 1, 3, 3, 5, 5, 7, 7, 0])


def test_other_numbers_permute_the_rows():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(3, 3, 4)), "float32")
    order = jnp.array([3, 0, 4, 1, 2])
    permuted = segments.means(x, order[MAP], NUM)
    np.testing.assert_array_equal(permuted[order], segments.means(x, MAP, NUM))


def test_one_segment_a_pixel_is_the_map_itself():
    x = jnp.arange(18.0).reshape(3, 3, 2)
    alone = jnp.arange(9).reshape(3, 3)
    np.testing.assert_array_equal(segments.means(x, alone, 9), x.reshape(9, 2))
    np.testing.assert_array_equal(
        segments.means(x, 0 * alone, 1)[0], x.reshape(9, 2).mean(axis=0)
    )


def test_neighbours_and_those_within_steps():
    adjacent = segments.adjacency(MAP, NUM)
    pairs = {(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)}
    assert {tuple(x) for x in np.argwhere(np.triu(adjacent)).tolist()} == pairs
    np.testing.assert_array_equal(adjacent, adjacent.T)
    chain = segments.adjacency(ROW, NUM)
    reached = [
        np.flatnonzero(segments.within(chain, hops)[0]).tolist() for hops in range(4)
    ]
    assert reached == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert np.flatnonzero(segments.within(chain, 3)[4]).tolist() == [4]


def test_boxes_and_those_around_several():
    boxes = segments.boxes(MAP, NUM)
    hand = [(0, 0, 1, 2), (0, 2, 2, 3), (1, 0, 3, 2), (2, 1, 3, 3), (0, 0, 0, 0)]
    np.testing.assert_array_equal(boxes, hand)
    near = segments.within(segments.adjacency(ROW, NUM), 2)
    joined = segments.joined_boxes(segments.boxes(ROW, NUM), near)
    hand = [(0, 0, 1, 6), (0, 0, 1, 8), (0, 0, 1, 8), (0, 2, 1, 8), (0, 0, 0, 0)]
    np.testing.assert_array_equal(joined, hand)


def test_the_majority_of_a_segment():
    labels = jnp.array([[1, 0, 2], [2, 2, 255], [0, 255, 255]], jnp.uint8)
    found = segments.majority(labels, MAP, NUM, 3)
    # Of equals the lowest; without a class, or without pixels, none.
    np.testing.assert_array_equal(found, [0, 2, 2, 3, 3])


def test_numbers_of_few_bits():
    """40 segments of 21 classes are more pairs than uint8 has numbers."""
    few = jnp.array([[0, 30, 30], [39, 39, 0]], jnp.uint8)
    labels = jnp.array([[20, 3, 3], [7, 7, 20]], jnp.uint8)
    found = segments.majority(labels, few, 40, 21)
    assert found[jnp.array([0, 30, 39])].tolist() == [20, 3, 7]
    np.testing.assert_array_equal(
        segments.adjacency(few, 300), segments.adjacency(few.astype(jnp.int32), 300)
    )
    np.testing.assert_array_equal(
        segments.spread(jnp.arange(300.0)[:, None], few)[..., 0], few
    )


def test_the_gradient_of_a_mean_is_shared_by_its_pixels():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 2)), "float32")
    f = jax.jit(lambda x: segments.spread(segments.means(x, MAP, NUM) ** 2, MAP))
    check_grads(f, (x,), order=1, modes=["rev"], atol=1e-2, rtol=1e-2)
    grad = jax.grad(lambda x: segments.means(x, MAP, NUM)[2, 0])(x)
    np.testing.assert_allclose(grad[..., 0], jnp.where(MAP == 2, 1 / 3, 0), rtol=1e-6)


def test_what_does_not_fit_is_named():
    x = jnp.zeros((3, 3, 2))
    with pytest.raises(TypeError, match="segments are float32; expected integers"):
        segments.sums(x, x[..., 0], 2)
    with pytest.raises(ValueError, match=r"a map \(3, 3, 2\) and segments \(1, 9\) do"):
        segments.means(x, ROW, 2)
    with pytest.raises(ValueError, match="hops=-1 is no number of steps"):
        segments.within(jnp.eye(2, dtype=bool), -1)
