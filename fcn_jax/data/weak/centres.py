"""What of a box is its object for certain: the centre, and what is left open around it.

References:
    Papandreou, Chen, Murphy and Yuille 2015, arXiv:1502.02734, sec. 3.2 (Bbox-Seg);
    deeplab-public, PasteSoftSegmentBboxByArea.m, for how the centre is found.
"""

import numpy as np

from fcn_jax.data import objects
from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.data.weak import boxes as weak_boxes

UNKNOWN = IGNORE_LABEL  # In a box, outside of its centre.
# Of the Matlab script: a centre is left that is less than its share and this.
_SLACK = 0.05
_LEAST_AREA, _LEAST_SIDE = 121, 10  # Smaller boxes are centre everywhere.


def centre(box: np.ndarray, share: float = 0.2) -> np.ndarray:
    """The middle of a box, made smaller by a pixel on every side until it is small.

    Args:
        box: Integer [5]: class, row0, col0, row1, col1.
        share: Of the box's area: the first that is less than this and 0.05, at least a
            pixel. Boxes of less than 121 pixels or with a side of less than 10 stay
            whole, as in the script.

    Returns:
        int32 [5].

    Raises:
        ValueError: If the share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ValueError(
            f"centre: share={share} is no share of a box; give one above 0 and at most "
            f"1, published 0.2."
        )
    label, row0, col0, row1, col1 = (int(n) for n in box)
    height, width = row1 - row0, col1 - col0
    shrunk = 0
    if height * width >= _LEAST_AREA and min(height, width) >= _LEAST_SIDE:
        most = (share + _SLACK) * height * width
        while (height - 2 * shrunk) * (width - 2 * shrunk) >= most and (
            min(height, width) > 2 * (shrunk + 1)
        ):
            shrunk += 1
    inner = (row0 + shrunk, col0 + shrunk, row1 - shrunk, col1 - shrunk)
    return np.array([label, *inner], np.int32)


def known_by(
    boxes: np.ndarray, size: tuple[int, int], share: float = 0.2
) -> np.ndarray:
    """What boxes say of pixels for certain, the smallest on top.

    Args:
        boxes: Integer [K, 5]: class, row0, col0, row1, col1.
        size: Height and width of the image.
        share: See `centre`.

    Returns:
        uint8 [H, W]: the class in centres, 0 outside of all boxes, `UNKNOWN` between.
    """
    known = np.full(size, objects.BACKGROUND, np.uint8)
    for box in weak_boxes.largest_first(boxes):
        for part, value in ((box, UNKNOWN), (centre(box, share), int(box[0]))):
            _, row0, col0, row1, col1 = part.tolist()
            known[row0:row1, col0:col1] = value
    return known
