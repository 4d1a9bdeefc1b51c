"""Boxes by hand: overlap, extension, crops, and what is no box."""

import numpy as np
import pytest

from fcn_jax.data import boxes


def test_iou_by_hand():
    ours = np.array([[0, 0, 4, 4], [2, 2, 6, 6], [10, 10, 12, 12]], np.int32)
    others = np.array([[0, 0, 4, 4], [0, 2, 4, 6]], np.int32)
    # 4x4 boxes: shifted by 2 and 2 they share 4 of 28; by 2, 8 of 24.
    expected = [[1, 8 / 24], [4 / 28, 8 / 24], [0, 0]]
    np.testing.assert_allclose(boxes.iou(ours, others), expected, rtol=1e-12)
    np.testing.assert_allclose(boxes.iou(others, ours), np.transpose(expected))


def test_boxes_that_touch_share_nothing():
    one, other = np.array([[0, 0, 4, 4]]), np.array([[0, 4, 4, 8]])
    assert boxes.iou(one, other).item() == 0


def test_no_boxes_have_no_overlaps():
    none = np.zeros((0, 4), np.int32)
    assert boxes.iou(none, np.array([[0, 0, 1, 1]])).shape == (0, 1)


def test_areas_beyond_32_bits():
    large = np.array([[0, 0, 70_000, 70_000]], np.int32)
    assert boxes.iou(large, large).item() == 1


@pytest.mark.parametrize(
    ("box", "factor", "expected"),
    [
        ((10, 20, 20, 40), 1.2, (9, 18, 21, 42)),
        ((0, 0, 5, 4), 1.2, (-1, 0, 6, 4)),  # 0.5 rounds up, 0.4 down.
        ((3, 3, 4, 4), 2.0, (2, 2, 5, 5)),
        ((3, 3, 4, 4), 1.0, (3, 3, 4, 4)),
    ],
)
def test_extension_by_hand(box, factor, expected):
    extended = boxes.extend(np.array([box]), factor)
    np.testing.assert_array_equal(extended, [expected])
    assert extended.dtype == np.int32
    np.testing.assert_array_equal(boxes.extend(np.array(box), factor), expected)


def test_extension_does_not_shrink():
    with pytest.raises(ValueError, match="extension=0.9 shrinks boxes; give a factor"):
        boxes.extend(np.zeros((1, 4), np.int32), 0.9)
    with pytest.raises(ValueError, match="extension=nan shrinks"):
        boxes.extend(np.zeros((1, 4), np.int32), float("nan"))


IMAGE = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)[..., None].repeat(3, axis=2)
LABELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_a_crop_by_hand():
    image, labels = boxes.cut(IMAGE, LABELS, np.array([1, 1, 3, 3]))
    np.testing.assert_array_equal(labels, [[5, 6], [9, 10]])
    np.testing.assert_array_equal(image[..., 1], [[6, 7], [10, 11]])


def test_beyond_the_image_it_is_black_and_void():
    image, labels = boxes.cut(IMAGE, LABELS, np.array([-1, 3, 2, 6]))
    np.testing.assert_array_equal(labels, [[255] * 3, [3, 255, 255], [7, 255, 255]])
    np.testing.assert_array_equal(image[..., 0], [[0] * 3, [4, 0, 0], [8, 0, 0]])
    _, labels = boxes.cut(IMAGE, LABELS, np.array([2, -2, 4, 1]), ignore_label=99)
    np.testing.assert_array_equal(labels, [[99, 99, 8], [99, 99, 99]])


@pytest.mark.parametrize("box", ((-5, 0, -2, 4), (3, 0, 5, 4), (0, 4, 3, 9)))
def test_a_box_off_the_image_shows_nothing(box):
    image, labels = boxes.cut(IMAGE, LABELS, np.array(box))
    assert labels.shape == image.shape[:2] == (box[2] - box[0], box[3] - box[1])
    assert (labels == 255).all()
    assert not image.any()


def test_boxes_in_the_image_pass():
    boxes.check_boxes(np.array([[0, 0, 3, 4], [2, 3, 3, 4]]), (3, 4), "im")
    boxes.check_boxes(np.zeros((0, 4), np.int32), (3, 4), "im")


@pytest.mark.parametrize(
    ("box", "what"),
    [
        ((1, 1, 1, 3), "has no area"),
        ((1, 3, 2, 2), "has no area"),
        ((-1, 0, 2, 2), "leaves the image"),
        ((0, 0, 4, 2), "leaves the image"),
        ((0, 0, 3, 5), "leaves the image"),
    ],
)
def test_a_wrong_box_is_named(box, what):
    named = ", ".join(str(n) for n in box)
    with pytest.raises(
        ValueError, match=rf"im: box 1, \({named}\), {what}; .* inside 3x4 \(height"
    ):
        boxes.check_boxes(np.array([(0, 0, 1, 1), box]), (3, 4), "im")


def test_what_is_no_list_of_boxes():
    with pytest.raises(ValueError, match=r"im: boxes of shape \(4,\); expected \[M, 4"):
        boxes.check_boxes(np.zeros(4, np.int32), (3, 4), "im")
    with pytest.raises(TypeError, match="im: boxes are float64; expected integers"):
        boxes.check_boxes(np.zeros((1, 4)), (3, 4), "im")
