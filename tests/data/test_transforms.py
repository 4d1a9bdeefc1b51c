"""Image and labels change together; by-hand values."""

import numpy as np
import pytest

from fcn_jax.data import appearance, channels, transforms
from fcn_jax.data.augmentation import Augmentation, augment


def pair(height, width):
    """Labels count the pixels; the image repeats them in its first channel."""
    labels = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    return np.stack([labels, labels + 100, labels + 50], axis=-1), labels


def draw(augmentation, size=(4, 6), seed=0):
    rng = np.random.default_rng(seed)
    return augment(*pair(*size), augmentation, rng)


def assert_together(image, labels):
    """Where the labels are not void, the image is what it was there."""
    seen = labels != 255
    np.testing.assert_array_equal(image[seen][:, 0], labels[seen])
    assert (image[~seen] == channels.MEAN_COLOUR).all()


@pytest.mark.parametrize("scale", ((0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)))
def test_a_scale_is_a_range(scale):
    with pytest.raises(
        ValueError, match="is no range of factors; give .low, high. wit"
    ):
        Augmentation(scale=scale)


@pytest.mark.parametrize("crop", ((0, 4), (4, -1)))
def test_a_crop_is_a_size(crop):
    with pytest.raises(ValueError, match="is no size; give .height, width. in pixels"):
        Augmentation(crop=crop)


@pytest.mark.parametrize(
    "options", ({"jitter": -1}, {"brightness": 1.0}, {"brightness": -0.1})
)
def test_jitter_and_brightness_have_limits(options):
    with pytest.raises(
        ValueError, match="jitter is a number of pixels >= 0, brightnes"
    ):
        Augmentation(**options)


def test_nothing_is_the_default():
    image, labels = draw(Augmentation())
    expected = pair(4, 6)
    np.testing.assert_array_equal(image, expected[0])
    np.testing.assert_array_equal(labels, expected[1])


def test_all_is_repeatable_and_stays_uint8():
    everything = Augmentation(True, (0.5, 2.0), (5, 3), 1, 0.3)
    for seed in range(10):
        image, labels = draw(everything, seed=seed)
        again = draw(everything, seed=seed)
        np.testing.assert_array_equal(image, again[0])
        np.testing.assert_array_equal(labels, again[1])
        assert image.dtype == labels.dtype == np.uint8
        assert (image.shape, labels.shape) == ((5, 3, 3), (5, 3))
        assert image.flags.c_contiguous
        assert labels.flags.c_contiguous


def test_half_of_the_images_are_mirrored():
    original, labels = pair(4, 6)
    mirrored = 0
    for seed in range(40):
        ours = draw(Augmentation(flip=True), seed=seed)
        if (ours[1] == labels).all():
            np.testing.assert_array_equal(ours[0], original)
        else:
            np.testing.assert_array_equal(ours[0], original[:, ::-1])
            np.testing.assert_array_equal(ours[1], labels[:, ::-1])
            mirrored += 1
    assert 10 <= mirrored <= 30


@pytest.mark.parametrize("shape", ((5, 7, 3), (5, 1, 3), (5, 7, 1), (5, 7, 4), (5, 7)))
@pytest.mark.parametrize("dtype", (np.uint8, np.float32))
def test_columns_are_mirrored(shape, dtype):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    for seen in (image, image[::-1, ::-1]):
        found = transforms.mirrored(seen)
        np.testing.assert_array_equal(found, seen[:, ::-1])
        assert (found.dtype, found.flags.c_contiguous) == (dtype, True)


def test_a_crop_is_a_window_and_all_windows_occur():
    corners = set()
    for seed in range(100):
        image, labels = draw(Augmentation(crop=(3, 4)), seed=seed)
        top, left = divmod(int(labels[0, 0]), 6)
        np.testing.assert_array_equal(
            labels, pair(4, 6)[1][top : top + 3, left : left + 4]
        )
        assert_together(image, labels)
        corners.add((top, left))
    assert corners == {(top, left) for top in range(2) for left in range(3)}


def test_all_windows_are_equally_likely():
    rng = np.random.default_rng(0)
    tops = [
        int(transforms.random_crop(*pair(4, 1), 1.0, (2, 1), rng)[1][0, 0])
        for _ in range(600)
    ]
    assert all(abs(tops.count(top) - 200) < 50 for top in range(3))


def test_a_crop_larger_than_the_image_is_padded():
    image, labels = draw(Augmentation(crop=(5, 5)))
    assert (labels[4] == 255).all()
    assert (labels[:4] != 255).all()
    assert_together(image, labels)


@pytest.mark.parametrize("factor", (0.25, 0.5, 0.8, 1.0, 1.3, 3.0))
def test_scaled_crops_are_exactly_of_the_size(factor):
    for size in ((4, 6), (9, 2), (12, 20)):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            image, labels = transforms.random_crop(
                *pair(*size), factor, (5, 4), rng, ignore_label=254
            )
            assert (image.shape, labels.shape) == ((5, 4, 3), (5, 4))
            scaled = transforms.scaled_size(size, factor)
            covered = np.minimum(scaled, (5, 4))
            void = np.ones((5, 4), bool)
            void[: covered[0], : covered[1]] = False
            assert (labels[void] == 254).all()
            assert (image[void] == channels.MEAN_COLOUR).all()
            assert set(np.unique(labels[~void])) <= set(np.unique(pair(*size)[1]))


