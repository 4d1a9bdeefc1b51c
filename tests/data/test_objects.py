"""The objects of masks, by hand, on tiny images."""

import numpy as np
import pytest

from fcn_jax.data import objects
from fcn_jax.data.crops import ObjectCrops
from tests.support.object_sources import (
    LABELS,
    PLAIN,
    Source,
    item,
    pets,
)


def test_objects_of_a_mask():
    found = objects.find_objects(pets(), Source.classes, "im", min_area=1)
    np.testing.assert_array_equal(
        found, [[1, 1, 1, 1, 3, 3], [2, 1, 1, 3, 3, 5], [7, 2, 4, 1, 5, 4]]
    )
    assert found.dtype == np.int32


def test_objects_without_a_mask_are_connected_parts():
    """The cats touch and are one; corners connect; class by class."""
    labels = [[2, 0, 0, 1, 1], [0, 2, 0, 0, 1], [255, 0, 0, 0, 0], [1, 0, 0, 2, 0]]
    found = objects.find_objects(item(labels), Source.classes, "im", min_area=1)
    np.testing.assert_array_equal(
        found,
        [
            [1, 1, 0, 3, 2, 5],
            [2, 1, 3, 0, 4, 1],
            [3, 2, 0, 0, 2, 2],
            [4, 2, 3, 3, 4, 4],
        ],
    )
    found = objects.find_objects(item(LABELS), Source.classes, "im", min_area=1)
    np.testing.assert_array_equal(found, [[1, 1, 1, 1, 3, 5], [2, 2, 4, 1, 5, 4]])


def test_small_objects_are_passed_over():
    found = objects.find_objects(pets(), Source.classes, "im", min_area=4)
    assert found[:, 0].tolist() == [1, 2]
    empty = objects.find_objects(item([[0, 255]]), Source.classes, "im")
    assert empty.shape == (0, 6)


def test_an_object_that_is_void_is_none():
    found = objects.find_objects(
        item([[255, 255, 1]], [[3, 3, 1]]), Source.classes, "im", min_area=1
    )
    assert found[:, 0].tolist() == [1]


def test_more_than_255_parts():
    labels = np.zeros((1, 600), np.uint8)
    labels[0, ::2] = 1
    found = objects.find_objects(
        {"image": np.zeros((1, 600, 3), np.uint8), "labels": labels},
        Source.classes,
        "im",
        min_area=1,
    )
    assert (len(found), found[-1].tolist()) == (300, [300, 1, 0, 598, 1, 599])


@pytest.mark.parametrize(
    ("labels", "shares"),
    [
        ([[1, 1, 1, 2, 255]], "75% cat, 25% dog"),
        ([[0, 0, 1, 255, 255]], "67% background, 33% cat"),
        ([[0, 0, 0, 0, 0]], "100% background"),
    ],
)
def test_an_object_that_contradicts_the_classes_is_named(labels, shares):
    wrong = Source(pets(), item(labels, [[4] * 5], "im9"))
    with pytest.raises(
        ValueError,
        match=f"tiny train: im9: object 4 is {shares} in the class mask; an object is "
        "of one class other than background .*tolerance=0.1",
    ):
        ObjectCrops(wrong, min_area=1)


def test_a_few_pixels_may_contradict():
    labels, thing = [[1] * 19 + [2]], [[1] * 20]
    crops = ObjectCrops(Source(item(labels, thing)), **PLAIN, size=20)
    # What is not the object's class is background, whatever the object mask says.
    np.testing.assert_array_equal(
        np.unique(crops[0]["labels"]), np.array([0, 1], np.uint8)
    )
    with pytest.raises(ValueError, match="object 1 is 95% cat, 5% dog"):
        ObjectCrops(Source(item(labels, thing)), **PLAIN, tolerance=0.04)


def test_masks_of_other_sizes_and_labels_are_refused():
    odd = {**pets(), "objects": np.zeros((5, 7), np.uint8)}
    with pytest.raises(
        ValueError, match="im0, object mask: the image is 5x6 and its m"
    ):
        ObjectCrops(Source(odd))
    odd = {**item(LABELS), "image": np.zeros((5, 7, 3), np.uint8)}
    with pytest.raises(ValueError, match="im0: the image is 5x7 and its mask 5x6"):
        ObjectCrops(Source(odd))
    with pytest.raises(ValueError, match="im0: label 3 at row 0, column 1"):
        ObjectCrops(Source(item([[0, 3]])))
