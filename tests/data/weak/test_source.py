"""Sources without masks: what is left of them, also of crops, and what is refused."""

import pickle

import numpy as np
import pytest

from fcn_jax.data import contracts, fingerprints, loader
from fcn_jax.data.cached import CachedSource
from fcn_jax.data.contracts import OneHead
from fcn_jax.data.weak import image_labels, planes
from fcn_jax.data.weak.source import WeakLabels
from tests.support.loading import ALL, train
from tests.support.noise import Source

CLASSES = ("background", "a", "b")


class Scenes(OneHead, Source):
    """Three images of noise: a square of class 1, and in it a dot of class 2."""

    classes = CLASSES

    def __init__(self):
        super().__init__([(12, 10), (10, 12), (12, 12)])
        for labels in self.labels:
            labels[:] = 0
            labels[2:8, 2:8] = 1
            labels[4:6, 4:6] = 2
            labels[0] = 255
        self.labels[2][:] = 0  # Nothing but background.
        self.ids = ("n0", "n1", "n2")


@pytest.fixture
def scenes():
    return Scenes()


def allowed_of(item):
    return planes.unpack(item[planes.PLANES], 3)


def test_of_image_labels_the_classes_are_left(scenes):
    source = WeakLabels(scenes, "image_labels")
    item = source[0]
    assert (item["labels"] == 255).all()
    allowed, asked = allowed_of(item)
    assert asked.all()
    assert allowed.all()
    alone, _ = allowed_of(source[2])
    assert alone.all(axis=(0, 1)).tolist() == [True, False, False]


def test_no_place_of_an_object_is_left(scenes):
    """Two images that hold the same classes elsewhere have one weak label."""
    moved = Scenes()
    moved.labels[0][:] = np.roll(moved.labels[0], 3, axis=1)
    ours, theirs = (WeakLabels(x, "image_labels")[0] for x in (scenes, moved))
    for name in ("labels", planes.PLANES):
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_of_boxes_rectangles_are_left(scenes):
    scenes.labels[0][2, 2] = 0  # A corner of the object; its box is as large.
    item = WeakLabels(scenes, "boxes")[0]
    expected = np.zeros((12, 10), np.uint8)
    expected[2:8, 2:8], expected[4:6, 4:6] = 1, 2
    np.testing.assert_array_equal(item["labels"], expected)  # Void is background.
    allowed, asked = allowed_of(item)
    assert asked.all()
    np.testing.assert_array_equal(allowed[..., 0], True)
    np.testing.assert_array_equal(allowed[..., 1], expected > 0)
    np.testing.assert_array_equal(allowed[..., 2], expected == 2)


def test_segments_are_made_of_the_image_and_its_boxes(scenes):
    seen = []

    def segment(image, boxes, name):
        seen.append((image.shape, boxes.tolist(), name))
        return np.full(image.shape[:2], 2, np.uint8)

    item = WeakLabels(scenes, "box_segments", segment=segment)[1]
    assert seen == [((10, 12, 3), [[1, 2, 2, 8, 8], [2, 4, 4, 6, 6]], "n1")]
    assert (item["labels"] == 2).all()


def test_strong_images_keep_their_masks(scenes):
    strong = np.array([False, True, False])
    source = WeakLabels(scenes, "image_labels", strong=strong, strong_share=0.5)
    item = source[1]
    np.testing.assert_array_equal(item["labels"], scenes.labels[1])
    allowed, asked = allowed_of(item)
    assert not asked.any()
    assert not allowed.any()
    assert source.shares.share == 0.5
    (batch,) = train(source, 1, batch_size=2)
    assert batch["index"].tolist().count(1) == 1


@pytest.mark.parametrize("supervision", ("image_labels", "crop_labels", "boxes"))
def test_batches_hold_sets_that_moved_with_the_image(scenes, supervision):
    source = WeakLabels(CachedSource(scenes, 1 << 20), supervision)
    batches = train(source, 8, augmentation=ALL)
    for batch in batches:
        assert batch[planes.PLANES].shape == (2, 9, 7, 1)
        assert batch[planes.PLANES].dtype == np.uint8
        allowed, asked = planes.unpack(batch[planes.PLANES], 3)
        assert not allowed[~asked].any()
        if supervision == "boxes":  # Where a rectangle is, it may be.
            inside = batch["labels"] != 255
            np.testing.assert_array_equal(asked, inside)
            for c in range(3):
                assert allowed[..., c][batch["labels"] == c].all()
        else:
            assert (batch["labels"] == 255).all()
    assert any(not planes.unpack(b[planes.PLANES], 3)[1].all() for b in batches)


