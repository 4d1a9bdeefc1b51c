"""What other libraries print, by hand from small matrices."""

import numpy as np
import pytest

from fcn_jax.evaluation import conventions, metrics

# a: 2 of 4; b: 1 of 3, called a or c too; c is predicted only, d is nowhere.
FIRST = np.array([[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
SECOND = np.array([[4, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
# Together: a 6 of 8, b 1 of 5, c 0 of 2.
IU = (6 / 8, 1 / 5, 0 / 2)


def numbers(*confusions, ignore_label=255):
    sums = conventions.ImageSums()
    for each in confusions:
        sums.add(each)
    total = np.sum(confusions, axis=0)
    found = conventions.printed(total, sums, ignore_label)
    return {(each.library.split()[0], each.call): each.value for each in found}


BY_HAND = {
    ("torchmetrics", 'JaccardIndex("multiclass", average="macro")'): np.mean(IU),
    ("torchmetrics", 'JaccardIndex("multiclass", average="micro")'): 7 / 15,
    ("torchmetrics", 'JaccardIndex("multiclass", average="weighted")'): (
        (7 * IU[0] + 4 * IU[1]) / 11
    ),
    # First image a 2/4, b 1/3; second a 4/4, b 0/2, c 0/2: five pairs.
    ("torchmetrics", 'segmentation.MeanIoU(input_format="index")'): (
        (1 / 2 + 1 / 3 + 1) / 5
    ),
    ("segmentation_models_pytorch", 'iou_score(reduction="micro")'): 7 / 15,
    ("segmentation_models_pytorch", 'iou_score(reduction="macro")'): (sum(IU) + 1) / 4,
    ("segmentation_models_pytorch", 'iou_score(reduction="micro-imagewise")'): (
        (3 / 7 + 4 / 8) / 2
    ),
    ("segmentation_models_pytorch", 'iou_score(reduction="macro-imagewise")'): (
        ((1 / 2 + 1 / 3 + 1 + 1) / 4 + (1 + 0 + 0 + 1) / 4) / 2
    ),
    ("Hugging", 'mean_iou["mean_iou"]'): np.mean(IU),
    ("Hugging", 'mean_iou["mean_accuracy"]'): (6 / 7 + 1 / 4) / 2,
    ("Hugging", 'mean_iou["overall_accuracy"]'): 7 / 11,
    ("scikit-learn", 'jaccard_score(average="macro")'): np.mean(IU),
    ("scikit-learn", 'jaccard_score(average="macro", labels=range(C))'): sum(IU) / 4,
    ("scikit-learn", 'jaccard_score(average="micro")'): 7 / 15,
    ("scikit-learn", 'jaccard_score(average="weighted")'): (
        (7 * IU[0] + 4 * IU[1]) / 11
    ),
    ("Keras", "MeanIoU(ignore_class=...)"): np.mean(IU),
    ("ultralytics", "metrics/mIoU"): (IU[0] + IU[1]) / 2,
    ("ultralytics", "metrics/pixel_acc"): 7 / 11,
}


@pytest.mark.parametrize("void", (255, -1))
def test_all_libraries_by_hand(void):
    found = numbers(FIRST, SECOND, ignore_label=void)
    assert found.keys() == BY_HAND.keys()
    for name, value in BY_HAND.items():
        assert found[name] == pytest.approx(value, abs=1e-7), name


def test_they_are_beside_our_own():
    ours = metrics.scores(FIRST + SECOND)
    assert ours["mean_iu"] == pytest.approx(np.mean(IU))
    found = numbers(FIRST, SECOND)
    weighted = found["scikit-learn", 'jaccard_score(average="weighted")']
    assert weighted == pytest.approx(ours["frequency_weighted_iu"])
    assert found["ultralytics", "metrics/pixel_acc"] == ours["pixel_accuracy"]


def test_keras_adds_a_little_to_the_denominators():
    found = numbers(np.array([[1, 0], [0, 1]]))["Keras", "MeanIoU(ignore_class=...)"]
    assert 1 - 3e-7 < found < 1 - 1e-7


def test_an_image_without_a_pixel_that_counts_is_a_1_to_smp():
    found = numbers(FIRST, np.zeros((4, 4), np.int64))
    smp = "segmentation_models_pytorch"
    micro = found[smp, 'iou_score(reduction="micro-imagewise")']
    assert micro == pytest.approx((3 / 7 + 1) / 2)
    macro = found[smp, 'iou_score(reduction="macro-imagewise")']
    assert macro == pytest.approx(((1 / 2 + 1 / 3 + 2) / 4 + 1) / 2)


def test_a_void_label_below_the_classes():
    """Void is 0: no truth is it, but pixels may be called so."""
    confusion = np.array([[0, 0, 0], [1, 3, 0], [0, 0, 2]])
    found = numbers(confusion, ignore_label=0)
    jaccard = 'JaccardIndex("multiclass", average="{}")'
    assert found["torchmetrics", jaccard.format("macro")] == (3 / 4 + 1) / 2
    assert found["torchmetrics", jaccard.format("micro")] == 5 / 6
    assert found["Hugging", 'mean_iou["mean_iou"]'] == pytest.approx((3 / 4 + 1) / 3)
    for library, value in found.items():
        if library[0] in ("segmentation_models_pytorch", "ultralytics"):
            assert value is None


def test_nothing_counted_is_no_number():
    found = numbers(np.zeros((2, 2), np.int64))
    smp = {k: v for k, v in found.items() if k[0] == "segmentation_models_pytorch"}
    assert smp.pop(("segmentation_models_pytorch", 'iou_score(reduction="micro")')) is (
        None
    )
    assert set(smp.values()) == {1.0}  # Absent is a 1.
    others = [value for key, value in found.items() if key[0][:4] not in ("segm",)]
    assert set(others) <= {None, 0.0}


def test_every_number_says_why():
    sums = conventions.ImageSums()
    sums.add(FIRST)
    for ignore_label in (0, 255):
        assert all(x.why for x in conventions.printed(FIRST, sums, ignore_label))
