"""Images of many sizes on few sizes of arrays."""

import gc
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.inference.canvases import Canvases, CompiledByCanvas


def test_sides_are_rounded_up():
    assert Canvases().of(33, 64) == (64, 64)
    assert Canvases().of(1, 33, least=193) == (193, 193)


def test_near_sizes_share_a_larger_canvas():
    canvases = Canvases()
    assert canvases.of(375, 500) == (384, 512)
    assert canvases.of(333, 500) == (384, 512)  # 352x512 would be compiled too.
    assert canvases.of(200, 300) == (224, 320)  # Much smaller.
    assert canvases.of(500, 375) == (512, 384)  # It does not fit.
    assert canvases.of(200, 290) == (224, 320)  # The least of those that fit.


def test_a_size_that_comes_often_gets_its_own():
    canvases = Canvases()
    canvases.of(384, 512)
    found = [canvases.of(352, 512) for _ in range(40)]
    assert found[:16] == [(384, 512)] * 16
    assert found[16:] == [(352, 512)] * 24


def test_a_folder_of_30_sizes():
    """Of 30 at random 26 canvases would be compiled; 15 are at most."""
    for seed in range(10):
        sizes = np.random.default_rng(seed).integers(200, 501, (30, 2))
        canvases = Canvases()
        made = [canvases.of(*size) for size in sizes.tolist()]
        assert len(set(made)) <= 15
        assert all(
            (canvas >= size).all() for canvas, size in zip(made, sizes, strict=True)
        )
        pixels = np.prod(made, 1).sum() / np.prod(-(-sizes // 32) * 32, 1).sum()
        assert pixels < 1.25


def test_what_was_not_needed_for_longest_is_forgotten():
    canvases = Canvases(most=2)
    for side in (32, 64, 128):  # None fits on another by 1.5 times its pixels.
        canvases.of(side, side)
    assert canvases.made == ((64, 64), (128, 128))
    canvases.of(64, 64)
    canvases.of(256, 256)
    assert canvases.made == ((64, 64), (256, 256))


def test_a_forgotten_size_is_shared_again_before_it_is_made():
    canvases = Canvases(most=2)
    for _ in range(20):
        canvases.of(352, 512)
    canvases.of(32, 32)
    canvases.of(384, 512)  # 352x512 is forgotten, and how often it came.
    assert canvases.of(352, 512) == (384, 512)


def live():
    gc.collect()
    return len(jax.local_devices()[0].client.live_executables())


@pytest.mark.long
def test_programs_of_sizes_that_are_forgotten_are_freed():
    compiled = CompiledByCanvas(lambda x: jnp.tanh(x).sum() + 2021, most=3)
    before = live()
    for side in range(1, 11):
        canvas, function = compiled.of(32 * side, 4096 * side)
        function(np.ones((4, side), np.float32))
        assert canvas == (32 * side, 4096 * side)
        del function
    assert live() - before == 3
    _, function = compiled.of(32, 4096)  # It is compiled anew.
    np.testing.assert_allclose(
        function(np.ones((1, 1), np.float32)), np.tanh(1) + 2021, rtol=1e-6
    )


def test_a_size_is_compiled_once_whichever_thread_asks():
    traced = []

    def function(x):
        traced.append(x.shape)
        return x + 1

    compiled = CompiledByCanvas(function)

    def ask(_):
        return compiled.of(40, 50)[1](np.zeros(3, np.float32))

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(ask, range(16)))
    np.testing.assert_array_equal(found, np.ones((16, 3)))
    assert traced == [(3,)]
