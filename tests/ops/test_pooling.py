import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.test_util import check_grads

from fcn_jax.ops import pooling
from tests.support.paths import GOLDEN


def column(*values):
    return jnp.asarray(values, jnp.float32)[None, :, None, None]


def test_by_hand():
    x = jnp.array([[1.0, 2.0, 0.0], [4.0, 3.0, 5.0], [-1.0, -2.0, -7.0]])
    maxima, switches = pooling.max_pool_with_switches(x[None, :, :, None])
    np.testing.assert_array_equal(maxima[0, :, :, 0], [[4, 5], [-1, -7]])
    np.testing.assert_array_equal(switches[0, :, :, 0], [[2, 2], [0, 0]])
    back = pooling.max_unpool(maxima, switches, output_size=(3, 3))
    np.testing.assert_array_equal(back[0, :, :, 0], [[0, 0, 0], [4, 0, 5], [-1, 0, -7]])


def test_ties_go_to_the_first_position():
    x = jnp.array([[0.0, 0.0], [3.0, 3.0]]).reshape(1, 2, 2, 1)
    maxima, switches = pooling.max_pool_with_switches(x)
    assert (maxima.item(), switches.item()) == (3.0, 2)


def test_on_ties_the_whole_gradient_goes_to_the_first_position():
    x = jnp.zeros((1, 2, 2, 1))
    for pool in (pooling.max_pool, lambda x: pooling.max_pool_with_switches(x)[0]):
        g = jax.grad(lambda x, pool=pool: jnp.sum(pool(x)))(x)
        np.testing.assert_array_equal(g.reshape(-1), [1, 0, 0, 0])


def test_padding_never_wins():
    maxima, switches = pooling.max_pool_with_switches(jnp.full((1, 3, 3, 1), -jnp.inf))
    np.testing.assert_array_equal(maxima, -jnp.inf)
    np.testing.assert_array_equal(switches, 0)


def test_nan_wins_as_in_pytorch():
    maxima, switches = pooling.max_pool_with_switches(column(1.0, jnp.nan, 2.0, 5.0))
    assert np.isnan(maxima[0, 0, 0, 0])
    assert (maxima[0, 1, 0, 0], switches[0, 0, 0, 0]) == (5.0, 2)


NAN, INF = jnp.nan, jnp.inf


@pytest.mark.parametrize("dtype", (jnp.float32, jnp.bfloat16))
@pytest.mark.parametrize(
    ("window", "value", "switch"),
    [
        ((1, NAN, NAN, 4), NAN, 2),  # Of several NaNs the last, as torch 2.13 has it.
        ((NAN, 9, 3, NAN), NAN, 3),
        ((NAN, NAN, NAN, NAN), NAN, 3),
        ((NAN, INF, NAN, INF), NAN, 2),
        ((0.0, -0.0, -0.0, 0.0), 0.0, 0),  # A tie, whatever the sign.
        ((-0.0, 0.0, -0.0, 0.0), 0.0, 0),
        ((-1, -0.0, 0.0, -2), 0.0, 1),
        ((-INF, -INF, -INF, -INF), -INF, 0),
        ((-INF, INF, INF, 0), INF, 1),
    ],
)
def test_values_of_a_window_that_are_hard_to_order(dtype, window, value, switch):
    """Torch's values and indices, by hand."""
    x = jnp.asarray(window, dtype).reshape(1, 2, 2, 1)
    maxima, switches = pooling.max_pool_with_switches(x)
    assert switches.item() == switch
    np.testing.assert_array_equal(maxima.reshape(-1).astype(jnp.float32), [value])
    np.testing.assert_array_equal(
        pooling.max_pool(x).reshape(-1).astype(jnp.float32), [value]
    )
    placed = pooling.max_unpool(jnp.full((1, 1, 1, 1), 7, dtype), switches)
    assert int(placed.reshape(-1).argmax()) == switch


