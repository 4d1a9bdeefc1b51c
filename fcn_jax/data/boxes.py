"""Boxes (row0, col0, row1, col1), end excluded: overlap, extension, crops."""

import numpy as np

from fcn_jax.data.label_sets import IGNORE_LABEL


def check_boxes(boxes: np.ndarray, size: tuple[int, int], where: str) -> None:
    """Raise unless every box lies in its image and has an area.

    Args:
        boxes: Integer [M, 4].
        size: Height and width of the image.
        where: The image, for the message.

    Raises:
        TypeError: If they are not integers.
        ValueError: If the shape is another, or naming the first wrong box.
    """
    if not np.issubdtype(boxes.dtype, np.integer):
        raise TypeError(f"{where}: boxes are {boxes.dtype}; expected integers.")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            f"{where}: boxes of shape {boxes.shape}; expected [M, 4], a row "
            f"(row0, col0, row1, col1) a box."
        )
    starts, ends = boxes[:, :2], boxes[:, 2:]
    empty = (ends <= starts).any(axis=1)
    outside = (starts < 0).any(axis=1) | (ends > np.array(size)).any(axis=1)
    for wrong, what in ((empty, "has no area"), (outside, "leaves the image")):
        if wrong.any():
            place = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{where}: box {place}, {tuple(boxes[place].tolist())}, {what}; "
                f"expected (row0, col0, row1, col1), end excluded, inside "
                f"{size[0]}x{size[1]} (height x width)."
            )


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of every box with every other.

    Args:
        boxes: Integer [M, 4].
        others: Integer [K, 4].

    Returns:
        Fractions, float64 [M, K].
    """
    boxes, others = boxes.astype(np.int64), others.astype(np.int64)
    starts = np.maximum(boxes[:, None, :2], others[None, :, :2])
    ends = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.maximum(ends - starts, 0).prod(axis=-1)  # [M, K]
    areas, other_areas = ((b[:, 2:] - b[:, :2]).prod(axis=-1) for b in (boxes, others))
    return shared / (areas[:, None] + other_areas[None] - shared)


def extend(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Boxes with sides longer by a factor, about the same centres.

    Both ends of a side move by the same whole number of pixels, half of the growth
    rounded to the nearest (halves up). A box may leave its image.

    Args:
        boxes: Integer [..., 4].
        factor: At least 1; DeconvNet takes 1.2 (Noh et al. 2015, sec. 4.2).

    Returns:
        int32 [..., 4].

    Raises:
        ValueError: If the factor is less than 1.
    """
    if not factor >= 1:
        raise ValueError(f"extension={factor} shrinks boxes; give a factor >= 1.")
    sides = boxes[..., 2:] - boxes[..., :2]
    # Rounded first: 5 * 0.2 / 2 is 0.4999... in binary.
    growth = np.floor(np.round(sides * (factor - 1) / 2, 6) + 0.5).astype(np.int32)
    return np.concatenate(
        [boxes[..., :2] - growth, boxes[..., 2:] + growth], axis=-1
    ).astype(np.int32)


def cut(
    image: np.ndarray,
    labels: np.ndarray,
    box: np.ndarray,
    ignore_label: int = IGNORE_LABEL,
) -> tuple[np.ndarray, np.ndarray]:
    """What a box shows; beyond the image it is black, and void.

    Black before the mean is subtracted, as in DeconvNet's data layer
    (window_seg_data_layer.cpp of HyeonwooNoh/caffe).

    Args:
        image: uint8 RGB [H, W, 3].
        labels: uint8 [H, W].
        box: Integer [4]; it may leave the image.
        ignore_label: The label of void.

    Returns:
        Image and labels of the box's size.
    """
    row0, col0, row1, col1 = (int(n) for n in box)
    height, width = labels.shape
    part = np.zeros((row1 - row0, col1 - col0, 3), np.uint8)
    part_labels = np.full(part.shape[:2], ignore_label, np.uint8)
    top, left = max(row0, 0), max(col0, 0)
    bottom, right = max(min(row1, height), top), max(min(col1, width), left)
    inside = slice(top, bottom), slice(left, right)
    there = slice(top - row0, bottom - row0), slice(left - col0, right - col0)
    part[there], part_labels[there] = image[inside], labels[inside]
    return part, part_labels
