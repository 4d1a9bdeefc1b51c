"""An image with a bright rectangle, and which methods need OpenCV."""

import numpy as np
import pytest

from fcn_jax.data import boxes

SQUARE = (30, 20, 70, 90)  # Where `scene` is bright.
OPENCV = ("edge_boxes", "selective_search")
METHODS = (*OPENCV, "sliding_windows")


def need_opencv(*methods):
    """Skip where a method needs OpenCV and it is not there."""
    if set(methods) & set(OPENCV):
        pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")


def scene(size=(100, 120)):
    """Noise with a bright rectangle, uint8 RGB [H, W, 3]."""
    image = np.random.default_rng(0).integers(40, 60, (*size, 3)).astype(np.uint8)
    image[30:70, 20:90, 0] += 180
    return image


def best_overlap(found):
    """The largest IoU of a box with that rectangle."""
    return boxes.iou(found, np.array([SQUARE])).max()