def test_a_crop_knows_its_own_classes_or_those_of_the_image(scenes):
    """The right edge of an image: nothing but background is seen there."""
    maps, void = planes.maps_of(WeakLabels(scenes, "image_labels")[0], 255)
    edge = planes.entries({name: x[:, 8:] for name, x in maps.items()})
    assert allowed_of(edge)[0].any(axis=(0, 1)).all()
    assert void == {"labels": 255, "allowed0": 0}
    maps, _ = planes.maps_of(WeakLabels(scenes, "crop_labels")[0], 255)
    edge = planes.entries({name: x[:, 8:] for name, x in maps.items()})
    allowed, asked = allowed_of(edge)
    assert allowed.any(axis=(0, 1)).tolist() == [True, False, False]
    assert asked.all()  # Void pixels are asked for as well.


def test_whole_images_end_where_they_end(scenes):
    """What pads them to the canvas is neither asked for nor allowed anything."""
    source = WeakLabels(scenes, "image_labels")
    batch = next(loader.train_batches(source, batch_size=3, seed=0, num_classes=3))
    assert batch[planes.PLANES].shape == (3, 12, 12, 1)
    _, asked = planes.unpack(batch[planes.PLANES], 3)
    for row, (height, width) in enumerate(batch["sizes"].tolist()):
        assert asked[row, :height, :width].all()
        assert asked[row].sum() == height * width


def test_processes_can_read_it_and_it_tells_what_it_is(scenes):
    strong = np.array([True, False, False])
    source = WeakLabels(scenes, "boxes", strong=strong)
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[1]["labels"], source[1]["labels"])
    assert (source.ids, len(source)) == (scenes.ids, 3)
    np.testing.assert_array_equal(source.image_sizes(), scenes.image_sizes())
    before = fingerprints.of(scenes)
    found = [
        fingerprints.of(WeakLabels(scenes, "boxes", strong=x))
        for x in (None, strong, ~strong)
    ]
    assert all(before.items() <= each.items() for each in found)
    assert len({each["weak labels"] for each in found}) == 3


def test_classes_of_an_image():
    labels = np.array([[0, 2, 255]], np.uint8)
    assert image_labels.classes_of(labels, 4).tolist() == [True, False, True, False]
    # Void may be below the number of classes.
    held = image_labels.classes_of(labels, 4, ignore_label=0)
    assert held.tolist() == [False, False, True, False]


def test_ids_of_a_source_that_has_to_be_read(scenes):
    del scenes.ids
    assert contracts.ids_of(scenes) == ["n0", "n1", "n2"]


def test_an_image_without_labels_is_named(scenes):
    scenes.labels[0][:] = 255
    for supervision in ("image_labels", "boxes"):
        with pytest.raises(ValueError, match="noise train: n0: all pixels are void"):
            WeakLabels(scenes, supervision)[0]


def test_objects_without_a_box_are_named(scenes):
    def none(item, where):
        return np.zeros((0, 5), np.int32)

    source = WeakLabels(scenes, "boxes", boxes_of=none)
    with pytest.raises(ValueError, match="n0: the masks hold objects, and there is no"):
        source[0]
    assert not source[2]["labels"].any()  # Of background alone that is true.


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, 0, 0, 13, 4), r"n0: box 0, \(0, 0, 13, 4\), leaves the image"),
        ((7, 0, 0, 3, 4), "n0: box 0 is of class 7; of 3 classes .* another list"),
    ],
)
def test_boxes_of_others_are_looked_at(scenes, box, message):
    source = WeakLabels(scenes, "boxes", boxes_of=lambda *_: np.array([box]))
    with pytest.raises(ValueError, match=message):
        source[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"supervision": "box"}, "supervision 'box' is not known; use one of image_l"),
        ({"supervision": "box_segments"}, "'box_segments' needs what makes labels of"),
        ({"strong": np.ones(2, bool)}, r"strong is bool \(2,\); expected whether each"),
        ({"strong": np.ones(3)}, r"strong is float64 \(3,\); .* bool \[3\]"),
        ({"strong_share": 1.0}, "strong_share=1.0 is no share of a batch; give one fr"),
        ({"strong_share": 0.5}, "strong_share=0.5 mixes .* 0 of the 3 images of noise"),
    ],
)
def test_what_does_not_fit_is_refused(scenes, arguments, message):
    with pytest.raises(ValueError, match=message):
        WeakLabels(scenes, **{"supervision": "boxes", **arguments})


def test_there_has_to_be_a_background(scenes):
    scenes.classes = ("sky", "a", "b")
    with pytest.raises(ValueError, match="and noise has 'sky' as class 0; they need"):
        WeakLabels(scenes, "boxes")
