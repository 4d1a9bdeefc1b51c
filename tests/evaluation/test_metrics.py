import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from fcn_jax.evaluation import metrics


@pytest.mark.parametrize(
    ("confusion", "expected"),
    [
        # Class 2 absent and never predicted: left out of the means.
        (
            [[50, 10, 0], [5, 35, 0], [0, 0, 0]],
            (0.85, 0.854167, 0.734615, 0.741538),
        ),
        # Absent but predicted: an IU of 0 that counts.
        (
            [[50, 8, 2], [5, 35, 0], [0, 0, 0]],
            (0.85, 0.854167, 0.499466, 0.753205),
        ),
    ],
)
def test_check_values(confusion, expected):
    found = metrics.scores(np.array(confusion))
    names = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")
    assert tuple(round(found[name], 6) for name in names) == expected
    assert found["accuracy"]["2"] is None
    assert found["iu"]["2"] == (None if confusion[0][2] == 0 else 0.0)


def test_counts_by_hand():
    labels = jnp.array([[[0, 1, 1, 255, 2]]])
    pred = jnp.array([[[0, 0, 1, 1, 2]]])
    counts = metrics.confusion_matrix(labels, pred, 3)
    np.testing.assert_array_equal(counts, [[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    assert counts.dtype == jnp.int32


def test_an_ignore_label_among_the_classes_does_not_count():
    labels, pred = jnp.array([[0, 1]]), jnp.array([[0, 1]])
    counts = metrics.confusion_matrix(labels, pred, 2, ignore_label=0)
    np.testing.assert_array_equal(counts, [[0, 0], [0, 1]])


def test_counts_do_not_depend_on_how_images_are_batched():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, (7, 30, 20))
    labels[labels == 5] = 255
    pred = rng.integers(0, 5, (7, 30, 20))
    expected = np.zeros((5, 5), int)
    np.add.at(expected, (labels[labels != 255], pred[labels != 255]), 1)
    for batches in ([range(7)], [[3], [1, 0], [6, 2, 5, 4]]):
        total = metrics.Confusion.zero(5)
        for rows in batches:
            rows = list(rows)
            counts = metrics.confusion_matrix(
                jnp.asarray(labels[rows]), jnp.asarray(pred[rows]), 5
            )
            total = total.add(counts)
        np.testing.assert_array_equal(total.to_int64(), expected)


def test_what_is_no_class_does_not_count():
    labels = jnp.array([0, 0, 0, 2, -1, 7, 1])
    pred = jnp.array([0, 3, -1, 0, 0, 0, 1])
    for count in (
        metrics.confusion_matrix,
        metrics._count_one_by_one,
        metrics._count_by_product,
    ):
        np.testing.assert_array_equal(
            count(labels, pred, num_classes=2), [[1, 0], [0, 1]]
        )


@pytest.mark.parametrize("num_classes", (2, 11, 60))
def test_both_ways_of_counting_agree(num_classes, key, monkeypatch):
    monkeypatch.setattr(metrics, "_BLOCK", 64)  # Several, and a part of one.
    labels = jax.random.randint(key, (300,), -1, num_classes)
    pred = jnp.flip(labels) % num_classes
    np.testing.assert_array_equal(
        metrics._count_one_by_one(labels, pred, num_classes),
        metrics._count_by_product(labels, pred, num_classes),
    )


def test_counting_scatters_on_cpu_only():
    shape = jax.ShapeDtypeStruct((1, 8, 8), jnp.uint8)
    count = jax.jit(lambda a, b: metrics.confusion_matrix(a, b, 3))
    for platform, scatters in (("cpu", True), ("cuda", False), ("tpu", False)):
        text = export.export(count, platforms=[platform])(shape, shape).mlir_module()
        assert ("stablehlo.scatter" in text) == scatters
        assert ("stablehlo.dot_general" in text) != scatters


def test_a_full_block_of_products_is_exact():
    labels = jnp.zeros(metrics._BLOCK + 3, jnp.int32)
    counts = jax.jit(metrics._count_by_product, static_argnums=2)(labels, labels, 2)
    assert int(counts[0, 0]) == metrics._BLOCK + 3
    assert metrics._BLOCK <= 2**24


def test_more_pixels_than_float32_counts():
    labels = jnp.zeros((5, 2048, 2048), jnp.uint8)  # 2**24 + 2**22 of one class.
    counts = jax.jit(lambda x: metrics.confusion_matrix(x, x, 2))(labels)
    np.testing.assert_array_equal(counts, [[5 * 2**22, 0], [0, 0]])


def test_sums_carry_beyond_32_bits():
    counts = jnp.full((1, 1), 2**31 - 1, jnp.int32)
    total = metrics.Confusion.zero(1)
    for _ in range(5):
        total = total.add(counts)
    assert total.to_int64()[0, 0] == 5 * (2**31 - 1)


@pytest.mark.parametrize("before", (2**32 - 1, 2**32 - 2, 2**32, 2**33 - 1, 7))
@pytest.mark.parametrize("more", (0, 1, 2, 2**31 - 1))
def test_the_carry_is_exact(before, more):
    start = metrics.Confusion(
        high=jnp.full((1, 1), before >> 32, jnp.uint32),
        low=jnp.full((1, 1), before % 2**32, jnp.uint32),
    )
    total = start.add(jnp.full((1, 1), more, jnp.int32)).to_int64()
    assert total.dtype == np.int64
    assert total[0, 0] == before + more


def test_scores_of_more_pixels_than_32_bits_hold():
    confusion = 10**12 * np.array([[50, 10], [5, 35]])
    found = metrics.scores(confusion)
    assert found["num_pixels"] == 10**14
    assert found["mean_iu"] == pytest.approx((50 / 65 + 35 / 50) / 2)


def test_nothing_counted():
    found = metrics.scores(np.zeros((2, 2), np.int64), ("a", "b"))
    assert found["mean_iu"] is None
    assert found["pixel_accuracy"] is None
    assert found["frequency_weighted_iu"] is None
    assert json.loads(json.dumps(found))["iu"] == {"a": None, "b": None}
    assert "-" in metrics.format_table(found)


def test_the_table_names_classes_and_metrics():
    found = metrics.scores(
        np.array([[3, 1], [0, 4]]), ("disc", "a very long class name")
    )
    lines = metrics.format_table(found).splitlines()
    assert lines[1].split() == ["disc", "75.00", "75.00", "4"]
    assert lines[-2].split() == ["mean", "IU", "77.50"]


def test_errors():
    with pytest.raises(
        ValueError, match=r"labels \(2,\) and predictions \(3,\) differ"
    ):
        metrics.confusion_matrix(jnp.zeros(2, int), jnp.zeros(3, int), 2)
    with pytest.raises(TypeError, match="predictions are float32; expected integers"):
        metrics.confusion_matrix(jnp.zeros(2, int), jnp.zeros(2), 2)
    with pytest.raises(ValueError, match=r"shape \(2, 3\); expected \[C, C\]"):
        metrics.scores(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="1 class names for .* 2 classes"):
        metrics.scores(np.zeros((2, 2)), ("a",))


def test_classes_that_are_never_predicted():
    counts = np.array([[3, 1, 0], [2, 0, 0], [0, 0, 0]])
    found = metrics.scores(counts, ("road", "car", "sign"))
    assert metrics.never_predicted(found) == ""
    counts[0, 1] = 0
    found = metrics.scores(counts, ("road", "car", "sign"))
    assert metrics.never_predicted(found) == "\nnever predicted: car"
    of_heads = metrics.never_predicted({"heads": {"a": found, "b": found}})
    assert of_heads == "\nnever predicted of a: car\nnever predicted of b: car"


CLASSES = ("sky", "sea", "moon")


def test_a_class_that_may_be_absent_stays_out_of_the_means():
    """SIFT Flow's rule: no true pixel, so no part of the mean, though predicted."""
    counts = np.array([[6, 0, 2], [0, 4, 0], [0, 0, 0]])
    plain = metrics.scores(counts, CLASSES)
    assert plain["mean_iu"] == pytest.approx((6 / 8 + 1 + 0) / 3)
    assert "left_out" not in plain
    found = metrics.scores(counts, CLASSES, ("moon",))
    assert found["left_out"] == ["moon"]
    assert found["iu"] == {"sky": 0.75, "sea": 1.0, "moon": None}
    assert found["mean_iu"] == pytest.approx((6 / 8 + 1) / 2)
    # What is called moon is wrong for the sky, as it was.
    for name in ("pixel_accuracy", "mean_accuracy", "frequency_weighted_iu"):
        assert found[name] == plain[name]
    assert metrics.format_table(found).splitlines()[-1] == (
        "left out of the means, as no pixel is theirs: moon"
    )


def test_one_that_may_be_absent_and_is_there_counts():
    counts = np.array([[6, 0, 2], [0, 4, 0], [1, 0, 1]])
    found = metrics.scores(counts, CLASSES, ("moon",))
    assert found == metrics.scores(counts, CLASSES)
    assert found["iu"]["moon"] == pytest.approx(1 / 4)


def test_absent_classes_by_head():
    counts = {"sem": np.array([[1, 1, 0], [0, 2, 0], [0, 0, 0]]), "geo": np.eye(2)}
    names = {"sem": CLASSES, "geo": ("flat", "upright")}
    found = metrics.scores_of_heads(counts, names, {"sem": ("moon",)})
    assert found["heads"]["sem"]["left_out"] == ["moon"]
    assert "left_out" not in found["heads"]["geo"]
    assert "moon" in metrics.format_table(found)
    by_head = metrics.headlines_by_head(found)
    assert list(by_head) == ["sem", "geo"]
    assert by_head["geo"]["mean_iu"] == 1
    assert metrics.headlines_by_head(found["heads"]["sem"]) == {}