@pytest.mark.parametrize("dtype", (jnp.bfloat16, jnp.float16, jnp.float32))
@pytest.mark.parametrize("size", ((1, 1), (4, 6), (5, 7)))
@pytest.mark.parametrize("window", (2, 3))
def test_unpooling_then_pooling_is_nothing(key, dtype, size, window):
    x = jnp.abs(jax.random.normal(key, (2, *size, 3))).astype(dtype)
    maxima, switches = pooling.max_pool_with_switches(x, window)
    assert (maxima.dtype, switches.dtype) == (dtype, jnp.uint8)
    assert maxima.shape == (2, -(-size[0] // window), -(-size[1] // window), 3)
    back = pooling.max_unpool(maxima, switches, window, size)
    assert (back.shape, back.dtype) == (x.shape, dtype)
    again, switches_again = pooling.max_pool_with_switches(back, window)
    np.testing.assert_array_equal(again, maxima)
    np.testing.assert_array_equal(switches_again, switches)
    np.testing.assert_array_equal(pooling.max_pool(x, window), maxima)


@pytest.mark.parametrize("size", ((4, 4), (5, 3)))
def test_gradients(key, size):
    # Values far apart: a finite difference must not change which one is largest.
    x = jax.random.permutation(key, jnp.arange(2.0 * size[0] * size[1]) / 8)
    x = x.reshape(1, *size, 2)
    for pool in (pooling.max_pool, lambda x: pooling.max_pool_with_switches(x)[0]):
        check_grads(pool, (x,), order=1, modes=("rev",), atol=1e-2, rtol=1e-2)
    maxima, switches = pooling.max_pool_with_switches(x)
    check_grads(
        lambda m: pooling.max_unpool(m, switches, output_size=size),
        (maxima,),
        order=1,
        modes=("rev",),
        atol=1e-2,
        rtol=1e-2,
    )


@pytest.mark.parametrize("window", (2, 3))
def test_indices_and_back(key, window):
    x = jax.random.normal(key, (2, 5, 7, 3))
    _, switches = pooling.max_pool_with_switches(x, window)
    indices = pooling.switches_to_indices(switches, window, (5, 7))
    back = pooling.indices_to_switches(indices, window, (5, 7))
    jax.eval_shape(lambda: pooling.indices_to_switches(indices, window, (5, 7)))
    np.testing.assert_array_equal(back, switches)
    flat = np.asarray(x).reshape(2, 35, 3)
    chosen = np.take_along_axis(flat, np.asarray(indices).reshape(2, -1, 3), axis=1)
    maxima = pooling.max_pool(x, window)
    np.testing.assert_array_equal(chosen.reshape(maxima.shape), maxima)


@pytest.mark.parametrize("case", ("even2", "odd2", "odd3", "ties2"))
def test_recorded_pytorch_values(case):
    golden = np.load(GOLDEN / "ops.npz")
    window = int(case[-1])
    x = jnp.asarray(golden[f"pool_{case}_x"])
    maxima, switches = pooling.max_pool_with_switches(x, window)
    indices = pooling.switches_to_indices(switches, window, x.shape[1:3])
    np.testing.assert_array_equal(maxima, golden[f"pool_{case}_maxima"])
    np.testing.assert_array_equal(indices, golden[f"pool_{case}_indices"])
    back = pooling.max_unpool(maxima, switches, window, x.shape[1:3])
    np.testing.assert_array_equal(back, golden[f"pool_{case}_unpooled"])


@pytest.mark.parametrize("size", ((8, 8), (7, 5)))
def test_no_direction_gathers_or_scatters(size):
    def both(x, g):
        maxima, switches = pooling.max_pool_with_switches(x)
        out, vjp = jax.vjp(
            lambda m: pooling.max_unpool(m, switches, output_size=size), maxima
        )
        return out, vjp(g), jax.grad(lambda x: jnp.sum(pooling.max_pool(x)))(x)

    x = jnp.ones((2, *size, 4))
    text = jax.jit(both).lower(x, x).compile().as_text()
    assert re.search(r" = \S+ fusion\(| = \S+ select\(", text)  # It is HLO.
    assert not re.findall(r" = .*\b(?:scatter|gather)\(", text)


@pytest.mark.parametrize("window", (2, 3))
def test_symbolic_sizes(key, window):
    def there_and_back(x):
        pooled, switches = pooling.max_pool_with_switches(x, window)
        again, switches2 = pooling.max_pool_with_switches(pooled, window)
        size = pooled.shape[1:3]
        again = pooling.max_unpool(again, switches2, window, output_size=size)
        return pooling.max_unpool(again, switches, window, output_size=x.shape[1:3])

    shape = export.symbolic_shape("n, h, w, 3")
    exported = export.export(jax.jit(there_and_back))(
        jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    for size in ((8, 4), (7, 13), (1, 2)):
        x = jax.random.normal(key, (2, *size, 3))
        np.testing.assert_array_equal(exported.call(x), there_and_back(x))


def test_errors():
    x = jnp.zeros((1, 4, 4, 2))
    maxima, switches = pooling.max_pool_with_switches(x)
    with pytest.raises(ValueError, match=r"x has shape \(4, 4\); expected \[N, H"):
        pooling.max_pool(jnp.zeros((4, 4)))
    with pytest.raises(TypeError, match="x is int32; expected floating point"):
        pooling.max_pool(x.astype(jnp.int32))
    with pytest.raises(ValueError, match="window=17; expected 1 to 16"):
        pooling.max_pool_with_switches(x, 17)
    with pytest.raises(TypeError, match="switches are int32; expected uint8"):
        pooling.max_unpool(maxima, switches.astype(jnp.int32))
    with pytest.raises(ValueError, match=r"values .* and switches .* differ"):
        pooling.max_unpool(maxima, switches[:, :1])
    with pytest.raises(ValueError, match=r"7x4 pools to 4x2 in windows of 2, but"):
        pooling.max_unpool(maxima, switches, output_size=(7, 4))
    with pytest.raises(TypeError, match="indices are float32; expected integers"):
        pooling.indices_to_switches(maxima, 2, (4, 4))
    with pytest.raises(ValueError, match=r"index 99 at \(0, 0, 0, 0\) lies outside"):
        pooling.indices_to_switches(jnp.full((1, 2, 2, 2), 99), 2, (4, 4))
