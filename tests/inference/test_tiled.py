"""Probabilities tile by tile: covered once, averaged without seams."""

import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.inference import tiled
from fcn_jax.inference.windows import Tiles
from fcn_jax.ops import resizing


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


@pytest.mark.parametrize("after", [(1, 1), (7, 5), (13, 30), (29, 4), (12, 9)])
@pytest.mark.parametrize("cuts", [(12,), (1, 2, 5, 12), (6, 11, 12)])
@pytest.mark.parametrize("most", (1, 100, 1 << 20))
def test_strips_at_another_size(monkeypatch, after, cuts, most):
    """What resizing all of them at once gives, however they are cut."""
    monkeypatch.setattr(tiled, "_MOST_NUMBERS", most)
    before = (12, 9)
    probs = np.random.default_rng(0).random((*before, 2), np.float32)
    starts = (0, *cuts[:-1])
    strips = [(a, probs[a:b]) for a, b in zip(starts, cuts, strict=True)]
    found = list(tiled.resized(strips, before, after))
    assert [row for row, _ in found] == [
        sum(len(strip) for _, strip in found[:n]) for n in range(len(found))
    ]
    if most == 1:
        assert {len(strip) for _, strip in found} == {1}
    sizes = (jnp.array([n], jnp.int32) for n in (before, after))
    expected = resizing.resize(jnp.asarray(probs[None]), *sizes, after)[0]
    together = np.concatenate([strip for _, strip in found])
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, expected, atol=1e-5)
