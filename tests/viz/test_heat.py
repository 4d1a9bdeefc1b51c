"""Maps of cells over images."""

import numpy as np

from fcn_jax.viz import heat


def test_values_are_spread_between_the_centres():
    """By hand: centres at 2 and 6, halfway at 4, constant beyond them."""
    values = np.array([[0.0, 4.0], [8.0, 4.0]])
    found = heat.spread(values, (9, 8), stride=4, first=2)
    assert found.shape == (9, 8)
    np.testing.assert_allclose(found[2], [0, 0, 0, 1, 2, 3, 4, 4])
    np.testing.assert_allclose(found[:, 2], [0, 0, 0, 2, 4, 6, 8, 8, 8])
    assert found[0, 7] == found[8, 7] == 4


def test_one_cell_is_everywhere():
    np.testing.assert_array_equal(
        heat.spread(np.array([[3.0]]), (2, 2), 32, 111.5), np.full((2, 2), 3.0)
    )


def test_colours_go_from_dark_to_bright():
    found = heat.colours(np.array([-1, 0, 0.5, 1, 2])).astype(int)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[3], found[4])
    np.testing.assert_array_equal(found[2], [210, 50, 60])
    brightness = heat.colours(np.linspace(0, 1, 20)).astype(int) @ [299, 587, 114]
    assert (np.diff(brightness) > 0).all()


def test_the_picture_shows_the_image_and_the_map_beside_it():
    image = np.full((60, 240, 3), 100, np.uint8)
    values = np.array([[0.0, 1.0]])
    picture = heat.draw_heat(image, values, 120, 60, "class 3")
    assert (picture.shape[1], picture.dtype) == (2 * 240 + 18, np.uint8)
    np.testing.assert_array_equal(picture[22:82, 6:246], image)
    over = picture[22:82, 252:492].astype(int)
    low, high = heat.colours(np.array([0.0, 1.0]))
    for column, colour in ((0, low), (239, high)):
        expected = np.round(0.35 * 100 + 0.65 * colour.astype(float))
        np.testing.assert_array_equal(over[30, column], expected)


def test_a_map_of_zeros():
    """Nothing is divided by zero."""
    picture = heat.draw_heat(np.zeros((8, 8, 3), np.uint8), np.zeros((1, 1)), 32, 4, "")
    assert picture.dtype == np.uint8
