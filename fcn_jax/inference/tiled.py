"""Class probabilities of an image too large to be seen at once, strip by strip.

The network sees overlapping tiles; where they overlap, their probabilities are averaged
with weights that fall off towards a tile's borders, so that no seam is left. What is
held at a time is one row of tiles.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from fcn_jax.inference.windows import Tiles

# An image's first row and class probabilities, float32 [rows, W, C].
Strip: TypeAlias = tuple[int, np.ndarray]
_MOST_NUMBERS = 1 << 23  # Of a strip.


def probs(
    image: np.ndarray, ask: Callable[[np.ndarray], np.ndarray], tiles: Tiles
) -> Iterator[Strip]:
    """The probabilities of every class, from the upper edge to the lower.

    Args:
        image: uint8 RGB [H, W, 3].
        ask: Tile [h, w, 3] -> class probabilities float32 [h, w, C].
        tiles: Their side and overlap.

    Yields:
        The first row of a strip, and its class probabilities, float32 [rows, W, C].
        The strips follow each other and cover the image.
    """
    height, width = image.shape[:2]
    side = min(tiles.side, height)
    total = weight = np.empty(0)
    starts = tiles.starts(height)
    for row, after in zip(starts, [*starts[1:], height], strict=True):
        for column in tiles.starts(width):
            tile = image[row : row + side, column : column + tiles.side]
            found = ask(tile)
            if not total.size:
                total = np.zeros((side, width, found.shape[-1]), np.float32)
                weight = np.zeros((side, width, 1), np.float32)
            share = _share(*tile.shape[:2])
            total[:, column : column + tile.shape[1]] += found * share
            weight[:, column : column + tile.shape[1]] += share
        done = after - row
        for first, last in _parts(done, total.shape):
            yield row + first, total[first:last] / weight[first:last]
        for held in (total, weight):
            held[: side - done] = held[done:].copy()
            held[side - done :] = 0


def resized(
    strips: Iterable[Strip], before: tuple[int, int], after: tuple[int, int]
) -> Iterator[Strip]:
    """Strips at another size, bilinearly, as `fcn_jax.ops.resizing` does it.

    Args:
        strips: They follow each other and cover an image.
        before: Its height and width.
        after: Those of the result.

    Yields:
        Strips of that size, which follow each other; few rows are held at a time.
    """
    upper, lower, below = _between(before[0], after[0])
    left, right, beside = _between(before[1], after[1])
    held = np.empty(0)
    row = done = 0  # The first that is held, and the next of the result.
    for start, strip in strips:
        keep = max(upper[done] - row, 0) if done < after[0] else len(held)
        held = np.concatenate([held[keep:], strip]) if held.size else strip
        row = start + len(strip) - len(held)
        ready = int(np.searchsorted(lower, start + len(strip)))
        shape = (after[0], after[1], strip.shape[-1])
        for first, last in _parts(ready - done, shape):
            part = slice(done + first, done + last)
            share = below[part, None, None]
            rows = held[upper[part] - row] * (1 - share)
            rows += held[lower[part] - row] * share
            wide = rows[:, left] * (1 - beside[:, None])
            wide += rows[:, right] * beside[:, None]
            yield done + first, wide
        done = ready


def _between(before: int, after: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel of a side the two of another, and the share of the second."""
    centre = (np.arange(after) + 0.5) * (before / after) - 0.5
    centre = centre.clip(0, before - 1)
    first = np.floor(centre).astype(int)
    second = np.minimum(first + 1, before - 1)
    return first, second, (centre - first).astype(np.float32)


def _parts(rows: int, shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Rows of an image [., W, C] in parts that are small in memory."""
    most = max(1, _MOST_NUMBERS // (shape[1] * shape[2]))
    for first in range(0, rows, most):
        yield first, min(first + most, rows)


def _share(height: int, width: int) -> np.ndarray:
    """The weight of every pixel of a tile, float32 [h, w, 1]: 1 at the border cells."""
    sides = [
        np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) for n in (height, width)
    ]
    return np.minimum(sides[0][:, None], sides[1][None]).astype(np.float32)[..., None]