def test_a_scaled_crop_is_a_crop_of_the_scaled_image():
    labels = np.zeros((8, 8), np.uint8)
    labels[4:] = 1  # The edge lies at row 8 of the image twice as large.
    image = np.repeat(labels[:, :, None] * 200, 3, axis=2).astype(np.uint8)
    rng = np.random.default_rng(1)
    window, window_labels = transforms.random_crop(image, labels, 2.0, (16, 6), rng)
    np.testing.assert_array_equal(
        window_labels, np.repeat([0, 1], 8)[:, None] + [0] * 6
    )
    assert (window[:6] == 0).all()
    assert (window[10:] == 200).all()


def test_factors_are_log_uniform():
    sizes = [
        draw(Augmentation(scale=(0.25, 4.0)), size=(8, 8), seed=seed)[1].shape[0]
        for seed in range(60)
    ]
    assert min(sizes) >= 2
    assert max(sizes) <= 32
    assert 15 <= sum(size < 8 for size in sizes) <= 45  # Half: 1 is the middle.


def test_labels_are_rescaled_to_the_nearest():
    image, labels = transforms.rescale(*pair(2, 3), 2.0)
    np.testing.assert_array_equal(labels, np.kron(pair(2, 3)[1], np.ones((2, 2))))
    assert image.shape == (4, 6, 3)
    _, small = transforms.rescale(*pair(6, 6), 1 / 3)
    np.testing.assert_array_equal(small, pair(6, 6)[1][1::3, 1::3])


def test_images_are_resized_bilinearly_and_smoothed_when_reduced():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 1] = 200
    wide = transforms.resize_image(image, (1, 4))
    np.testing.assert_array_equal(wide[0, :, 0], [0, 50, 150, 200])
    stripes = np.tile(np.array([0, 200], np.uint8), (4, 4))[:, :, None].repeat(3, 2)
    reduced = transforms.resize_image(stripes, (2, 2))
    np.testing.assert_allclose(reduced.astype(float), 100, atol=10)


def test_sizes_are_rounded_and_never_zero():
    assert transforms.scaled_size((11, 13), 0.5) == (6, 6)  # 5.5, 6.5: to even.
    assert transforms.scaled_size((10, 1), 0.26) == (3, 1)
    assert transforms.scaled_size((1, 1), 0.01) == (1, 1)


def test_translation_by_hand():
    image, labels = transforms.translate(*pair(2, 3), (1, -1))
    np.testing.assert_array_equal(labels, [[255] * 3, [1, 2, 255]])
    assert_together(image, labels)
    image, labels = transforms.translate(*pair(2, 3), (-1, 2), ignore_label=77)
    np.testing.assert_array_equal(labels, [[77, 77, 3], [77] * 3])


@pytest.mark.parametrize("shift", ((5, 0), (-5, 0), (0, 9), (0, -9)))
def test_what_moves_out_of_sight_leaves_void(shift):
    image, labels = transforms.translate(*pair(2, 3), shift)
    assert (labels == 255).all()
    assert (image == channels.MEAN_COLOUR).all()


def test_jitter_moves_by_at_most_its_pixels():
    voids = set()
    for seed in range(60):
        image, labels = draw(Augmentation(jitter=1), seed=seed)
        assert_together(image, labels)
        voids.add(int((labels == 255).sum()))
    assert voids == {0, 6, 4, 9}  # Still, down or up, sideways, and both, of 4x6.


def test_brightness_is_clipped_and_rounded_down():
    image = np.array([[[0, 101, 255]]], np.uint8)
    np.testing.assert_array_equal(appearance.brighten(image, 1.5), [[[0, 151, 255]]])
    np.testing.assert_array_equal(appearance.brighten(image, 0.5), [[[0, 50, 127]]])
    np.testing.assert_array_equal(appearance.brighten(image, 1.0), image)


@pytest.mark.parametrize("channels", (1, 3, 4))
def test_brightness_of_every_value(channels):
    """Of each pixel alone, also where the image lies otherwise in memory."""
    values = np.arange(256 * channels).astype(np.uint8).reshape(16, 16, channels)
    expected = values.copy()
    colours = values[..., :3].astype(int)
    expected[..., :3] = np.clip(colours * 1.7, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(appearance.brighten(values, 1.7), expected)
    mirrored = appearance.brighten(values[:, ::-1], 1.7)
    np.testing.assert_array_equal(mirrored, expected[:, ::-1])


def test_brightness_leaves_labels_alone():
    image, labels = draw(Augmentation(brightness=0.5))
    original, expected = pair(4, 6)
    np.testing.assert_array_equal(labels, expected)
    ratio = image[original > 0] / original[original > 0]
    assert ratio.max() <= 1.5
    assert not np.array_equal(image, original)


def test_padding_by_hand():
    image, labels = transforms.pad(*pair(1, 2), (2, 3), ignore_label=9)
    np.testing.assert_array_equal(labels, [[0, 1, 9], [9, 9, 9]])
    np.testing.assert_array_equal(image[0, :2], pair(1, 2)[0][0])
    assert (image[labels == 9] == (123, 117, 104)).all()


def test_labels_lie_where_their_image_does():
    """A ramp: the colour of every pixel of a scaled crop tells where it came from."""
    ramp = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    off = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        turned = bool(seed % 2)
        labels = np.ascontiguousarray(ramp.T) if turned else ramp
        image = np.repeat(labels[:, :, None], 3, axis=2)
        factor = 1.3 + 0.1 * seed
        image, labels = transforms.random_crop(image, labels, factor, (60, 60), rng)
        difference = image[..., 0].astype(float) - labels
        assert np.abs(difference).max() <= 1  # Half a pixel, and rounding.
        off.append(difference.mean())
    assert np.abs(off).max() < 0.15
