"""Shapes as pixels, by hand, by the rule of `shape_to_mask` of labelme 7.1.0."""

import numpy as np
import pytest

from fcn_jax.data.imports import drawing

SIZE = (6, 8)


def rows(kind, points):
    found = drawing.draw(SIZE, kind, points, "shape")
    assert (found.dtype, found.shape) == (bool, SIZE)
    return ["".join(".#"[int(x)] for x in row) for row in found]


EMPTY, FULL = "........", "########"


def test_an_outline_covers_the_pixels_that_it_runs_through():
    """A square from 1 to 4 is four pixels wide."""
    expected = [EMPTY, *[".####..."] * 4, EMPTY]
    assert rows("polygon", [(1, 1), (4, 1), (4, 4), (1, 4)]) == expected
    assert rows("rectangle", [(4, 4), (1, 1)]) == expected
    oriented = [(1, 1), (1, 4), (4, 4), (4, 1)]
    assert rows("oriented_rectangle", oriented) == expected


def test_what_lies_beyond_the_image_is_cut_off():
    assert rows("polygon", [(-9, -9), (30, -9), (30, 30), (-9, 30)]) == [FULL] * 6
    assert rows("polygon", [(20, 20), (30, 20), (30, 30)]) == [EMPTY] * 6


def test_a_circle_has_a_centre_and_a_point_on_it():
    found = rows("circle", [(3, 3), (3, 1)])
    assert found[1] == "..###..."
    assert found[3] == ".#####.."
    assert found[0] == EMPTY


def test_points_and_lines_have_a_width():
    assert drawing.draw((30, 30), "point", [(15, 15)], "").sum() == 97
    line = drawing.draw((30, 30), "line", [(5, 15), (25, 15)], "")
    assert line.any(axis=1).sum() == 10
    strip = drawing.draw((30, 30), "linestrip", [(5, 15), (15, 15), (25, 15)], "")
    np.testing.assert_array_equal(strip.any(axis=1), line.any(axis=1))


@pytest.mark.parametrize(
    ("kind", "points", "message"),
    [
        ("cube", 3, "shape 1: a shape of type 'cube'; known are circle"),
        ("polygon", 2, "shape 1: a polygon with 2 points; it has 3 or more"),
        ("circle", 3, "shape 1: a circle with 3 points; it has 2. Draw it anew"),
        ("point", 0, "a point with 0 points; it has 1"),
        ("linestrip", 1, "a linestrip with 1 points; it has 2 or more"),
    ],
)
def test_shapes_that_cannot_be_drawn(kind, points, message):
    with pytest.raises(ValueError, match=message):
        drawing.draw(SIZE, kind, [(1, 1), (2, 3), (4, 2)][:points], "shape 1")
