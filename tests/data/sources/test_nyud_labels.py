"""The table from 894 names to 40 classes, by what is known of classMapping40.mat."""

import hashlib

import numpy as np
import pytest

from fcn_jax.data.label_sets import NYUD
from fcn_jax.data.sources import nyud_labels


def test_the_table_is_that_of_the_published_file():
    table = nyud_labels.table()
    counts = np.bincount(table[1:], minlength=41)
    np.testing.assert_array_equal(counts, [0] + [1] * 37 + [68, 82, 707])
    digest = hashlib.md5(table[1:].tobytes()).hexdigest()
    assert digest == "79512fc7ef1224ff4507d0b98b4b0eb5"
    assert table[0] == 0


@pytest.mark.parametrize(
    ("number", "name"),
    ((21, "wall"), (11, "floor"), (5, "chair"), (85, "books"), (4, "ceiling")),
)
def test_names_that_are_classes(number, name):
    assert NYUD.classes[nyud_labels.table()[number] - 1] == name


def test_classes_as_labels():
    found = nyud_labels.to_labels(np.array([[0, 1, 40]]), "x")
    np.testing.assert_array_equal(found, [[255, 0, 39]])
    assert found.dtype == np.uint8
    with pytest.raises(ValueError, match="x holds class 41 at row 0, column 1 .1 such"):
        nyud_labels.to_labels(np.array([[0, 41]]), "x")
    with pytest.raises(ValueError, match="x holds class -1 .* expected 1 to 40, or 0 "):
        nyud_labels.to_labels(np.array([[-1]]), "x")
