"""Images of many sizes on few sizes of arrays."""

import numpy as np

from fcn_jax.inference.canvases import Canvases


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
