"""Starts of decoders: what an upsampling does to maps, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.models import initializers
from fcn_jax.ops import convolution, pooling


@pytest.fixture
def no_noise(monkeypatch):
    monkeypatch.setattr(initializers, "NOISE", 0)


def deconvolved(maps, key, reach, outputs):
    shape = (3, 3, maps.shape[-1], outputs)
    kernel = initializers.upsampling(reach)(key, shape)
    return np.asarray(convolution.deconvolution(maps, kernel, 1))


@pytest.mark.usefixtures("no_noise")
def test_hands_on_and_sums_or_repeats_channels(key):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(1, 4, 5, 4)).astype(np.float32)
    np.testing.assert_allclose(deconvolved(maps, key, 0, 4), maps, rtol=1e-6)
    halves = maps[..., :2] + maps[..., 2:]
    np.testing.assert_allclose(deconvolved(maps, key, 0, 2), halves, rtol=1e-5)
    doubled = np.concatenate([maps, maps], axis=-1)
    np.testing.assert_allclose(deconvolved(maps, key, 0, 8), doubled, rtol=1e-6)


@pytest.mark.usefixtures("no_noise")
def test_spreads_one_unpooled_value_over_its_window(key):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(1, 6, 6, 3)).astype(np.float32)
    _, switches = pooling.max_pool_with_switches(jnp.asarray(images))
    values = np.zeros((1, 3, 3, 3), np.float32)
    values[0, 1, 1] = 7, 8, 9
    unpooled = pooling.max_unpool(jnp.asarray(values), switches, output_size=(6, 6))
    spread = deconvolved(unpooled, key, 1, 3)
    window = np.broadcast_to([7, 8, 9], (2, 2, 3))
    np.testing.assert_allclose(spread[0, 2:4, 2:4], window, rtol=1e-6)
    assert (spread != 0).sum() == 3 * 9


def test_noise_is_a_share_of_he(key):
    kernel = initializers.upsampling()(key, (7, 7, 64, 32))
    noise = np.asarray(kernel).copy()
    noise[3, 3, np.arange(64), np.arange(64) % 32] -= 1
    expected = 0.3 * np.sqrt(2 / (49 * 64))
    assert noise.std() == pytest.approx(expected, rel=0.02)
    assert abs(noise.mean()) < 0.02 * expected
