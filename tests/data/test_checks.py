"""What is wrong with labels is said before they reach the device."""

import numpy as np
import pytest

from fcn_jax.data import checks


def test_classes_and_void_pass():
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    checks.check_labels(labels, 3, 255, "here")
    checks.check_labels(np.array([[0, 9]], np.uint8), 1, 9, "here")  # Another void.


def test_all_255_classes_pass():
    checks.check_labels(np.arange(256, dtype=np.uint8).reshape(16, 16), 255, 255, "x")


def test_the_first_wrong_label_is_named():
    labels = np.array([[0, 1, 2], [255, 3, 4]], np.uint8)
    with pytest.raises(
        ValueError, match="here: label 3 at row 1, column 1 .2 such pixels.; with 3 cla"
    ) as caught:
        checks.check_labels(labels, 3, 255, "here")
    assert "labels are 0 to 2, or 255 for void" in str(caught.value)
    assert "name all classes that they hold" in str(caught.value)


@pytest.mark.parametrize("dtype", (np.int32, np.int8, np.float32, bool))
def test_labels_are_uint8(dtype):
    name = np.dtype(dtype).name
    with pytest.raises(TypeError, match=f"here: labels are {name}; expected uint8"):
        checks.check_labels(np.zeros((2, 2), dtype), 3, 255, "here")


def test_a_pair_is_of_one_size():
    image = np.zeros((4, 5, 3), np.uint8)
    checks.check_pair(image, np.zeros((4, 5), np.uint8), "here")
    with pytest.raises(
        ValueError, match="here: the image is 4x5 and its mask 5x4 .* nearest neighbour"
    ):
        checks.check_pair(image, np.zeros((5, 4), np.uint8), "here")


class Source:
    name = "many"

    def __init__(self, count):
        self.classes = tuple(f"c{number}" for number in range(count))


def test_the_number_of_classes_must_agree():
    checks.check_num_classes(Source(6), 6)
    with pytest.raises(
        ValueError, match="num_classes=21, but many has 6 classes .c0, .*, c5.; set"
    ):
        checks.check_num_classes(Source(6), 21)
    with pytest.raises(ValueError, match="c5, .*num_classes=7") as caught:
        checks.check_num_classes(Source(7), 21)
    assert "(c0, c1, c2, c3, c4, c5, ...)" in str(caught.value)


@pytest.mark.parametrize("values", ([0, 255], [255, 0, 255]))
def test_binary_masks_stored_as_void(values):
    masks = [np.array([[value]], np.uint8) for value in values]
    with pytest.raises(
        ValueError,
        match="here: the masks hold only 0 and 255.*mask_values=.*foreground as 1",
    ):
        checks.check_not_binary_as_void(masks, "here")


def test_masks_that_are_void_throughout():
    masks = [np.full((2, 2), 255, np.uint8)] * 2
    with pytest.raises(
        ValueError, match="here: every pixel of every mask is void .255.*from 0 on"
    ):
        checks.check_not_binary_as_void(masks, "here")


@pytest.mark.parametrize(
    ("values", "held"), (([0, 255], "class 0 and void"), ([255], "void"))
)
def test_masks_of_which_options_leave_nothing(values, held):
    """Advice to set what is set already would lead in a circle."""
    masks = [np.array([[value]], np.uint8) for value in values]
    message = f"here: by THIS the masks hold nothing but {held}, .* correct THIS, or le"
    with pytest.raises(ValueError, match=message):
        checks.check_not_binary_as_void(masks, "here", "THIS")


def test_masks_are_read_up_to_the_first_that_tells():
    def masks():
        yield np.array([[0, 255]], np.uint8)
        yield np.array([[0, 7]], np.uint8)
        raise AssertionError("read on")

    checks.check_not_binary_as_void(masks(), "here")


@pytest.mark.parametrize("values", ([0, 1, 255], [0, 1], [0, 0], [1, 255], []))
def test_masks_with_a_foreground_or_no_void_pass(values):
    masks = [np.array([[value]], np.uint8) for value in values]
    checks.check_not_binary_as_void(masks, "here")
