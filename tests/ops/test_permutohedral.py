"""The lattice against one of dictionaries, written straight from the algorithm."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.ops import permutohedral
from tests.support.lattices import dictionary_lattice


def make(d, count=80, spread=2.0, seed=0):
    rng = np.random.default_rng(seed)
    return spread * rng.normal(size=(count, d)), rng.normal(size=(count, 3))


build = jax.jit(permutohedral.build, static_argnames=("capacity", "chunk"))


@functools.partial(jax.jit, static_argnames=("capacity", "chunk"))
def run(features, values, capacity, **options):
    lattice = permutohedral.build(features, capacity, **options)
    return lattice, permutohedral.filter_values(lattice, values)


@pytest.mark.parametrize("d", (1, 2, pytest.param(3, marks=pytest.mark.slow), 5))
@pytest.mark.parametrize("spread", (0.2, 2.0))
def test_it_is_the_lattice_of_dictionaries(d, spread):
    features, values = make(d, spread=spread)
    expected, vertices = dictionary_lattice(features, values)
    with jax.enable_x64(True):
        for capacity in (vertices, 2 * vertices + 5):
            lattice, found = run(features, values, capacity)
            assert int(lattice.num_vertices) == vertices
            assert bool(lattice.fits)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunk", (1, pytest.param(3, marks=pytest.mark.slow), 16))
def test_chunks_make_no_difference(chunk):
    features, values = make(2)
    expected, vertices = dictionary_lattice(features, values)
    with jax.enable_x64(True):
        _, found = run(features, values, vertices, chunk=chunk)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_points_that_do_not_count_touch_nothing():
    features, values = make(5)
    valid = np.arange(len(features)) % 3 != 0
    expected, vertices = dictionary_lattice(features[valid], values[valid])
    features[~valid] = 1e6  # Far beyond all keys.
    with jax.enable_x64(True):
        lattice, found = run(features, values, vertices, valid=jnp.asarray(valid))
        assert int(lattice.num_vertices) == vertices
        assert bool(lattice.fits)
        np.testing.assert_allclose(found[valid], expected, rtol=0, atol=1e-12)


def test_too_many_vertices_or_too_wide_a_range_do_not_fit():
    features, _ = make(5)
    _, vertices = dictionary_lattice(features, features)
    lattice = build(jnp.asarray(features, jnp.float32), vertices - 1)
    assert int(lattice.num_vertices) == vertices
    assert not bool(lattice.fits)
    wide = jnp.asarray([[0.0] * 5, [1e4] * 5], jnp.float32)
    assert not bool(build(wide, 20).fits)


def test_one_point_by_hand():
    """At a vertex: 1, its neighbours 1/2 and 1/4, and of the last of them 1/8 back."""
    lattice, found = run(np.zeros((1, 2), np.float32), np.ones((1, 1), np.float32), 3)
    assert int(lattice.num_vertices) == 3
    np.testing.assert_allclose(lattice.weights[:, 0], [1, 0, 0])
    np.testing.assert_allclose(found, [[(1 + 1 / 8) / (1 + 2**-2)]], rtol=1e-6)


def test_it_is_a_gaussian_in_the_plane():
    """Interior row sums are 0.882 of the exact 2 pi s^2, at any deviation."""
    side, deviation = 40, 3.0
    row, column = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    features = np.stack([column, row], -1).reshape(-1, 2).astype(np.float32) / deviation
    ones = np.ones((side * side, 1), np.float32)
    _, found = run(features, ones, 1000)
    sums = np.asarray(found).reshape(side, side)[14:26, 14:26]
    np.testing.assert_allclose(
        sums.mean() / (2 * np.pi * deviation**2), 0.882, rtol=0.01
    )


@pytest.mark.long
def test_gradients():
    features, values = make(2, count=20)
    lattice = build(jnp.asarray(features, jnp.float32), 60)
    check_grads(
        lambda v: permutohedral.filter_values(lattice, v),
        (jnp.asarray(values, jnp.float32),),
        order=1,
        modes=("rev",),
        atol=1e-2,
        rtol=1e-2,
    )


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"features have shape \(3,\); .* \[N, d\]"):
        permutohedral.build(jnp.zeros(3), 5)
    with pytest.raises(ValueError, match="capacity=0 is not positive; .* at most 9"):
        permutohedral.build(jnp.zeros((3, 2)), 0)
