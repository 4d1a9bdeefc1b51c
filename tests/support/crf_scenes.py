"""A small image with a unary, and parameters of a CRF that suit it."""

import numpy as np

SMALL = {
    "smooth_xy": 2.0,
    "smooth_weight": 1.5,
    "bilateral_xy": 8.0,
    "bilateral_rgb": 20.0,
    "bilateral_weight": 2.0,
    "iterations": 4,
}


def scene(shape=(10, 12), num_classes=3, seed=0):
    """Two halves of different colour with noise, and a unary that half knows."""
    rng = np.random.default_rng(seed)
    width = shape[1]
    right = np.arange(width) >= width // 2
    image = np.where(right[None, :, None], 190, 70) + rng.integers(-9, 9, (*shape, 3))
    unary = rng.normal(size=(*shape, num_classes))
    unary[:, :, 0] += 0.7 * right
    unary[:, :, -1] -= 0.7 * right
    unary -= unary.min(axis=-1, keepdims=True)  # As of a -log p, none is negative.
    return unary.astype(np.float32), image.astype(np.uint8)
