"""Object proposals: boxes of an image that may hold an object, best first.

DeconvNet looks at each proposal by itself (Noh et al. 2015, sec. 4.4: EdgeBoxes, about
2,000 an image, of which the best 50 are used) and is trained on them (sec. 4.2).

References:
    Zitnick and Dollar 2014, "Edge Boxes: locating object proposals from edges".
    Uijlings et al. 2013, "Selective search for object recognition".
"""

import inspect
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from fcn_jax.proposals import edge_boxes, selective_search, sliding_windows

Method: TypeAlias = Callable[..., tuple[np.ndarray, np.ndarray]]

METHODS: dict[str, Method] = {
    "edge_boxes": edge_boxes.propose,
    "selective_search": selective_search.propose,
    "sliding_windows": sliding_windows.propose,
}


def propose(
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
        **options: Of the method: see `propose` in the module of its name.

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
    find = get_method(method, options)
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


def get_method(name: str, options: Iterable[str]) -> Method:
    """The function of a method, checked to take these options.

    Args:
        name: A key of `METHODS`.
        options: Names of the options that it is to take.

    Raises:
        ValueError: If the method, or an option of it, is not known.
    """
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


def defaults(function: Callable[..., object]) -> dict[str, object]:
    """Arguments that may be left out, and what they are then."""
    given = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in given if p.default is not p.empty}
