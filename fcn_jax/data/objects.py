"""The objects in the masks of an image: which there are, and their boxes."""

from typing import cast

import numpy as np
from scipy import ndimage

from fcn_jax.data import checks
from fcn_jax.data.contracts import Item
from fcn_jax.data.label_sets import IGNORE_LABEL

BACKGROUND = 0
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def object_map(item: Item, ignore_label: int = IGNORE_LABEL) -> np.ndarray:
    """Which object every pixel belongs to.

    Args:
        item: Of a source. Where it has no `objects`, these are the connected parts (of
            8 neighbours) of each class, numbered from the lowest class on.
        ignore_label: Void, in both masks.

    Returns:
        int32 [H, W]; 0 is no object.
    """
    if "objects" in item:
        found = item["objects"].astype(np.int32)
        found[found == ignore_label] = 0
        return found
    labels = item["labels"]
    found, count = np.zeros(labels.shape, np.int32), 0
    for label in np.unique(labels):
        if label not in (BACKGROUND, ignore_label):
            parts, num = cast(
                "tuple[np.ndarray, int]",
                ndimage.label(labels == label, _EIGHT_NEIGHBOURS),
            )
            found[parts > 0] = parts[parts > 0] + count
            count += num
    return found


def find_objects(
    item: Item,
    classes: tuple[str, ...],
    where: str,
    *,
    min_area: int = 100,
    tolerance: float = 0.1,
    ignore_label: int = IGNORE_LABEL,
) -> np.ndarray:
    """The objects of an item: number, class and tight box of each.

    Args:
        item: Of a source.
        classes: Their names, for the message.
        where: The image, for the message.
        min_area: Pixels that are not void; smaller objects are passed over.
        tolerance: Share of an object's pixels that may be of another class.
        ignore_label: Void.

    Returns:
        int32 [K, 6]: number in `object_map`, class, row0, col0, row1, col1.

    Raises:
        ValueError: If image and masks differ in size, a label is no class, or an
            object is background, or several classes beyond the tolerance; naming it.
    """
    labels, objects = item["labels"], object_map(item, ignore_label)
    checks.check_labels(labels, len(classes), ignore_label, where)
    checks.check_pair(item["image"], labels, where)
    checks.check_pair(item["image"], objects, f"{where}, object mask")
    pairs = np.bincount((objects.astype(np.int64) * 256 + labels).ravel())
    counts = np.zeros((int(objects.max()) + 1, 256), np.int64)  # By object and label.
    counts.ravel()[: len(pairs)] = pairs
    counts[:, ignore_label] = 0
    rows = []
    for number, window in enumerate(ndimage.find_objects(objects), start=1):
        total = int(counts[number].sum())
        if window is None or total < min_area:
            continue
        label = int(counts[number].argmax())
        others = total - counts[number, label]
        if label == BACKGROUND or others > tolerance * total:
            held = np.argsort(-counts[number], kind="stable")[:3]
            shares = ", ".join(
                f"{counts[number, c] / total:.0%} {classes[c]}"
                for c in held
                if counts[number, c]
            )
            raise ValueError(
                f"{where}: object {number} is {shares} in the class mask; an object "
                f"is of one class other than {classes[BACKGROUND]} (but for a share of "
                f"tolerance={tolerance:g}). Correct the masks, or take the image off "
                f"the list."
            )
        down, right = window
        rows.append((number, label, down.start, right.start, down.stop, right.stop))
    return np.array(rows, np.int32).reshape(-1, 6)
