import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax import preprocessing


def test_caffe_by_hand():
    rgb = np.array([[[10, 20, 30]]], np.uint8)
    expected = [30 - 104.00698793, 20 - 116.66876762, 10 - 122.67891434]
    ours = fcn_jax.preprocess(rgb)
    assert ours.dtype == jnp.float32
    np.testing.assert_allclose(ours[0, 0], expected, rtol=1e-6)


def test_imagenet_is_torchvisions_mean_and_std():
    rgb = np.array([[[255, 0, 51]]], np.uint8)
    ours = preprocessing.preprocess(rgb, preprocessing.IMAGENET)[0, 0]
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(preprocessing.PREPROCESSING))
def test_there_and_back(name):
    recipe = preprocessing.PREPROCESSING[name]
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    there = jax.jit(lambda x: preprocessing.preprocess(x, recipe))(images)
    np.testing.assert_array_equal(preprocessing.deprocess(there, recipe), images)
    assert preprocessing.Preprocessing.from_dict(recipe.to_dict()) == recipe


def test_errors():
    with pytest.raises(TypeError, match="images are float32; expected uint8 RGB"):
        preprocessing.preprocess(np.zeros((1, 2, 2, 3), np.float32))
    with pytest.raises(ValueError, match=r"shape \(2, 2, 1\); expected \[..., H, W, 3"):
        preprocessing.preprocess(np.zeros((2, 2, 1), np.uint8))
