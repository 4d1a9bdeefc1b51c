"""Rotation, cutout, mixing of classes, and in which order all is drawn: by hand."""

import itertools

import numpy as np
import pytest

from fcn_jax.data import appearance, augmentation, channels, transforms
from fcn_jax.data.augmentation import Augmentation, augment

MEAN = channels.MEAN_COLOUR
VOID = 255


def pair(height=4, width=4):
    """Labels count the pixels; the image repeats them in its first channel."""
    labels = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    return np.stack([labels, labels + 100, labels + 50], axis=-1), labels


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3), (0, 0)])
def test_quarter_turns_are_exact(degrees, turns):
    image, labels = pair()
    turned, turned_labels = transforms.rotate(image, labels, degrees)
    np.testing.assert_array_equal(turned, np.rot90(image, turns))
    np.testing.assert_array_equal(turned_labels, np.rot90(labels, turns))


def test_the_corners_of_an_eighth_of_a_turn_are_void():
    image = np.full((9, 9, 3), 200, np.uint8)
    turned, labels = transforms.rotate(image, np.full((9, 9), 3, np.uint8), 45.0)
    for row, column in itertools.product((0, 8), (0, 8)):
        assert labels[row, column] == VOID
        assert tuple(turned[row, column]) == MEAN
    assert (labels[4, :] == 3).all()
    assert (labels == labels[::-1]).all()
    assert set(np.unique(labels)) == {3, VOID}


@pytest.mark.parametrize("degrees", (7.0, -13.3, 44.9, 100.0))
def test_where_a_label_is_known_the_image_is(degrees):
    image = np.full((57, 83, 3), 200, np.uint8)
    turned, labels = transforms.rotate(image, np.ones((57, 83), np.uint8), degrees)
    assert (turned[labels == 1] == 200).all()
    assert (turned[labels == VOID] == MEAN).mean() > 0.99


def test_other_channels_and_heads_turn_along():
    image, labels = pair()
    more = np.concatenate([image, image[..., :1]], axis=-1)
    heads = {"a": labels, "b": labels + 1}
    turned, turned_heads = transforms.rotate(more, heads, 30.0, {"a": 99, "b": 98})
    np.testing.assert_array_equal(
        turned[..., :3], transforms.rotate(image, labels, 30.0)[0]
    )
    seen = turned_heads["a"] != 99
    assert 0 < seen.sum() < 16
    np.testing.assert_array_equal(turned_heads["b"] != 98, seen)
    np.testing.assert_array_equal(turned_heads["b"][seen], turned_heads["a"][seen] + 1)
    assert (turned[~seen][:, 3] == 0).all()
    floats = transforms.rotate(more.astype(np.float32), labels, 30.0)[0]
    np.testing.assert_allclose(floats, turned, atol=1)


def test_a_box_is_covered_and_void():
    image, labels = pair()
    found, found_labels = transforms.cover(image, labels, (-2, 1, 2, 3))
    expected = np.zeros((4, 4), bool)
    expected[:2, 1:3] = True
    np.testing.assert_array_equal(found_labels == VOID, expected)
    assert (found[expected] == MEAN).all()
    np.testing.assert_array_equal(found[~expected], image[~expected])
    np.testing.assert_array_equal(found_labels[~expected], labels[~expected])
    assert labels[0, 1] == 1  # What was given stays.


def test_cutout_is_about_every_pixel_alike():
    option = Augmentation(cutout=(3, 1))
    covered = np.zeros((4, 4))
    for seed in range(400):
        image, labels = augment(*pair(), option, np.random.default_rng(seed))
        assert (labels == VOID).sum() in (2, 3)
        assert (image[labels == VOID] == MEAN).all()
        covered += labels == VOID
    # Rows at the edge are in the box of two centres, those within of three.
    expected = np.array([2, 3, 3, 2])[:, None] / 16 * np.ones((1, 4))
    np.testing.assert_allclose(covered / 400, expected, atol=0.07)


