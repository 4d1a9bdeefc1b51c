"""Object proposals: boxes of an image that may hold an object, best first.

DeconvNet looks at each proposal by itself (Noh et al. 2015, sec. 4.4: EdgeBoxes, about
2,000 an image, of which the best 50 are used) and is trained on them (sec. 4.2).

References:
    Zitnick and Dollar 2014, "Edge Boxes: locating object proposals from edges".
    Uijlings et al. 2013, "Selective search for object recognition".
"""

import inspect
import types
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

_INSTALL = "pip install opencv-contrib-python-headless (the extra [proposals])"


def proposals(
    image: np.ndarray,
    method: str = "edge_boxes",
    *,
    num: int = 2000,
    min_side: int = 16,
    seed: int = 0,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of an image that may hold an object.

    Args:
        image: uint8 RGB [H, W, 3].
        method: "edge_boxes" or "selective_search" (both need OpenCV), or
            "sliding_windows".
        num: Boxes at most.
        min_side: Least height and width of a box, pixels. Smaller ones do not count
            towards `num`.
        seed: Of selective search, whose order is random in part.
        options: Of the method: see `edge_boxes`, `selective_search`,
            `sliding_windows`.

    Returns:
        Boxes (row0, col0, row1, col1), end excluded, inside the image, int32 [M, 4],
        best first, and their scores, float32 [M]. 1 <= M <= num: where a method finds
        nothing, there is a warning, and the whole image is the one box, with score 0.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If the image has another shape or is smaller than a box, the method
            or an option is not known, or `num` or `min_side` is not positive.
        ImportError: If the method needs OpenCV and it is not there.
    """
    find = method_named(method, options)
    if num < 1 or min_side < 1:
        raise ValueError(
            f"proposals: num={num}, min_side={min_side}; both are at least 1 (how many "
            f"boxes are wanted, and their least side in pixels)."
        )
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"proposals: an image of shape {image.shape}; expected RGB, [H, W, 3]."
        )
    if image.dtype != np.uint8:
        raise TypeError(f"proposals: the image is {image.dtype}; expected uint8.")
    height, width = image.shape[:2]
    if min(height, width) < min_side:
        raise ValueError(
            f"proposals: the image is {height}x{width} (height x width) and the "
            f"smallest proposal {min_side}x{min_side}; leave the image out, or lower "
            f"min_side."
        )
    boxes, scores = find(image, min_side=min_side, seed=seed, **options)
    large = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= min_side
    boxes, scores = boxes[large][:num], scores[large][:num]
    if not len(boxes):
        warnings.warn(
            f"{method} found no proposal in an image of {height}x{width}; the whole "
            f"image is taken.",
            stacklevel=2,
        )
        return np.array([[0, 0, height, width]], np.int32), np.zeros(1, np.float32)
    return boxes.astype(np.int32), scores.astype(np.float32)


def edge_boxes(
    image: np.ndarray,
    *,
    min_side: int,
    seed: int = 0,
    blur: float = 2.0,
    thin: bool = True,
    alpha: float = 0.65,
    beta: float = 0.75,
    max_aspect_ratio: float = 3.0,
    min_box_area: int = 1000,
) -> tuple[np.ndarray, np.ndarray]:
    """EdgeBoxes, of OpenCV, on thinned `image_edges`, without a trained edge detector.

    The authors thin their detector's edges too. On the built-in shapes the best 50
    boxes hold 84 % of the objects at IoU 0.5, and 66 % where edges stay thick.

    Args:
        image: uint8 RGB [H, W, 3].
        min_side: Not used: what is smaller is dropped by `proposals`.
        seed: Not used.
        blur: See `image_edges`.
        thin: Whether edges are thinned.
        alpha: Overlap (IoU) of neighbours in the search.
        beta: Overlap above which the lower box of two is dropped.
        max_aspect_ratio: Of the sides of a box.
        min_box_area: Pixels.

    Returns:
        Boxes, int32 [M, 4], and scores, float32 [M], best first.
    """
    del min_side, seed
    search = opencv().ximgproc.createEdgeBoxes(
        alpha=alpha,
        beta=beta,
        maxAspectRatio=max_aspect_ratio,
        minBoxArea=min_box_area,
        maxBoxes=10_000,
    )
    magnitude, direction = image_edges(image, blur)
    if thin:
        magnitude = thin_edges(magnitude, direction)
    found, scores = search.getBoundingBoxes(magnitude, direction)
    if scores is None:  # Nothing was found.
        return np.zeros((0, 4), np.int32), np.zeros(0, np.float32)
    # It counts rows and columns from 1 (edgeboxes.cpp), as in MATLAB.
    found = np.maximum(found - np.array([1, 1, 0, 0]), 0)
    return _from_corners(found), scores.ravel()


def selective_search(
    image: np.ndarray, *, min_side: int, seed: int = 0, mode: str = "fast"
) -> tuple[np.ndarray, np.ndarray]:
    """Selective search, of OpenCV, in an order that the seed decides.

    OpenCV ranks by a random generator that cannot be seeded; its boxes are ranked anew
    in the way of Uijlings et al. (sec. 4.3): by u * r, u uniform in [0, 1) and r the
    rank of the box by its area, 1 for the largest. The score is 1 - u * r / M.

    Args:
        image: uint8 RGB [H, W, 3].
        min_side: Not used: what is smaller is dropped by `proposals`.
        seed: Of u.
        mode: "fast" or "quality" (about four times as many boxes and as slow).

    Returns:
        Boxes, int32 [M, 4], and scores, float32 [M], best first.

    Raises:
        ValueError: If the mode is not known.
    """
    del min_side
    if mode not in ("fast", "quality"):
        raise ValueError(
            f"selective_search: mode={mode!r} is not known; use 'fast' or 'quality'."
        )
    segmentation = opencv().ximgproc.segmentation
    search = segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(image[:, :, ::-1]))  # It takes BGR.
    if mode == "fast":
        search.switchToSelectiveSearchFast()
    else:
        search.switchToSelectiveSearchQuality()
    boxes = np.unique(_from_corners(search.process()), axis=0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    boxes = boxes[np.argsort(-areas, kind="stable")]
    ranks = np.arange(1, len(boxes) + 1)
    values = np.random.default_rng(seed).random(len(boxes)) * ranks
    order = np.argsort(values, kind="stable")
    return boxes[order], (1 - values[order] / max(1, len(boxes))).astype(np.float32)


def sliding_windows(
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
    width, over ((h + w) / 2)**1.5.

    Args:
        image: uint8 RGB [H, W, 3].
        min_side: Of the smallest square window, pixels.
        seed: Not used.
        blur: See `image_edges`.
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
    total[1:, 1:] = image_edges(image, blur)[0].cumsum(0, dtype=float).cumsum(1)
    scores = _sums(total, boxes) - _sums(total, inner)
    scores /= sides.mean(axis=1) ** 1.5
    order = np.argsort(-scores, kind="stable")
    return boxes[order], scores[order].astype(np.float32)


METHODS = {
    "edge_boxes": edge_boxes,
    "selective_search": selective_search,
    "sliding_windows": sliding_windows,
}


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


def method_named(name: str, options: Any) -> Any:
    """The function of a method, checked to take these options."""
    if name not in METHODS:
        raise ValueError(
            f"proposals: method {name!r} is not known; there are {', '.join(METHODS)}."
        )
    known = set(defaults(METHODS[name])) - {"seed"}
    unknown = sorted(set(options) - known)
    if unknown:
        raise ValueError(
            f"proposals: {name} has no option {unknown[0]!r}; it has "
            f"{', '.join(sorted(known))}."
        )
    return METHODS[name]


def defaults(function: Any) -> dict[str, Any]:
    """Arguments that may be left out, and what they are then."""
    given = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in given if p.default is not p.empty}


def opencv() -> types.ModuleType:
    """The module cv2, which is imported here alone.

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


def _from_corners(boxes: np.ndarray) -> np.ndarray:
    """OpenCV's (x, y, width, height) as (row0, col0, row1, col1)."""
    x, y, w, h = boxes.T
    return np.stack([y, x, y + h, x + w], axis=1).astype(np.int32)


def _starts(length: int, side: int, stride: float) -> np.ndarray:
    """Even starts of windows along an axis, from one end of the image to the other."""
    room = length - side
    count = 1 + int(np.ceil(room / max(1.0, stride * side)))
    return np.round(np.linspace(0, room, count)).astype(np.int64)


def _sums(total: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Sums within boxes, of what `total` is the summed-area table."""
    row0, col0, row1, col1 = boxes.T
    return total[row1, col1] - total[row0, col1] - total[row1, col0] + total[row0, col0]
