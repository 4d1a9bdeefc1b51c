"""Boundary IU: IU over the pixels near the borders of a class.

Of a large object nearly all pixels lie inside, where a mask that is a little off is
right all the same; near its borders it is not. A pixel counts where it is within
`distance` of a pixel that is not of its class, or of the edge of the image, in the
truth or in the prediction, each by its own borders. Pixels that are void in the truth
are void in the prediction too, so that a border hidden by void counts for neither.

References:
    Cheng et al. 2021, arXiv:2103.16562, sec. 3; bowenc0221/boundary-iou-api,
    boundary_utils.py (3x3 erosions, as often as the distance; edges of the image are
    borders).
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.evaluation.metrics import Scores

DISTANCE = 3  # Pixels.
_OUTSIDE = -1


def borders(labels: np.ndarray, distance: int = DISTANCE) -> np.ndarray:
    """Which pixels are near a border of their class.

    Args:
        labels: Integer [H, W].
        distance: Pixels, along the rows, the columns and the diagonals.

    Returns:
        bool [H, W].
    """
    # Whether all of a square is one label is what 3x3 erosions of each label ask.
    labels, side = labels.astype(np.int16), 2 * distance + 1
    low, high = (
        most(labels, side, mode="constant", cval=_OUTSIDE)
        for most in (ndimage.minimum_filter, ndimage.maximum_filter)
    )
    return (low != labels) | (high != labels)


class BoundaryIU:
    """Counts, image by image; memory does not grow with their number.

    Args:
        num_classes: Classes, C.
        distance: See `borders`.

    Raises:
        ValueError: If the distance is not positive.
    """

    def __init__(self, num_classes: int, distance: int = DISTANCE):
        if distance < 1:
            raise ValueError(
                f"boundary IU: distance={distance} pixels leaves no border; give 1 or "
                f"more."
            )
        self.distance = distance
        self.intersection = np.zeros(num_classes, np.int64)
        self.union = np.zeros(num_classes, np.int64)

    def add(
        self, labels: np.ndarray, pred: np.ndarray, ignore_label: int = IGNORE_LABEL
    ) -> None:
        """Count an image.

        Args:
            labels: True classes, integer [H, W].
            pred: Predicted classes, integer [H, W].
            ignore_label: The label of void.
        """
        void = labels == ignore_label
        truth, found = (
            np.where(void, IGNORE_LABEL, each).astype(np.int16)
            for each in (labels, pred)
        )
        near = [borders(each, self.distance) & ~void for each in (truth, found)]
        of_truth, of_found = (
            self._counted(each[where])
            for each, where in zip((truth, found), near, strict=True)
        )
        both = self._counted(truth[near[0] & near[1] & (truth == found)])
        self.intersection += both
        self.union += of_truth + of_found - both

    def _counted(self, labels: np.ndarray) -> np.ndarray:
        num_classes = len(self.union)
        return np.bincount(labels[labels < num_classes], minlength=num_classes)

    def scores(self, class_names: Sequence[str]) -> Scores:
        """Boundary IU as fractions.

        Args:
            class_names: C names.

        Returns:
            `iu` by class name, None for one without borders, and their mean, `mean_iu`.
        """
        found = {
            name: int(both) / int(either) if either else None
            for name, both, either in zip(
                class_names, self.intersection, self.union, strict=True
            )
        }
        defined = [value for value in found.values() if value is not None]
        return {"iu": found, "mean_iu": float(np.mean(defined)) if defined else None}
