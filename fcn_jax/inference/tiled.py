"""Class probabilities of an image too large to be seen at once, strip by strip.

The network sees overlapping tiles; where they overlap, their probabilities are averaged
with weights that fall off towards a tile's borders, so that no seam is left. What is
held at a time is one row of tiles.
"""

from collections.abc import Callable, Iterator

import numpy as np

from fcn_jax.inference.windows import Tiles


def probs(
    image: np.ndarray, ask: Callable[[np.ndarray], np.ndarray], tiles: Tiles
) -> Iterator[tuple[int, np.ndarray]]:
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
        yield row, total[:done] / weight[:done]
        for held in (total, weight):
            held[: side - done] = held[done:].copy()
            held[side - done :] = 0


def _share(height: int, width: int) -> np.ndarray:
    """The weight of every pixel of a tile, float32 [h, w, 1]: 1 at the border cells."""
    sides = [
        np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) for n in (height, width)
    ]
    return np.minimum(sides[0][:, None], sides[1][None]).astype(np.float32)[..., None]
