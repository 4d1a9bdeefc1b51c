"""Sliding windows, ranked by edges: proposals without OpenCV.

References:
    Zitnick and Dollar 2014, "Edge Boxes: locating object proposals from edges".
"""

from collections.abc import Sequence

import numpy as np

from fcn_jax.proposals import edges

_KAPPA = 1.5  # Power of the size that scores are divided by, as in Edge Boxes, eq. 1.


def propose(
    image: np.ndarray,
    *,
    min_side: int,
    seed: int = 0,
    blur: float = 2.0,
    aspects: Sequence[float] = (0.5, 1.0, 2.0),
    scale_step: float = 2**0.5,
    stride: float = 0.2,
) -> tuple[np.ndarray, np.ndarray]:
    """Windows of several scales and aspects, ranked by the edges along their borders.

    The score is that of EdgeBoxes (eq. 3) without its edge groups: the sum of edge
    magnitudes in the window, less that in its central part of half the height and
    width, over ((h + w) / 2)**kappa.

    Args:
        image: uint8 RGB [H, W, 3].
        min_side: Of the smallest square window, pixels.
        seed: Not used.
        blur: See `edges.image_edges`.
        aspects: Widths over heights.
        scale_step: From one scale to the next, up to the smaller side of the image.
            The whole image is a window too.
        stride: Between neighbours of a size, a share of their side.

    Returns:
        Boxes, int32 [M, 4], and scores, float32 [M], best first.
    """
    del seed
    height, width = image.shape[:2]
    parts = [np.array([[0, 0, height, width]])]
    num_scales = int(np.log(min(height, width) / min_side) / np.log(scale_step) + 1e-9)
    for side in min_side * scale_step ** np.arange(num_scales + 1):
        for aspect in aspects:
            h = min(height, max(1, round(side / aspect**0.5)))
            w = min(width, max(1, round(side * aspect**0.5)))
            rows, columns = _starts(height, h, stride), _starts(width, w, stride)
            row, column = (a.ravel() for a in np.meshgrid(rows, columns, indexing="ij"))
            parts.append(np.stack([row, column, row + h, column + w], axis=1))
    boxes = np.unique(np.concatenate(parts), axis=0).astype(np.int32)
    sides = boxes[:, 2:] - boxes[:, :2]
    inner = np.concatenate([boxes[:, :2] + sides // 4, boxes[:, 2:] - sides // 4], 1)
    total = np.zeros((height + 1, width + 1))
    total[1:, 1:] = edges.image_edges(image, blur)[0].cumsum(0, dtype=float).cumsum(1)
    scores = _sums(total, boxes) - _sums(total, inner)
    scores /= sides.mean(axis=1) ** _KAPPA
    order = np.argsort(-scores, kind="stable")
    return boxes[order], scores[order].astype(np.float32)


def _starts(length: int, side: int, stride: float) -> np.ndarray:
    """Even starts of windows along an axis, from one end of the image to the other."""
    room = length - side
    count = 1 + int(np.ceil(room / max(1.0, stride * side)))
    return np.round(np.linspace(0, room, count)).astype(np.int64)


def _sums(total: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Sums within boxes, of what `total` is the summed-area table."""
    row0, col0, row1, col1 = boxes.T
    return total[row1, col1] - total[row0, col1] - total[row1, col0] + total[row0, col0]
