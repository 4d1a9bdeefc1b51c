import json

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
    shape = (2, 5, 4, recipe.num_channels)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    there = jax.jit(lambda x: preprocessing.preprocess(x, recipe))(images)
    np.testing.assert_array_equal(preprocessing.deprocess(there, recipe), images)
    assert preprocessing.Preprocessing.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize("leading", ((), (2,), (2, 3)))
def test_any_number_of_leading_axes(leading):
    images = np.full((*leading, 2, 2, 3), (10, 20, 30), np.uint8)
    ours = preprocessing.preprocess(images)
    assert ours.shape == images.shape
    np.testing.assert_allclose(ours[..., 0], 30 - 104.00698793, rtol=1e-6)


def test_colours_out_of_range_are_clipped():
    images = jnp.array([-200.0, 0.0, 200.0]).reshape(1, 1, 3)
    ours = preprocessing.deprocess(images)
    np.testing.assert_array_equal(ours[0, 0], [255, 117, 0])
    assert ours.dtype == jnp.uint8


def test_deprocessing_bfloat16_loses_only_its_own_rounding():
    images = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7
    there = preprocessing.preprocess(images).astype(jnp.bfloat16)
    back = np.asarray(preprocessing.deprocess(there), int)
    assert np.abs(back - images).max() <= 1  # bfloat16 has steps of 0.5 from 64 on.


def test_a_recipe_survives_json():
    recipe = preprocessing.Preprocessing("mine", "rgb", (1.0, 2.0, 3.0), (1.0, 1.0, 2))
    text = json.dumps(recipe.to_dict())
    assert preprocessing.Preprocessing.from_dict(json.loads(text)) == recipe


def test_errors():
    with pytest.raises(TypeError, match="images are float32; expected uint8 RGB"):
        preprocessing.preprocess(np.zeros((1, 2, 2, 3), np.float32))
    with pytest.raises(ValueError, match=r"shape \(2, 2, 1\); expected \[..., H, W, 3"):
        preprocessing.preprocess(np.zeros((2, 2, 1), np.uint8))
    with pytest.raises(TypeError, match="images are uint8; expected what preprocess"):
        preprocessing.deprocess(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"deprocess: images have shape \(3,\)"):
        preprocessing.deprocess(np.zeros(3, np.float32))


def test_recipes_without_meaning_are_refused():
    make = preprocessing.Preprocessing
    with pytest.raises(ValueError, match="channels='BGR' is not known; expected 'bgr'"):
        make("mine", "BGR", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="expected three numbers each, in RGB order"):
        make("mine", "rgb", (0.0, 0.0, 0.0), (1.0,))
    with pytest.raises(ValueError, match=r"std=\(1.0, 0.0, 1.0\) is not positive"):
        make("mine", "rgb", (0.0, 0.0, 0.0), (1.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="'std' is missing from .* expected name, ch"):
        make.from_dict({"name": "x", "channels": "rgb", "mean": [0, 0, 0]})


def test_a_list_of_images_is_no_array():
    images = [np.zeros((4, 6, 3), np.uint8), np.zeros((5, 6, 3), np.uint8)]
    with pytest.raises(TypeError, match=r"images are a list of 2; .* tell the model t"):
        fcn_jax.preprocess(images)


def test_the_colours_of_images_with_more_channels():
    few = jnp.array([[[1, 2, 3]]], jnp.uint8)
    assert preprocessing.colours(few) is few
    more = jnp.array([[[1, 2, 3, 4]]], jnp.uint8)
    np.testing.assert_array_equal(preprocessing.colours(more), few)
    found = preprocessing.colours(jnp.array([[[0.6, -2.0, 300.0, 7.8]]], jnp.float32))
    assert found.dtype == jnp.uint8
    np.testing.assert_array_equal(found, [[[1, 0, 255]]])


def test_the_parts_of_channels():
    """HHA is no colour: it is not turned round, and no photograph is such an image."""
    both = preprocessing.PREPROCESSING["nyud_rgbhha"]
    hha = preprocessing.PREPROCESSING["nyud_hha"]
    colours = preprocessing.PREPROCESSING["nyud_rgb"]
    for part, whole in ((both.part(0, 3), colours), (both.part(3, 3), hha)):
        assert (part.channels, part.mean, part.std) == (
            whole.channels, whole.mean, whole.std,
        )  # fmt: skip
    assert both.channels_given == "RGBHHA"
    assert [x.takes_photos for x in (both, hha, colours)] == [False, False, True]
    images = np.arange(6, dtype=np.uint8).reshape(1, 1, 1, 6)
    found = np.asarray(preprocessing.preprocess(images, both)).ravel()
    expected = np.array([2, 1, 0, 3, 4, 5]) - np.array(both.mean)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
