import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from PIL import Image

from fcn_jax.data import transforms
from fcn_jax.ops import resizing


def sizes(*pairs):
    return jnp.asarray(pairs, jnp.int32)


def test_upscaling_matches_pillow(key):
    x = jax.random.normal(key, (1, 7, 5, 2))
    ours = resizing.resize(x, sizes((7, 5)), sizes((13, 11)), (13, 11))
    for channel in range(2):
        image = Image.fromarray(np.asarray(x[0, :, :, channel]))
        theirs = np.asarray(image.resize((11, 13), Image.Resampling.BILINEAR))
        np.testing.assert_allclose(ours[0, :, :, channel], theirs, atol=1e-5)


@pytest.mark.parametrize("shape", ((13, 11), (48, 30), (24, 65), (96, 65), (1, 1)))
@pytest.mark.parametrize("dtype", (np.uint8, np.float32))
def test_images_are_resized_as_pillow_does(dtype, shape):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 48, 65, 3)).astype(dtype)
    ours = np.asarray(resizing.resize_images(jnp.asarray(images), shape), np.float64)
    assert ours.shape == (2, *shape, 3)
    off = np.abs(ours - [transforms.resize_image(x, shape) for x in images])
    if dtype == np.uint8:
        assert off.max() <= 1
        assert (off > 0).mean() < 0.01  # Halves, mostly.
    else:
        assert off.max() < 1e-3


def test_by_hand():
    x = jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1)
    ours = resizing.resize(x, sizes((1, 2)), sizes((1, 4)), (1, 4))
    np.testing.assert_allclose(ours.reshape(-1), [0, 1, 3, 4])


def test_half_precision_finds_places_that_it_cannot_count_to():
    x = jnp.zeros((1, 300, 1, 1), jnp.bfloat16).at[:, 291].set(1)
    ours = resizing.resize(x, sizes((300, 1)), sizes((300, 1)), (300, 1))
    np.testing.assert_array_equal(ours, x)
    assert ours.dtype == x.dtype


@pytest.mark.long
def test_each_image_of_a_padded_batch_is_resized_as_if_alone(key):
    x = jax.random.normal(key, (2, 6, 8, 3)).at[0, 4:].set(jnp.nan)
    x = x.at[0, :, 5:].set(jnp.inf)
    together = resizing.resize(
        x, sizes((4, 5), (6, 8)), sizes((8, 9), (7, 12)), (8, 12)
    )
    first = resizing.resize(x[:1, :4, :5], sizes((4, 5)), sizes((8, 9)), (8, 9))
    second = resizing.resize(x[1:], sizes((6, 8)), sizes((7, 12)), (7, 12))
    np.testing.assert_allclose(together[:1, :8, :9], first, atol=1e-6)
    np.testing.assert_allclose(together[1:, :7, :12], second, atol=1e-6)


def test_gradients(key):
    x = jax.random.normal(key, (1, 3, 4, 1))
    check_grads(
        lambda x: resizing.resize(x, sizes((3, 4)), sizes((5, 7)), (5, 7)),
        (x,),
        order=1,
        modes=("rev",),
        atol=1e-2,
        rtol=1e-2,
    )


def test_flipping_stays_within_the_true_width():
    x = jnp.arange(8).reshape(2, 1, 4, 1)
    ours = resizing.flip(x, sizes((1, 3), (1, 4)).astype(jnp.uint8))
    np.testing.assert_array_equal(ours.reshape(2, 4), [[2, 1, 0, 3], [7, 6, 5, 4]])


def test_flipping_twice_is_nothing(key):
    x = jax.random.normal(key, (2, 3, 9, 2))
    widths = sizes((3, 6), (2, 9))
    np.testing.assert_array_equal(resizing.flip(resizing.flip(x, widths), widths), x)
