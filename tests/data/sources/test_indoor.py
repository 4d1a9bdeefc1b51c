"""Rooms with depth: repeatable, of one geometry, and hardly to be told by colour."""

import numpy as np
import pytest

from fcn_jax import data
from fcn_jax.data import hha
from fcn_jax.data.sources import indoor, indoor_scenes

CLASSES = indoor_scenes.CLASSES


@pytest.fixture(scope="module")
def scenes():
    source = indoor.Indoor("train")
    return [source.scene(number) for number in range(12)]


def test_the_same_seed_draws_the_same(scenes):
    again = indoor.Indoor("train").scene(3)
    for name in ("image", "depth", "labels"):
        one, other = getattr(scenes[3], name), getattr(again, name)
        assert one.tobytes() == other.tobytes()
    assert len({scene.image.tobytes() for scene in scenes}) == len(scenes)
    other = indoor.Indoor("val").scene(3)
    assert other.image.tobytes() != again.image.tobytes()


def test_sizes_types_and_classes(scenes):
    for scene in scenes:
        assert scene.image.shape == (96, 128, 3)
        assert scene.image.dtype == scene.labels.dtype == np.uint8
        assert scene.depth.dtype == np.float32
        assert 0.2 < scene.depth.min() < scene.depth.max() < 12
    held = np.concatenate([scene.labels.ravel() for scene in scenes])
    assert set(held) == set(range(6))


def test_floors_lie_below_and_walls_stand(scenes):
    """What is labelled lies as it should, by the gravity that the camera has."""
    tops = {"bed": (0.3, 0.55), "table": (0.65, 0.85), "cabinet": (1.25, 2.05)}
    seen = set()
    for scene in scenes:
        points = hha.point_cloud(scene.depth, indoor_scenes.CAMERA) / 100
        below = points @ scene.down
        floor = below[scene.labels == 1]
        if len(floor) < 50:
            continue
        level = np.median(floor)
        assert 1.05 < level < 1.75
        assert np.abs(floor - level).max() < 0.1
        for name, (low, high) in tops.items():
            of_class = scene.labels == CLASSES.index(name)
            if of_class.sum() < 50:
                continue
            highest = level - np.quantile(below[of_class], 0.001)
            assert highest < high
            seen |= {name} if highest > low else set()
    assert seen == set(tops)


def test_gravity_is_found_in_the_image(scenes):
    errors = []
    for scene in scenes:
        points = hha.point_cloud(scene.depth, indoor_scenes.CAMERA)
        nothing = np.zeros(points.shape[:2], bool)
        normals = hha.normals(points, nothing, indoor_scenes.WINDOWS[1])
        found = hha.gravity(normals).direction @ scene.down
        errors.append(np.degrees(np.arccos(np.clip(found, -1, 1))))
    assert np.median(errors) < 2


def test_colours_hardly_tell_the_class(scenes):
    """The nearest of the classes' mean colours is right little more than by chance."""
    colours = np.concatenate([scene.image[::4, ::4].reshape(-1, 3) for scene in scenes])
    labels = np.concatenate([scene.labels[::4, ::4].ravel() for scene in scenes])
    means = np.stack([colours[labels == c].mean(axis=0) for c in range(6)])
    spread = np.linalg.norm(means - means.mean(axis=0), axis=1)
    assert spread.max() < 2 * colours.std()
    nearest = np.linalg.norm(colours[:, None] - means, axis=-1).argmin(axis=1)
    recalls = [(nearest[labels == c] == c).mean() for c in range(6)]
    assert np.mean(recalls) < 0.5


@pytest.mark.parametrize(
    ("channels", "count", "dtype"),
    (
        ("", 3, np.uint8),
        ("rgbd", 4, np.float32),
        ("hha", 3, np.uint8),
        ("rgbhha", 6, np.uint8),
    ),
)
def test_what_each_net_is_given(scenes, channels, count, dtype):
    source = data.open_source("indoor", "train", channels=channels)
    item = source[1]
    assert (item["image"].shape, item["image"].dtype) == ((96, 128, count), dtype)
    np.testing.assert_array_equal(item["labels"], scenes[1].labels)
    if channels != "hha":
        np.testing.assert_array_equal(item["image"][..., :3], scenes[1].image)
    if channels == "rgbd":
        expected = np.log(scenes[1].depth * 1000)
        np.testing.assert_allclose(item["image"][..., 3], expected, rtol=1e-5)
    assert item["id"] == "train_0001"


def test_splits():
    assert [len(indoor.Indoor(split)) for split in ("train", "val")] == [400, 80]
    few = indoor.Indoor("val[:3]")
    assert few.ids == ("val_0000", "val_0001", "val_0002")
    np.testing.assert_array_equal(few.image_sizes(), [(96, 128)] * 3)
    for wrong in ("test", "val[:0]", "val[2:]"):
        with pytest.raises(ValueError, match="indoor has no split .* train, val, a"):
            indoor.Indoor(wrong)
    with pytest.raises(IndexError, match="no image 3; there are 3, from 0 on"):
        few[3]
