"""The scores of each image, by hand and beside those of all."""

import csv
import dataclasses
import io

import numpy as np
import pytest

from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.evaluation import metrics
from fcn_jax.evaluation.image_scores import ImageScores

VOID = 255


def head(name="", *classes, ignore_label=VOID):
    return Head(name, classes or ("a", "b", "c"), VOC.palette, ignore_label)


def batch(labels, sizes, names, valid=None):
    return {
        "labels": np.asarray(labels, np.uint8),
        "sizes": np.asarray(sizes, np.int32),
        "id": list(names),
        "example_valid": np.array(valid or [True] * len(names)),
    }


def rows(scores):
    return list(csv.DictReader(io.StringIO(scores.table())))


def test_each_image_by_hand():
    scores = ImageScores([head()])
    labels = [[[0, 0, 1], [VOID, 1, 9]], [[2, 2, 2], [2, 2, 2]]]
    pred = np.array([[[0, 1, 1], [2, 1, 9]], [[2, 2, 2], [0, 0, 0]]], np.uint8)
    scores(batch(labels, [(2, 2), (2, 3)], ["x", "y"]), pred)  # x ends at column 2.
    by_name = {row["id"]: row for row in rows(scores)}
    assert by_name["x"] == {
        "id": "x",
        "mean_iu": "0.500000",  # a: 1 of 2, b: 1 of 2.
        "pixel_accuracy": "0.666667",
        "num_pixels": "3",
        "a": "0.500000",
        "b": "0.500000",
        "c": "",
    }
    assert by_name["y"]["mean_iu"] == "0.250000"  # a: 0, as it was predicted; c: 1/2.
    assert [row["id"] for row in rows(scores)] == ["y", "x"]  # The worst first.


def test_rows_that_fill_a_batch_up_do_not_count():
    scores = ImageScores([head()])
    pred = np.zeros((2, 1, 1), np.uint8)
    scores(batch(np.zeros((2, 1, 1)), [(1, 1)] * 2, ["x", ""], [True, False]), pred)
    assert list(scores.found) == ["x"]


def test_classes_that_may_be_absent_stay_out_as_of_all_images():
    absent = dataclasses.replace(head(), may_be_absent=("c",))
    labels, pred = np.zeros((1, 1, 2)), np.array([[[0, 2]]], np.uint8)
    for heads, given in (
        ([absent], (labels, pred)),
        ([dataclasses.replace(absent, name="x")], ({"x": labels}, {"x": pred})),
    ):
        scores = ImageScores(heads)
        scores({**batch(labels, [(1, 2)], ["i"]), "labels": given[0]}, given[1])
        assert scores.found["i"]["mean_iu"] == 0.5  # Of a alone.


def test_an_image_that_is_void_comes_last():
    scores = ImageScores([head()])
    labels = np.array([[[VOID]], [[0]]])
    scores(batch(labels, [(1, 1)] * 2, ["x", "y"]), np.zeros((2, 1, 1), np.uint8))
    assert [(r["id"], r["mean_iu"]) for r in rows(scores)] == [
        ("y", "1.000000"),
        ("x", ""),
    ]


def test_together_they_are_the_scores_of_all():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (4, 5, 6), np.uint8)
    pred = rng.integers(0, 3, (4, 5, 6), np.uint8)
    scores = ImageScores([head()])
    scores(batch(labels, [(5, 6)] * 4, "wxyz"), pred)
    total = np.sum([found["confusion"] for found in scores.found.values()], axis=0)
    expected = np.zeros((3, 3), np.int64)
    np.add.at(expected, (labels, pred), 1)
    np.testing.assert_array_equal(total, expected)
    assert metrics.scores(total)["num_pixels"] == labels.size


def test_several_heads_one_with_another_void():
    heads = [head("geo"), head("sem", "p", "q", ignore_label=0)]
    scores = ImageScores(heads)
    given = batch(np.zeros((1, 1, 2)), [(1, 2)], ["x"])
    given["labels"] = {
        "geo": np.array([[[0, 1]]], np.uint8),
        "sem": np.array([[[0, 1]]], np.uint8),
    }
    pred = {"geo": np.array([[[0, 1]]]), "sem": np.array([[[1, 1]]])}
    scores(given, pred)
    (row,) = rows(scores)
    assert (row["geo/a"], row["geo/c"], row["sem/q"]) == ("1.000000", "", "1.000000")
    assert row["num_pixels"] == "3"


@pytest.mark.parametrize("heads", ([head()],))
def test_no_image_is_a_table_without_lines(heads):
    assert rows(ImageScores(heads)) == []
