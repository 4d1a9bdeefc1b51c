"""Boxes with classes in place of masks: those of an item, and what they say of pixels.

References:
    Papandreou, Chen, Murphy and Yuille 2015, arXiv:1502.02734, sec. 3.2 (Bbox-Rect;
    "Bbox-Baseline" in its first version): boxes are the tight rectangles of the
    objects in the masks of VOC and SBD; in overlaps the smallest wins.
"""

from collections.abc import Sequence

import numpy as np

from fcn_jax.data import boxes as plain
from fcn_jax.data import objects
from fcn_jax.data.contracts import Item
from fcn_jax.data.label_sets import IGNORE_LABEL


def boxes_of(
    item: Item,
    classes: Sequence[str],
    where: str,
    *,
    min_area: int = 1,
    ignore_label: int = IGNORE_LABEL,
) -> np.ndarray:
    """The objects of an item as boxes: the class of each, and its tight rectangle.

    Where an item has no `objects`, they are the connected parts of each class.

    Args:
        item: Of a source; its masks are looked at.
        classes: Their names, the first of which is the background.
        where: The image, for the message.
        min_area: Pixels of an object; smaller ones have no box.
        ignore_label: Void, which belongs to no object.

    Returns:
        int32 [K, 5]: class, row0, col0, row1, col1, ends excluded, from the largest
        box to the smallest (`largest_first`).

    Raises:
        ValueError: As `objects.find_objects`.
    """
    found = objects.find_objects(
        item,
        tuple(classes),
        where,
        min_area=min_area,
        ignore_label=ignore_label,
    )
    return largest_first(found[:, 1:])


def check_boxes(
    boxes: np.ndarray, size: tuple[int, int], num_classes: int, where: str
) -> None:
    """Raise unless every box has a class and lies in its image.

    Args:
        boxes: Integer [K, 5]: class, row0, col0, row1, col1.
        size: Height and width of the image.
        num_classes: With the background, which is 0 and has no boxes.
        where: The image, for the message.

    Raises:
        TypeError: If they are not integers.
        ValueError: If the shape is another, a box has no area or leaves the image, or
            its class is the background or of another list; naming it.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(
            f"{where}: boxes of shape {boxes.shape}; expected [K, 5], a row "
            f"(class, row0, col0, row1, col1) a box."
        )
    plain.check_boxes(boxes[:, 1:], size, where)
    wrong = (boxes[:, 0] < 1) | (boxes[:, 0] >= num_classes)
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{where}: box {place} is of class {int(boxes[place, 0])}; of "
            f"{num_classes} classes those of objects are 1 to {num_classes - 1} (0 is "
            f"the background): are these boxes of another list of classes?"
        )


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of boxes with classes, pixels.

    Args:
        boxes: Integer [K, 5].

    Returns:
        int64 [K].
    """
    sides = boxes[:, 3:].astype(np.int64) - boxes[:, 1:3]
    return sides.prod(axis=1)


def largest_first(boxes: np.ndarray) -> np.ndarray:
    """The same boxes in the order in which they are laid down: the smallest last.

    Of boxes of one area the order is that of their numbers (class, row0, ...), so that
    it does not depend on that of a list.

    Args:
        boxes: Integer [K, 5].

    Returns:
        int32 [K, 5].
    """
    keys = (*boxes[:, ::-1].T, -areas(boxes))  # The last key counts most.
    return boxes[np.lexsort(keys)].astype(np.int32)


def rectangles(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bbox-Rect: every pixel of a box is of its class; the smallest box is on top.

    Args:
        boxes: Integer [K, 5]: class, row0, col0, row1, col1.
        size: Height and width of the image.

    Returns:
        uint8 [H, W]; what is in no box is background.
    """
    labels = np.full(size, objects.BACKGROUND, np.uint8)
    for label, row0, col0, row1, col1 in largest_first(boxes).tolist():
        labels[row0:row1, col0:col1] = label
    return labels


def covering(boxes: np.ndarray, size: tuple[int, int], num_classes: int) -> np.ndarray:
    """Which classes a pixel may have: those of the boxes over it, and background.

    Args:
        boxes: Integer [K, 5]: class, row0, col0, row1, col1.
        size: Height and width of the image.
        num_classes: C, with the background.

    Returns:
        bool [H, W, C].
    """
    found = np.zeros((*size, num_classes), bool)
    found[..., objects.BACKGROUND] = True
    for label, row0, col0, row1, col1 in boxes.tolist():
        found[row0:row1, col0:col1, label] = True
    return found
