"""How images look, changed: by hand."""

import numpy as np
import pytest

from fcn_jax.data import appearance

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90)
CHANGES = {
    "contrast": lambda x: appearance.change_contrast(x, 0.5),
    "saturation": lambda x: appearance.change_saturation(x, 0.5),
    "hue": lambda x: appearance.turn_hue(x, 50.0),
    "blur": lambda x: appearance.blur(x, 1.0),
    "brightness": lambda x: appearance.brighten(x, 0.5),
}


def colours(*found):
    return np.array([found], np.uint8)


def noise(channels=3, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, (6, 7, channels)).astype(dtype)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (0, (RED, GREEN, BLUE, GREY)),
        (120, (GREEN, BLUE, RED, GREY)),
        (-120, (BLUE, RED, GREEN, GREY)),
        (240, (BLUE, RED, GREEN, GREY)),
    ],
)
def test_a_hue_turned_by_thirds(degrees, expected):
    found = appearance.turn_hue(colours(RED, GREEN, BLUE, GREY), degrees)
    np.testing.assert_array_equal(found, colours(*expected))


def test_a_hue_turned_by_half_and_back():
    # The axis of greys is where (150 + 90 + 60) / 3 = 100 is; the rest changes sign.
    image = colours((150, 90, 60))
    turned = appearance.turn_hue(image, 180.0)
    np.testing.assert_array_equal(turned, colours((50, 110, 140)))
    np.testing.assert_array_equal(appearance.turn_hue(turned, 180.0), image)


def test_saturation_is_the_distance_from_grey():
    # Luminance 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2.
    image = colours((200, 100, 50), GREY)
    grey = appearance.change_saturation(image, 0.0)
    np.testing.assert_array_equal(grey, colours((124, 124, 124), GREY))
    half = appearance.change_saturation(image, 0.5)
    np.testing.assert_array_equal(half, colours((162, 112, 87), GREY))
    more = appearance.change_saturation(image, 2.0)
    np.testing.assert_array_equal(more, colours((255, 76, 0), GREY))
    np.testing.assert_array_equal(appearance.change_saturation(image, 1.0), image)


def test_contrast_is_the_distance_from_the_mean():
    image = colours((40, 40, 40), (160, 160, 160))  # 100 in the mean.
    half = appearance.change_contrast(image, 0.5)
    np.testing.assert_array_equal(half, colours((70, 70, 70), (130, 130, 130)))
    more = appearance.change_contrast(image, 2.0)
    np.testing.assert_array_equal(more, colours((0, 0, 0), (220, 220, 220)))
    # The mean is that of the luminance: 0.587 * 255 / 2 of a green and a black one.
    flat = appearance.change_contrast(colours(GREEN, (0, 0, 0)), 0.0)
    np.testing.assert_array_equal(flat, np.full((1, 2, 3), 75))


def test_a_blur_spreads_a_point_evenly_and_keeps_its_sum():
    image = np.zeros((21, 21, 3), np.uint8)
    image[10, 10] = 250
    found = appearance.blur(image, 2.0).astype(int)
    np.testing.assert_array_equal(found, found[::-1])
    np.testing.assert_allclose(found, found.transpose(1, 0, 2), atol=1)
    assert found[10, 10].max() < 20
    # Standard deviation 2 along each axis, of what rounding leaves.
    weights = np.full((41, 41, 3), 0, np.uint8)
    weights[:, 20:] = 250
    profile = np.diff(appearance.blur(weights, 2.0)[20, :, 0].astype(float))
    places = np.arange(40) + 1 - 20.5 + 0.5
    assert profile.sum() == 250
    assert np.sqrt((profile * places**2).sum() / 250) == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("name", CHANGES)
def test_channels_beyond_the_third_and_floats_stay(name):
    change = CHANGES[name]
    image = noise(5)
    found = change(image)
    np.testing.assert_array_equal(found[..., 3:], image[..., 3:])
    np.testing.assert_array_equal(found[..., :3], change(image[..., :3]))
    assert (found[..., :3] != image[..., :3]).any()
    floats = noise(3, np.float32)
    np.testing.assert_array_equal(change(floats), floats)


@pytest.mark.parametrize("channels", (1, 2))
@pytest.mark.parametrize("name", CHANGES)
def test_images_without_colours(name, channels):
    image = noise(channels)
    found = CHANGES[name](image)
    assert (found.shape, found.dtype) == (image.shape, np.uint8)
    assert (found == image).all() == (name in ("hue", "saturation"))
