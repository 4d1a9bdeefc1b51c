"""Probabilities tile by tile: covered once, averaged without seams."""

import numpy as np
import pytest

from fcn_jax.inference import tiled
from fcn_jax.inference.windows import Tiles


def whole(image, ask, tiles):
    """The strips one after the other; they must follow each other."""
    strips = []
    for row, strip in tiled.probs(image, ask, tiles):
        assert row == sum(map(len, strips))
        strips.append(strip)
    return np.concatenate(strips)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 8), (21, 34), (5, 40)])
@pytest.mark.parametrize("overlap", (0.0, 0.25, 0.6))
def test_what_does_not_depend_on_the_tile_is_what_it_was(size, overlap):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), np.uint8)

    def ask(tile):
        assert max(tile.shape[:2]) <= 8
        return tile.astype(np.float32) / 255

    found = whole(image, ask, Tiles(8, overlap))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, image / 255, atol=1e-6)


def test_weights_fall_off_towards_the_border():
    """Two tiles of 4 columns that share 2; by hand."""
    image = np.zeros((4, 6, 3), np.uint8)
    answers = iter((0.0, 1.0))
    found = whole(
        image,
        lambda tile: np.full((*tile.shape[:2], 1), next(answers), np.float32),
        Tiles(4, 0.5),
    )
    # Rows next to the edge weigh 1 everywhere; in row 1 columns weigh 1, 2, 2, 1.
    np.testing.assert_allclose(found[0, :, 0], [0, 0, 1 / 2, 1 / 2, 1, 1])
    np.testing.assert_allclose(found[1, :, 0], [0, 0, 1 / 3, 2 / 3, 1, 1], rtol=1e-6)


def test_a_row_of_tiles_is_held_at_a_time():
    image = np.zeros((64, 16, 3), np.uint8)
    seen = []

    def ask(tile):
        seen.append(tile.shape)
        return np.ones((*tile.shape[:2], 2), np.float32)

    strips = tiled.probs(image, ask, Tiles(16, 0.5))
    next(strips)
    assert seen == [(16, 16, 3)]
    next(strips)
    assert len(seen) == 2
