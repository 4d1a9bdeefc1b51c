"""Labels out of boxes: certain pixels stay, colours decide, nothing is done twice."""

import numpy as np
import pytest

from fcn_jax.data.weak import boxes as weak_boxes
from fcn_jax.training import box_segments
from fcn_jax.training.box_segments import BoxSegments

BOX = np.array([[2, 6, 6, 30, 34]], np.int32)


@pytest.fixture(scope="module")
def scene():
    """A red ellipse of class 2 on blue: image and mask; its box is `BOX`."""
    rows, columns = np.mgrid[:40, :44]
    mask = ((rows - 17.5) / 12) ** 2 + ((columns - 19.5) / 14) ** 2 <= 1
    image = np.where(mask[..., None], [200, 40, 40], [40, 60, 180]).astype(np.uint8)
    labels = np.where(mask, 2, 0).astype(np.uint8)
    return image, labels


@pytest.mark.long
def test_colours_decide_where_boxes_do_not(scene):
    image, labels = scene
    item = {"image": image, "labels": labels}
    names = ("background", "a", "b")
    assert weak_boxes.boxes_of(item, names, "it").tolist() == BOX.tolist()
    found = box_segments.segment(image, BOX)
    assert found.dtype == np.uint8
    union = (found == 2) | (labels == 2)
    overlap = ((found == 2) & (labels == 2)).sum() / union.sum()
    rectangle = weak_boxes.rectangles(BOX, labels.shape) == 2
    before = (rectangle & (labels == 2)).sum() / (rectangle | (labels == 2)).sum()
    assert before < 0.85
    assert overlap > 0.97


def test_outside_is_background_and_centres_are_of_their_class(scene):
    """Whatever the colours say: here they say nothing."""
    image = np.full_like(scene[0], 128)
    boxes = np.array([[2, 6, 6, 30, 34], [2, 20, 2, 38, 20]], np.int32)
    found = box_segments.segment(image, boxes)  # As many classes: compiled once.
    known = box_segments.centres.known_by(boxes, image.shape[:2])
    certain = known != box_segments.centres.UNKNOWN
    np.testing.assert_array_equal(found[certain], known[certain])
    allowed = weak_boxes.covering(boxes, image.shape[:2], 3)
    assert np.take_along_axis(allowed, found[..., None].astype(int), -1).all()


@pytest.mark.slow
def test_a_canvas_makes_no_difference(scene):
    found = box_segments.segment(scene[0], BOX)  # On 48x48.
    wider = box_segments.segment(scene[0], BOX, canvas=(40, 60))  # On 48x64.
    np.testing.assert_array_equal(wider, found)


def test_a_canvas_that_is_far_larger_is_not_taken():
    padded = box_segments._padded
    assert padded((40, 44), None) == (48, 48)
    assert padded((40, 44), (40, 60)) == (48, 64)
    assert padded((40, 44), (400, 400)) == (48, 48)
    assert padded((40, 44), (30, 60)) == (48, 48)


def test_room_for_vertices_is_found(scene, monkeypatch):
    """Noise needs more of it than a photograph."""
    asked = []

    def mean_field(unary, image, *, sizes, capacity, **numbers):
        asked.append(capacity // (48 * 48))
        if capacity < 6 * 48 * 48:
            raise ValueError("mean_field: capacity is too small")
        return unary

    monkeypatch.setattr(box_segments.crf, "mean_field", mean_field)
    box_segments.segment(scene[0], BOX)
    assert asked == [2, 6]


def test_without_boxes_all_is_background(scene):
    found = box_segments.segment(scene[0], np.zeros((0, 5), np.int32))
    assert not found.any()


@pytest.mark.parametrize("kept", ("memory", "folder"))
def test_an_image_is_done_once(scene, kept, tmp_path, monkeypatch):
    made = []

    def segment(image, boxes, **options):
        made.append(options["centre"])
        return np.full(image.shape[:2], len(made), np.uint8)

    monkeypatch.setattr(box_segments, "segment", segment)
    folder = tmp_path / "cache" if kept == "folder" else None
    find = BoxSegments(centre=0.4, cache_dir=folder)
    image = scene[0]
    first = find(image, BOX, "a/b")
    np.testing.assert_array_equal(find(image, BOX, "a/b"), first)
    assert made == [0.4]
    assert (find(image, BOX + 1, "a/b") == 2).all()  # Another box.
    assert first.shape == image.shape[:2]
    if folder is not None:
        again = BoxSegments(centre=0.4, cache_dir=folder)
        np.testing.assert_array_equal(again(image, BOX, "a/b"), first)
        other = BoxSegments("deeplab", centre=0.4, cache_dir=folder)
        assert (other(image, BOX, "a/b") == 3).all()


def test_parameters_and_centres_are_looked_at():
    with pytest.raises(ValueError, match="CRF parameters 'none' are not known"):
        BoxSegments("none")
    with pytest.raises(ValueError, match="share=0 is no share of a box"):
        BoxSegments(centre=0)
