"""OpenCV with its contributed modules, which are an extra."""

import types

import numpy as np

_INSTALL = "pip install opencv-contrib-python-headless (the extra [proposals])"
_BOXES = "edge_boxes and selective_search"


def load(
    asking: str = _BOXES, instead: str = ", or take the method sliding_windows"
) -> types.ModuleType:
    """The module cv2.

    Args:
        asking: What needs it, for the message.
        instead: What to do without it, likewise.

    Raises:
        ImportError: If it is not there, or without its contributed modules.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f"{asking} need OpenCV, which cannot be imported ({error}); "
            f"{_INSTALL}{instead}."
        ) from error
    if not hasattr(cv2, "ximgproc"):
        raise ImportError(
            f"{asking} need OpenCV with its contributed modules; this one has no "
            f"cv2.ximgproc. Remove the package that it came with, then {_INSTALL}."
        )
    return cv2


def load_for_masks() -> types.ModuleType:
    """The module cv2, for candidate masks.

    Raises:
        ImportError: As `load`.
    """
    return load("candidate masks", ", or give files of MCG (the method mcg)")


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
