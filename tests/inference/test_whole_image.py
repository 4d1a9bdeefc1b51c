"""Whole images whose arrays hold nothing else, and are given without sizes."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fcn_jax
from fcn_jax.data.batch import scaled_key
from fcn_jax.inference import whole_image

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(scope="module")
def net():
    model = fcn_jax.create(
        "fcn32s", 3, padding="same", width=1 / 64, fc_features=64, upsampling="fixed"
    )
    return model, jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))


@pytest.mark.long
@pytest.mark.parametrize(("scales", "flip"), [((1.0,), True), ((0.5,), False)])
def test_without_sizes_an_image_fills_its_array(net, scales, flip):
    model, variables = net
    rng = np.random.default_rng(0)
    batch = {"image": rng.integers(0, 256, (2, 20, 36, 3), np.uint8)}
    batch[scaled_key("image", 0.5)] = batch["image"][:, ::2, ::2]
    halves = np.array([(10, 18)] * 2, np.int32)
    batch[scaled_key("sizes", 0.5)] = halves
    options = {"model": model, "scales": scales, "flip": flip}
    found = whole_image.scores(variables, batch, **options)
    sizes = np.array([(20, 36)] * 2, np.int32)
    given = whole_image.scores(variables, {**batch, "sizes": sizes}, **options)
    assert found.shape == (2, 20, 36, 3)
    np.testing.assert_array_equal(found, given)


class Told(nn.Module):
    """Scores a pixel by the superpixel that it was told, and by what it sees."""

    extra_inputs = ("superpixels",)

    def __call__(self, images, sizes=None, train=False, superpixels=None):
        del sizes, train
        told = superpixels[..., None].astype(images.dtype)
        return jnp.concatenate([told, images[..., :1]], axis=-1)


def test_superpixels_are_mirrored_with_the_image():
    image = np.arange(12, dtype=np.uint8).reshape(1, 2, 6, 1).repeat(3, -1)
    superpixels = np.array([[[0, 0, 1, 1, -1, -1], [2, 2, 2, 3, -1, -1]]], np.int32)
    batch = {"image": image, "superpixels": superpixels}
    batch["sizes"] = np.array([(2, 4)], np.int32)
    once = whole_image.scores({}, batch, model=Told())
    twice = whole_image.scores({}, batch, model=Told(), flip=True)
    np.testing.assert_allclose(
        twice[:, :, :4], jax.nn.log_softmax(once)[:, :, :4], rtol=1e-6
    )


def test_superpixels_are_of_one_scale():
    batch = {"image": np.zeros((1, 4, 4, 3), np.uint8)}
    batch["superpixels"] = np.zeros((1, 4, 4), np.int32)
    with pytest.raises(ValueError, match=r"scales \(0.5,\): Told looks at superpixels"):
        whole_image.scores({}, batch, model=Told(), scales=(0.5,))
