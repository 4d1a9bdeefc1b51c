"""IU by object size, by hand."""

import types

import numpy as np
import pytest

from fcn_jax.evaluation import object_sizes


def count(labels, objects, pred, num_classes=3):
    counter = object_sizes.ObjectSizeIU(num_classes)
    counter.add(np.asarray(labels), np.asarray(objects), np.asarray(pred))
    return counter


def square(side=20):
    """A background of 20x20; an object is drawn by assigning to a slice."""
    return np.zeros((side, side), np.int64)


def test_sizes_are_shares_of_the_image():
    labels, objects = square(), square()
    labels[:2, :2], objects[:2, :2] = 1, 1  # 1 % of the image.
    labels[5:10, 5:10], objects[5:10, 5:10] = 1, 2  # 6 %.
    labels[12:, 8:], objects[12:, 8:] = 2, 3  # 24 %.
    found = count(labels, objects, labels).scores()
    assert {size: s["objects"] for size, s in found.items()} == dict.fromkeys(
        object_sizes.SIZES, 1
    )
    assert all(s["mean_iu"] == 1 for s in found.values())


def test_errors_far_from_an_object_are_not_its_own():
    labels, objects, pred = square(), square(), square()
    labels[5:15, 5:15], objects[5:15, 5:15] = 1, 1
    pred[5:15, 5:10] = 1  # Half of it, and a corner far away.
    pred[0:2, 0:2] = 1
    assert count(labels, objects, pred).scores()["large"]["mean_iu"] == 0.5


def test_false_positives_near_an_object_are():
    labels, objects, pred = square(), square(), square()
    labels[5:15, 5:15], objects[5:15, 5:15] = 1, 1
    pred[4:16, 4:16] = 1  # A pixel too many on every side: the box extended by 1.2.
    found = count(labels, objects, pred).scores()["large"]["mean_iu"]
    assert found == pytest.approx(100 / 144)


@pytest.mark.parametrize("void", (255, -1))
def test_neighbours_of_the_class_and_void_count_nowhere(void):
    labels, objects = square(), square()
    labels[5:15, 2:10], objects[5:15, 2:10] = 1, 1
    labels[5:15, 10:18], objects[5:15, 10:18] = 1, 2
    labels[4], labels[15], labels[5, 5] = void, void, void
    pred = np.ones_like(labels)
    pred[:, 0], pred[:, 1], pred[:, 18], pred[:, 19] = 0, 0, 0, 0
    assert count(labels, objects, pred).scores()["large"]["mean_iu"] == 1


def test_classes_are_averaged_not_objects():
    labels, objects, pred = square(40), square(40), square(40)
    for number, (row, cls, hit) in enumerate(((0, 1, 1), (12, 1, 1), (24, 2, 0)), 1):
        where = slice(row, row + 8), slice(0, 8)  # 4 % of the image.
        labels[where], objects[where], pred[where] = cls, number, cls * hit
    found = count(labels, objects, pred).scores()["medium"]
    assert found == {"mean_iu": 0.5, "objects": 3}


def test_nothing_of_a_size():
    found = count(square(), square(), square()).scores()
    assert found["small"] == {"mean_iu": None, "objects": 0}


def test_an_object_that_is_all_void_is_left_out():
    labels, objects = square(), square()
    labels[2:6, 2:6], objects[2:6, 2:6] = 255, 1
    assert count(labels, objects, labels).scores()["medium"]["objects"] == 0


def test_void_below_the_classes_is_no_background():
    labels = np.zeros((20, 20), np.uint8)  # Void.
    labels[5:15, 5:15] = 1
    item = {"labels": labels, "objects": labels}
    source = types.SimpleNamespace(classes=("void", "object"), ignore_label=0)
    counted = object_sizes.ObjectSizes(source)
    counted.source = [item]
    batch = {"example_valid": np.array([True]), "index": np.array([0])}
    counted(batch, np.ones((1, 20, 20), np.uint8))
    assert counted.counter.scores()["large"]["mean_iu"] == 1


@pytest.mark.parametrize("bounds", ((0.1, 0.02), (0.0, 0.1), (0.1, 1.0)))
def test_bounds_that_are_no_shares(bounds):
    with pytest.raises(ValueError, match=r"bounds .* no increasing shares .*0\.02"):
        object_sizes.ObjectSizeIU(3, bounds)
