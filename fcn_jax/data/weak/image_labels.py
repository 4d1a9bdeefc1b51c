"""Which classes an image holds: the label that a person gives to all of it."""

import numpy as np

from fcn_jax.data.label_sets import IGNORE_LABEL


def classes_of(
    labels: np.ndarray, num_classes: int, ignore_label: int = IGNORE_LABEL
) -> np.ndarray:
    """The classes of an image, by its masks.

    Args:
        labels: uint8 [H, W].
        num_classes: C.
        ignore_label: Void, which is no class.

    Returns:
        bool [C].
    """
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[ignore_label] = 0
    return counts[:num_classes] > 0


def everywhere(held: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Every pixel may be of every class of the image.

    Args:
        held: bool [C].
        size: Height and width of the image.

    Returns:
        bool [H, W, C].
    """
    return np.broadcast_to(held, (*size, len(held)))


def where_they_are(
    labels: np.ndarray, num_classes: int, ignore_label: int = IGNORE_LABEL
) -> np.ndarray:
    """Every pixel may be of its class alone: a crop of it knows the crop's classes.

    Args:
        labels: uint8 [H, W].
        num_classes: C.
        ignore_label: Void, which is no class.

    Returns:
        bool [H, W, C].
    """
    classes = np.arange(num_classes, dtype=np.uint8)
    known = (labels != ignore_label)[..., None]
    return (labels[..., None] == classes) & known
