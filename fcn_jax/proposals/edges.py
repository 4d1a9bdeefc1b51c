"""Edges of photographs, plain and thinned."""

import numpy as np
from scipy import ndimage


def image_edges(image: np.ndarray, blur: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Plain edges: the gradient (Sobel) of the smoothed image.

    At every pixel that of the channel where it is steepest, so that things of equal
    brightness have edges too.

    Args:
        image: uint8 RGB [H, W, 3].
        blur: Standard deviation of the smoothing, pixels.

    Returns:
        Magnitude over its maximum, float32 [H, W] in [0, 1] (0 in a flat image), and
        the direction across the edge, float32 [H, W], radians in [0, pi).
    """
    smooth = ndimage.gaussian_filter(image.astype(np.float32), (blur, blur, 0))
    down, right = (ndimage.sobel(smooth, axis) for axis in (0, 1))
    steepest = np.hypot(down, right).argmax(axis=-1)[..., None]
    down, right = (np.take_along_axis(a, steepest, -1)[..., 0] for a in (down, right))
    magnitude = np.hypot(down, right)
    direction = np.mod(np.arctan2(down, right), np.float32(np.pi))
    direction[direction >= np.float32(np.pi)] = 0  # A tiny negative angle, rounded.
    return magnitude / max(float(magnitude.max()), 1e-6), direction


def thin_edges(magnitude: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Edges one pixel wide: 0 wherever a neighbour across the edge is stronger.

    Args:
        magnitude: float32 [H, W].
        direction: Across the edge, float32 [H, W], radians in [0, pi); the neighbours
            are those on the nearest of the four lines through a pixel and others.

    Returns:
        float32 [H, W]. Of two equal neighbours the upper stays (of a row, the left).
    """
    height, width = magnitude.shape
    padded = np.pad(magnitude, 1)
    line = np.round(direction / (np.pi / 4)).astype(np.int32) % 4
    peaks = np.zeros(magnitude.shape, bool)
    for number, (down, right) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead, behind = (
            padded[1 + d : 1 + d + height, 1 + r : 1 + r + width]
            for d, r in ((down, right), (-down, -right))
        )
        peaks |= (line == number) & (magnitude >= ahead) & (magnitude > behind)
    return np.where(peaks, magnitude, np.float32(0))
