"""Depth: what may be one, how it is stored, and what a network sees of it.

A depth image holds the distance of every pixel along the camera's axis, in metres, as
float32 [H, W]. Where a sensor saw nothing it has 0: such pixels are filled before
anything is made of them, as NYUDv2's own `depths` are.

References:
    Silberman et al. 2012, "Indoor segmentation and support inference from RGBD images";
    fcn.berkeleyvision.org, nyud_layers.py (millimetres, their logarithm, its mean).
"""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from fcn_jax.data import image_files

MILLIMETRES = 1000  # A metre; depth is stored in whole ones, uint16.
# The mean over NYUDv2 of the logarithm of millimetres, 2.55 m (nyud_layers.py).
MEAN_LOG = 7.844
FARTHEST = (2**16 - 1) / MILLIMETRES  # Metres that a file can hold.


def to_log(depth: np.ndarray) -> np.ndarray:
    """What networks see of depth: the natural logarithm of millimetres.

    Args:
        depth: Metres, float [H, W], positive.

    Returns:
        float32 [H, W]; 6.9 at 1 m, 9.2 at 10 m.
    """
    return np.log(np.asarray(depth, np.float64) * MILLIMETRES).astype(np.float32)


def check(depth: np.ndarray, where: str) -> None:
    """Raise unless every pixel has a depth.

    Args:
        depth: Metres, [H, W].
        where: The file, for the message.

    Raises:
        ValueError: Naming the first pixel that has none, and how many have none.
    """
    if depth.ndim != 2 or not np.issubdtype(depth.dtype, np.number):
        raise ValueError(
            f"{where}: depth is {depth.dtype} {list(depth.shape)}; expected metres, "
            f"[H, W], a number a pixel."
        )
    wrong = ~(np.isfinite(depth) & (depth > 0))
    if not wrong.any():
        return
    row, column = np.argwhere(wrong)[0]
    raise ValueError(
        f"{where}: depth {depth[row, column]:g} at row {row}, column {column} "
        f"({np.count_nonzero(wrong)} of {wrong.size} pixels have none); expected "
        f"metres above 0 everywhere. Where a sensor saw nothing, fill it "
        f"(fcn_jax.data.depth.filled), or take the in-painted depth."
    )


def check_pair(image: np.ndarray, depth: np.ndarray, where: str) -> None:
    """Raise unless an image and its depth are of one size.

    Args:
        image: [H, W, channels].
        depth: [H, W] or [H, W, channels], as HHA has.
        where: The file, for the message.

    Raises:
        ValueError: Naming both sizes.
    """
    if image.shape[:2] != depth.shape[:2]:
        raise ValueError(
            f"{where}: the image is {image.shape[0]}x{image.shape[1]} and its depth "
            f"{depth.shape[0]}x{depth.shape[1]} (height x width); they must be equal, "
            f"pixel on pixel. Cut both alike, or find the one that belongs to the "
            f"image."
        )


def filled(depth: np.ndarray) -> np.ndarray:
    """Depth without holes: where there is none, that of the nearest pixel that has one.

    Args:
        depth: Metres, float [H, W]; 0, NaN, or infinite where nothing is known.

    Returns:
        float32 [H, W].

    Raises:
        ValueError: If no pixel has a depth.
    """
    depth = np.asarray(depth, np.float32)
    unknown = ~(np.isfinite(depth) & (depth > 0))
    if unknown.all():
        raise ValueError(
            f"depth of {depth.shape[0]}x{depth.shape[1]} holds no number above 0, so "
            f"that nothing can be filled in; expected metres where they are known."
        )
    nearest = ndimage.distance_transform_edt(
        unknown, return_distances=False, return_indices=True
    )
    assert isinstance(nearest, np.ndarray)  # Distances are not asked for.
    return depth[tuple(nearest)]


def read(path: str | Path) -> np.ndarray:
    """Read a depth image.

    Args:
        path: A PNG of 16 bits, grey: millimetres; 0 where nothing is known.

    Returns:
        Metres, float32 [H, W].

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another kind, or damaged.
    """
    with image_files.open_image(path) as image:
        if image.mode not in ("I;16", "I;16B", "I"):
            raise ValueError(
                f"{path}: its mode is {image.mode}; expected depth, grey of 16 bits, "
                f"in millimetres."
            )
        try:
            found = np.asarray(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(
                f"{path} cannot be read as an image ({error}); it is truncated or "
                f"corrupt. Get it again."
            ) from error
    return (found / np.float32(MILLIMETRES)).astype(np.float32)


def encoded(depth: np.ndarray) -> np.ndarray:
    """Depth as a file has it: whole millimetres, halves away from 0 as MATLAB rounds.

    Args:
        depth: Metres, float [H, W].

    Returns:
        uint16 [H, W]; what is farther than a file can hold is as far as it can, and
        what is no number is 0, as where nothing is known.
    """
    known = np.nan_to_num(np.asarray(depth, np.float64), posinf=FARTHEST)
    millimetres = np.floor(known * MILLIMETRES + 0.5)
    return np.clip(millimetres, 0, 2**16 - 1).astype(np.uint16)


def write(depth: np.ndarray, path: str | Path) -> None:
    """Write a depth image, a PNG of 16 bits as `read` reads it.

    Args:
        depth: Metres, float [H, W].
        path: The file.
    """
    Image.fromarray(encoded(depth)).save(path, "png")
