"""AP^r: average precision of regions, each an object's mask with a class and a score.

Where average precision of boxes asks whether a box overlaps that of an object, this one
asks whether the pixels do.

References:
    Hariharan et al. 2014, arXiv:1407.1808, sec. 5.1; bharath272/sds, evaluation.py.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

THRESHOLDS = (0.5, 0.7)  # Of the intersection over union, as the papers give them.


class Precisions(TypedDict):
    """Scores of the regions of a split.

    Attributes:
        mean_ap_r: By threshold, the mean over the classes that have objects; None:
            there are none.
        ap_r: By threshold, of each class; None: it has no objects, or is background.
        num_objects: Of each class.
        num_regions: Likewise.
    """

    mean_ap_r: dict[str, float | None]
    ap_r: dict[str, list[float | None]]
    num_objects: list[int]
    num_regions: list[int]


def mask_iou(masks: np.ndarray, objects: np.ndarray, numbers: Sequence[int]):
    """Intersection over union of regions with objects, pixel by pixel.

    Args:
        masks: bool [R, H, W].
        objects: Number of the object at each pixel, integer [H, W].
        numbers: Of the objects that are asked for, [I].

    Returns:
        Fractions, float64 [R, I]; 0 where both are empty.
    """
    flat = masks.reshape(len(masks), -1).astype(np.float64)
    own = objects.reshape(-1)[:, None] == np.asarray(numbers, objects.dtype)[None]
    shared = flat @ own.astype(np.float64)
    areas, object_areas = flat.sum(axis=1), own.sum(axis=0)
    union = areas[:, None] + object_areas[None] - shared
    return shared / np.maximum(union, 1)


def matched(scores: np.ndarray, iou: np.ndarray, threshold: float) -> np.ndarray:
    """Which regions of a class in an image are true positives.

    Each is tied to the object that it overlaps most (of equal ones the first), which
    the best-scored of those that overlap it enough takes; a region whose object is
    taken is false, whatever else it overlaps.

    Args:
        scores: [R]; of equal ones the first counts as better.
        iou: With the objects of the class, [R, I].
        threshold: Least overlap.

    Returns:
        bool [R].
    """
    found = np.zeros(len(scores), bool)
    if not iou.shape[1]:
        return found
    tied, overlap = iou.argmax(axis=1), iou.max(axis=1)
    taken = np.zeros(iou.shape[1], bool)
    for place in np.argsort(-scores, kind="stable"):
        if overlap[place] >= threshold and not taken[tied[place]]:
            found[place] = taken[tied[place]] = True
    return found


def average_precision(scores: np.ndarray, hits: np.ndarray, num_objects: int) -> float:
    """The area under the envelope of precision, at every step of recall.

    Args:
        scores: Of all regions of a class, [R].
        hits: Which are true positives, bool [R].
        num_objects: Of the class, in all images.

    Returns:
        A fraction.

    Raises:
        ValueError: If there are no objects.
    """
    if num_objects < 1:
        raise ValueError(
            f"average_precision: num_objects={num_objects}; recall is a share of "
            f"objects: leave out classes that have none."
        )
    hits = hits[np.argsort(-scores, kind="stable")]
    true = np.cumsum(hits)
    precision = true / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / num_objects)


class RegionPrecision:
    """Regions and objects of a split, image by image.

    Args:
        num_classes: Classes, background (0) included.
        thresholds: Of the overlap, in (0, 1].

    Raises:
        ValueError: If a threshold is out of range.
    """

    def __init__(self, num_classes: int, thresholds: Sequence[float] = THRESHOLDS):
        if not all(0 < threshold <= 1 for threshold in thresholds):
            raise ValueError(
                f"thresholds={tuple(thresholds)} of the overlap are not all in (0, 1]; "
                f"the papers give AP^r at 0.5 and 0.7."
            )
        self.thresholds = tuple(thresholds)
        self.num_objects = np.zeros(num_classes, np.int64)
        self._scores: list[list[np.ndarray]] = [[] for _ in range(num_classes)]
        self._hits: list[list[np.ndarray]] = [[] for _ in range(num_classes)]

    def add(
        self,
        masks: np.ndarray,
        scores: np.ndarray,
        classes: np.ndarray,
        objects: np.ndarray,
        object_classes: dict[int, int],
    ) -> None:
        """Count the regions of an image.

        Args:
            masks: bool [R, H, W].
            scores: [R].
            classes: integer [R].
            objects: Number of the object at each pixel, integer [H, W].
            object_classes: Class of each object that counts, by its number.

        Raises:
            ValueError: If the masks are not of the size of the image.
        """
        if masks.shape[1:] != objects.shape:
            raise ValueError(
                f"regions of {masks.shape[1:]} pixels in an image whose objects have "
                f"{objects.shape}; expected the same height and width."
            )
        for label in range(len(self.num_objects)):
            numbers = [n for n, own in object_classes.items() if own == label]
            self.num_objects[label] += len(numbers)
            of_class = classes == label
            if not of_class.any():
                continue
            iou = mask_iou(masks[of_class], objects, numbers)
            hits = [matched(scores[of_class], iou, t) for t in self.thresholds]
            self._scores[label].append(scores[of_class])
            self._hits[label].append(np.stack(hits))

    def result(self) -> Precisions:
        """The scores of all images so far."""
        counts = self.num_objects.tolist()
        found: Precisions = {
            "mean_ap_r": {},
            "ap_r": {},
            "num_objects": counts,
            "num_regions": [sum(map(len, each)) for each in self._scores],
        }
        for place, threshold in enumerate(self.thresholds):
            of_classes = [
                self._of_class(label, place) if count else None
                for label, count in enumerate(counts)
            ]
            known = [value for value in of_classes if value is not None]
            found["ap_r"][f"{threshold:g}"] = of_classes
            mean = float(np.mean(known)) if known else None
            found["mean_ap_r"][f"{threshold:g}"] = mean
        return found

    def _of_class(self, label: int, place: int) -> float:
        if not self._scores[label]:
            return 0.0
        hits = np.concatenate([each[place] for each in self._hits[label]])
        scores = np.concatenate(self._scores[label])
        return average_precision(scores, hits, int(self.num_objects[label]))
