"""Windows cut out and laid back, against Pillow and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from fcn_jax.ops import boxes


def pillow_crop(image, box, size):
    """Pillow fills what lies outside with black, then smooths as it resizes."""
    row0, col0, row1, col1 = box
    window = Image.fromarray(image).crop((col0, row0, col1, row1))
    return np.asarray(window.resize(size[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize(
    "box",
    (
        (0, 0, 40, 60),  # The whole image, made smaller.
        (3, 5, 12, 11),  # Made larger.
        (10, 20, 26, 36),  # As it is.
        (-6, -9, 20, 30),  # Beyond two sides.
        (30, 41, 55, 90),
        (17, 23, 18, 24),  # One pixel.
    ),
)
def test_crops_are_those_of_pillow(box):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    ours = boxes.crop_boxes(
        jnp.asarray(image, jnp.float32), jnp.array([box], jnp.int32), (16, 16)
    )
    theirs = pillow_crop(image, box, (16, 16)).astype(np.float32)
    # Pillow rounds twice, after the columns and after the rows.
    assert np.abs(ours[0] - theirs).max() <= 1.01


@pytest.mark.parametrize(
    "box", ((0, 0, 30, 20), (4, 3, 28, 17), (-5, 10, 9, 31), (7, 7, 9, 8))
)
def test_maps_laid_back_are_those_of_pillow(box):
    x = np.random.default_rng(1).normal(size=(12, 12, 2)).astype(np.float32)
    placed, inside = boxes.place_box(
        jnp.asarray(x), jnp.array(box, jnp.int32), (30, 20)
    )
    expected = np.zeros((30, 20, 2), np.float32)
    row0, col0, row1, col1 = box
    rows, columns = slice(max(row0, 0), row1), slice(max(col0, 0), col1)
    for channel in range(2):
        image = Image.fromarray(x[:, :, channel])
        size = (col1 - col0, row1 - row0)
        resized = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
        shown = expected[rows, columns].shape
        from_row, from_column = max(-row0, 0), max(-col0, 0)
        expected[rows, columns, channel] = resized[
            from_row : from_row + shown[0], from_column : from_column + shown[1]
        ]
    np.testing.assert_allclose(placed, expected, atol=1e-5)
    mask = np.zeros((30, 20, 1), bool)
    mask[rows, columns] = True
    np.testing.assert_array_equal(inside, mask)


@pytest.mark.parametrize("combine", (jnp.add, jnp.maximum))
@pytest.mark.parametrize(
    "box",
    (
        (0, 0, 30, 20),  # Larger.
        (3, 4, 15, 16),  # As it is.
        (4, 13, 28, 17),  # Higher, and narrower.
        (7, 7, 9, 8),
        (-5, 10, 9, 31),  # Beyond two sides.
        (-20, -30, 40, 50),  # Beyond all.
        (5, 6, 5, 6),  # Nothing.
    ),
)
def test_a_map_is_laid_line_by_line_as_the_products_lay_it(box, combine):
    """Whichever this device takes; the tests of the products are above."""
    canvas, x = (
        jax.random.normal(jax.random.key(seed), shape)
        for seed, shape in ((0, (30, 20, 3)), (1, (12, 12, 3)))
    )
    box = jnp.array(box, jnp.int32)
    laid, inside = boxes.lay_box(canvas, x, box, combine)
    placed, expected = boxes.place_box(x, box, (30, 20))
    np.testing.assert_array_equal(inside, expected)
    placed = jnp.where(inside, combine(canvas, placed), canvas)
    np.testing.assert_allclose(laid, placed, atol=2e-6)
    outside = ~jnp.broadcast_to(inside, canvas.shape)
    np.testing.assert_array_equal(laid[outside], canvas[outside])


def test_crop_and_place_of_one_size_give_the_image_back():
    image = jax.random.normal(jax.random.key(0), (9, 14, 3))
    box = jnp.array([(2, 3, 8, 10)], jnp.int32)
    crop = boxes.crop_boxes(image, box, (6, 7))
    placed, inside = boxes.place_box(crop[0], box[0], (9, 14))
    np.testing.assert_allclose(placed, jnp.where(inside, image, 0.0), atol=1e-6)


def test_by_hand():
    image = jnp.array([[0.0, 4.0]]).reshape(1, 2, 1)
    crop = boxes.crop_boxes(image, jnp.array([(0, 0, 1, 2)], jnp.int32), (1, 4))
    np.testing.assert_allclose(crop.reshape(-1), [0, 1, 3, 4])


def test_half_precision_finds_places_that_it_cannot_count_to():
    image = jnp.zeros((300, 2, 1), jnp.bfloat16).at[290].set(1)
    box = jnp.array([(280, 0, 296, 2)], jnp.int32)
    crop = boxes.crop_boxes(image, box, (16, 2))
    np.testing.assert_array_equal(crop[0], image[280:296])
    placed, _ = boxes.place_box(crop[0], box[0], (300, 2))
    np.testing.assert_array_equal(placed, image)
    assert crop.dtype == placed.dtype == image.dtype


def test_neither_gathers_nor_scatters_nor_loops():
    """Where products are what a device is good at."""

    def run(image, box):
        crop = boxes.crop_boxes(image, box, (8, 8))
        placed = boxes.place_box(crop[0], box[0], (9, 14))
        return placed, boxes.lay_box(image, crop[0], box[0], jnp.maximum)

    image, box = jnp.zeros((9, 14, 3)), jnp.zeros((1, 4), jnp.int32)
    lowered = jax.jit(run).trace(image, box).lower(lowering_platforms=("cuda",))
    text = lowered.as_text()
    assert "dot_general" in text
    for slow in ("gather", "scatter", "while", "dynamic_slice"):
        assert f"stablehlo.{slow}" not in text
