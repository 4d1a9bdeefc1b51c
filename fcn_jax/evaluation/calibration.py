"""Calibration: whether the probability of what is predicted is how often it is right.

References:
    Guo et al. 2017, arXiv:1706.04599, sec. 2 (reliability diagrams, expected
    calibration error, 15 bins of equal width).
"""

import numpy as np

from fcn_jax.evaluation.metrics import Scores

BINS = 15


class Calibration:
    """Counts, pixel by pixel, in bins of equal width; a bin holds its upper end.

    Args:
        bins: How many.

    Raises:
        ValueError: If there are none.
    """

    def __init__(self, bins: int = BINS):
        if bins < 1:
            raise ValueError(f"calibration: {bins} bins; give 1 or more.")
        self.count = np.zeros(bins, np.int64)
        self.right = np.zeros(bins, np.int64)
        self.confidence = np.zeros(bins, np.float64)

    def add(self, confidence: np.ndarray, right: np.ndarray) -> None:
        """Count pixels.

        Args:
            confidence: Probability of the class that is predicted, [...], in [0, 1].
            right: Whether it is the true one, bool [...].
        """
        bins = len(self.count)
        confidence = confidence.astype(np.float64).ravel()
        place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
        self.count += np.bincount(place, minlength=bins)
        self.right += np.bincount(place[right.ravel()], minlength=bins)
        self.confidence += np.bincount(place, weights=confidence, minlength=bins)

    def scores(self) -> Scores:
        """The reliability diagram, and what follows from it.

        Returns:
            `expected_error`, the mean over pixels of the distance between confidence
            and accuracy of their bin, `largest_error`, the largest distance of a bin,
            `confidence` and `accuracy` of all (None where nothing was counted), and
            `bins`: of each that holds pixels `low`, `high`, `share` of the pixels,
            `confidence`, `accuracy`.
        """
        total, number = int(self.count.sum()), len(self.count)
        bins = [
            {
                "low": place / number,
                "high": (place + 1) / number,
                "share": int(self.count[place]) / total,
                "confidence": self.confidence[place] / int(self.count[place]),
                "accuracy": int(self.right[place]) / int(self.count[place]),
            }
            for place in np.flatnonzero(self.count).tolist()
        ]
        apart = [abs(each["confidence"] - each["accuracy"]) for each in bins]
        shares = [each["share"] for each in bins]
        return {
            "expected_error": float(np.dot(apart, shares)) if total else None,
            "largest_error": max(apart) if total else None,
            "confidence": float(self.confidence.sum()) / total if total else None,
            "accuracy": int(self.right.sum()) / total if total else None,
            "bins": bins,
        }