def test_half_of_the_classes_are_laid_over():
    image, labels = np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 7, np.uint8)
    other_labels = np.array([[0, 1, 2], [VOID, 1, 2], [4, 4, 0]], np.uint8)
    other = np.stack([other_labels + 10] * 3, axis=-1), other_labels
    taken = set()
    for seed in range(30):
        found, found_labels = augmentation.mix_classes(
            image, labels, other, np.random.default_rng(seed)
        )
        over = found_labels != 7
        classes = set(np.unique(found_labels[over]))
        assert len(classes) == 2
        assert VOID not in classes
        np.testing.assert_array_equal(
            over[:3, :3], np.isin(other_labels, sorted(classes))
        )
        assert not over[3].any()
        assert not over[:, 3].any()
        np.testing.assert_array_equal(found[over][:, 0], found_labels[over] + 10)
        assert not found[~over].any()
        taken |= classes
    assert taken == {0, 1, 2, 4}
    void = np.full((3, 3), VOID, np.uint8)
    _, same = augmentation.mix_classes(
        image, labels, (other[0], void), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(same, labels)


def test_the_order_is_the_one_that_is_written():
    option = Augmentation(
        rotation=30.0,
        blur=1.5,
        hue=40.0,
        saturation=0.5,
        contrast=0.4,
        brightness=0.3,
        cutout=(2, 2),
    )
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 9, 3)).astype(np.uint8)
    labels = rng.integers(0, 3, (8, 9)).astype(np.uint8)
    found, found_labels = augment(image, labels, option, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    image, labels = transforms.rotate(image, labels, rng.uniform(-30, 30))
    image = appearance.blur(image, rng.uniform(0, 1.5))
    image = appearance.turn_hue(image, rng.uniform(-40, 40))
    image = appearance.change_saturation(image, 1 + rng.uniform(-0.5, 0.5))
    image = appearance.change_contrast(image, 1 + rng.uniform(-0.4, 0.4))
    image = appearance.brighten(image, 1 + rng.uniform(-0.3, 0.3))
    top, left = rng.integers(8) - 1, rng.integers(9) - 1
    image, labels = transforms.cover(image, labels, (top, left, top + 2, left + 2))
    np.testing.assert_array_equal(found, image)
    np.testing.assert_array_equal(found_labels, labels)


def test_colours_beside_depth_change_as_they_do_alone():
    option = Augmentation(hue=40.0, contrast=0.4, brightness=0.3)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 9, 3)).astype(np.uint8)
    depth, labels = np.full((8, 9, 1), 7.5, np.float32), np.zeros((8, 9), np.uint8)
    both = np.concatenate([image.astype(np.float32), depth], axis=-1)
    known = channels.of("rgbd")
    alone, _ = augment(image, labels, option, np.random.default_rng(5))
    found, _ = augment(both, labels, option, np.random.default_rng(5), channels=known)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[..., :3], alone)
    np.testing.assert_array_equal(found[..., 3:], depth)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"rotation": 181.0}, "rotation=181.0 is not in 0 to 180"),
        ({"hue": -1.0}, "hue=-1.0 is not in 0 to 180"),
        ({"saturation": 1.5}, "saturation=1.5 is not in 0 to 1"),
        ({"contrast": -0.1}, "contrast=-0.1 is not in 0 to 1"),
        ({"class_mix": 2.0}, "class_mix=2.0 is not in 0 to 1"),
        ({"blur": -1.0}, "blur=-1.0 is no number of pixels from 0 on"),
        (
            {"cutout": (0, 3)},
            r"cutout=\(0, 3\) is no size; give .height, width",
        ),
    ],
)
def test_limits(option, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**option)


def test_heads_are_laid_over_together():
    labels = {"a": np.zeros((1, 2), np.uint8), "b": np.ones((1, 2), np.uint8)}
    above = {"a": np.array([[5, 9]], np.uint8), "b": np.array([[6, 7]], np.uint8)}
    image = np.zeros((1, 2, 1), np.float32)
    found, laid = augmentation.mix_classes(
        image, labels, (image + 1, above), np.random.default_rng(0), {"a": 8, "b": 6}
    )
    (place,) = np.flatnonzero(laid["a"][0])
    assert laid["a"][0, place] == above["a"][0, place]
    assert laid["b"][0].tolist() == [[6, 1], [1, 7]][place]
    assert found[0, :, 0].tolist() == [[1, 0], [0, 1]][place]
