"""OpenCV with its contributed modules, which are an extra."""

import types

import numpy as np

_INSTALL = "pip install opencv-contrib-python-headless (the extra [proposals])"


def load() -> types.ModuleType:
    """The module cv2.

    Raises:
        ImportError: If it is not there, or without its contributed modules.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f"edge_boxes and selective_search need OpenCV, which cannot be imported "
            f"({error}); {_INSTALL}, or take the method sliding_windows."
        ) from error
    if not hasattr(cv2, "ximgproc"):
        raise ImportError(
            f"edge_boxes and selective_search need OpenCV with its contributed "
            f"modules; this one has no cv2.ximgproc. Remove the package that it came "
            f"with, then {_INSTALL}."
        )
    return cv2


def version() -> str:
    """The version of OpenCV; "" where it is not there."""
    try:
        import cv2
    except ImportError:
        return ""
    return str(cv2.__version__)


def from_corners(boxes: np.ndarray) -> np.ndarray:
    """OpenCV's (x, y, width, height) as (row0, col0, row1, col1)."""
    x, y, w, h = boxes.T
    return np.stack([y, x, y + h, x + w], axis=1).astype(np.int32)
