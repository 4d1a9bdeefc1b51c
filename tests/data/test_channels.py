"""Channels: what is laid outside an image, what is resized how, what is a colour."""

import numpy as np
import pytest

from fcn_jax.data import channels, contracts, depth, loader, transforms
from fcn_jax.data.augmentation import Augmentation, augment

RGBD, HHA, BOTH = (channels.of(name) for name in ("rgbd", "hha", "rgbhha"))


@pytest.mark.parametrize(
    ("letters", "fill", "nearest"),
    (
        ("rgb", (123, 117, 104), ()),
        ("grey", (117,), ()),
        ("rgbd", (123, 117, 104, 7.844), (3,)),
        ("hha", (132, 94, 118), ()),
        ("rgbhha", (123, 117, 104, 132, 94, 118), ()),
        ("rgbn", (123, 117, 104, 0), ()),
        ("hhad", (132, 94, 118, 7.844), (3,)),
    ),
)
def test_the_channels_of_a_source(letters, fill, nearest):
    found = channels.of(letters)
    assert found.fill == fill
    assert len(found.to_nearest) == len(fill)
    assert tuple(np.flatnonzero(found.to_nearest)) == nearest
    assert found.has_colours == ("rgb" in letters or letters == "grey")


@pytest.mark.parametrize(("count", "first"), ((1, 117), (2, 117), (3, 123), (5, 123)))
def test_where_only_their_number_is_known(count, first):
    found = channels.counted(count)
    assert (len(found.fill), found.fill[0]) == (count, first)
    assert found.fill[3:] == (0,) * (count - 3)
    assert not any(found.to_nearest)


def steps():
    """Colours and depth that jump from 1 m to 4 m."""
    image = np.zeros((8, 8, 4), np.float32)
    image[:, 4:, :3] = 200
    image[..., 3] = depth.to_log(
        np.where(np.arange(8) < 4, 1.0, 4.0)[None].repeat(8, 0)
    )
    return image, np.zeros((8, 8), np.uint8)


@pytest.mark.parametrize("size", ((5, 5), (13, 13)))
def test_between_two_depths_there_is_none(size):
    image, labels = steps()
    known = set(np.unique(image[..., 3]))
    resized, _ = transforms.resize(image, labels, size, channels=RGBD)
    assert set(np.unique(resized[..., 3])) == known
    assert len(np.unique(resized[..., 0])) > 2  # Colours are smoothed.
    smooth = transforms.resize_image(image, size)
    assert len(np.unique(smooth[..., 3])) > 2


def test_all_that_moves_a_pixel_keeps_depths():
    image, labels = steps()
    known = {*np.unique(image[..., 3]), np.float32(depth.MEAN_LOG)}
    every = Augmentation(
        flip=True, scale=(0.5, 2.0), crop=(6, 7), jitter=2, rotation=30, cutout=(2, 2)
    )
    kinds = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found, found_labels = augment(image, labels, every, rng, channels=RGBD)
        assert set(np.unique(found[..., 3])) <= known
        void = found_labels == 255
        assert (found[void][:, 3] == np.float32(depth.MEAN_LOG)).all()
        kinds |= set(np.unique(found[..., 3]))
    assert kinds == known


def test_what_is_uncovered_has_the_mean_of_each_channel():
    image, labels = np.zeros((4, 4, 6), np.uint8), np.zeros((4, 4), np.uint8)
    moved, _ = transforms.translate(image, labels, (1, 0), channels=BOTH)
    np.testing.assert_array_equal(moved[0, 0], BOTH.fill)
    padded, _ = transforms.pad(image, labels, (5, 4), channels=BOTH)
    np.testing.assert_array_equal(padded[4, 3], BOTH.fill)
    covered, _ = transforms.cover(image, labels, (0, 0, 1, 1), channels=BOTH)
    np.testing.assert_array_equal(covered[0, 0], BOTH.fill)
    turned, _ = transforms.rotate(image, labels, 45.0, channels=BOTH)
    np.testing.assert_array_equal(turned[0, 0], BOTH.fill)


def test_hha_is_not_brightened():
    image = np.full((4, 4, 3), 100, np.uint8)
    looks = Augmentation(brightness=0.5, contrast=0.5, hue=60, saturation=0.5, blur=1)
    labels = np.zeros((4, 4), np.uint8)

    def changed(known):
        rng = np.random.default_rng(0)
        return augment(image, labels, looks, rng, channels=known)[0]

    np.testing.assert_array_equal(changed(HHA), image)
    assert (changed(channels.of("rgb")) != image).any()


class Depths(contracts.OneHead):
    """Two images of colour and depth that jumps."""

    name, split, channels, classes = "depths", "train", "rgbd", ("a", "b")
    palette = np.zeros((256, 3), np.uint8)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        image, labels = steps()
        return {"image": image[: 8 - index], "labels": labels[: 8 - index], "id": "x"}

    def image_sizes(self):
        return np.array([(8, 8), (7, 8)], np.int32)


def test_batches_hold_depths_as_they_are():
    known = set(np.unique(steps()[0][..., 3]))
    given = {"batch_size": 2, "num_classes": 2}
    some = Augmentation(scale=(0.5, 1.5), crop=(6, 6))
    batches = loader.train_batches(Depths(), seed=0, augmentation=some, **given)
    batch = next(batches)
    batches.close()
    assert (batch["image"].shape, batch["image"].dtype) == ((2, 6, 6, 4), np.float32)
    found = set(np.unique(batch["image"][..., 3]))
    assert found <= known | {np.float32(depth.MEAN_LOG)}
    scored = next(loader.eval_batches(Depths(), scales=(1.0, 0.7), **given))
    height, width = scored["sizes@0.7"][0]
    smaller = scored["image@0.7"][0, :height, :width]
    assert set(np.unique(smaller[..., 3])) <= known
    assert (scored["image"][1, 7] == 0).all()  # Beyond the true size.
