"""How often classes occur, and the weights that make up for it."""

import numpy as np

from fcn_jax.data import contracts
from fcn_jax.data.contracts import Source


class Frequencies:
    """Counts pixels, an image after another.

    Args:
        num_classes: Labels are 0 to this minus 1; others are void.

    Attributes:
        images: In which each class occurs, int64 [C].
    """

    def __init__(self, num_classes: int):
        self._pixels = np.zeros(num_classes)
        self._of_images = np.zeros(num_classes)
        self.images = np.zeros(num_classes, np.int64)

    def add(self, counts: np.ndarray) -> None:
        """Count an image.

        Args:
            counts: How many pixels have each label, integer [256]; none is of void
                where void is below the number of classes.
        """
        counts = counts[: len(self._pixels)]
        self._pixels += counts
        self._of_images[counts > 0] += counts.sum()
        self.images += counts > 0

    def shares(self) -> np.ndarray:
        """What `class_frequencies` returns."""
        occur = self._of_images > 0
        nothing = np.zeros_like(self._pixels)
        return np.divide(self._pixels, self._of_images, nothing, where=occur)


def class_frequencies(source: Source) -> np.ndarray:
    """The share of each class in the pixels of the images in which it occurs.

    Args:
        source: With one head; every image of it is read.

    Returns:
        float64 [C]; 0 for a class that occurs nowhere. Void pixels do not count.

    References:
        Eigen and Fergus 2015, arXiv:1411.4734, sec. 6.3.2.
    """
    (head,) = contracts.heads_of(source)
    found = Frequencies(head.num_classes)
    for index in range(len(source)):
        labels = np.asarray(source[index]["labels"])
        found.add(np.bincount(labels[labels != head.ignore_label], minlength=256))
    return found.shares()


def inverse_weights(shares: np.ndarray) -> tuple[float, ...]:
    """Weights by which every class counts alike: one over its share.

    Args:
        shares: Of each class, [C]; they add up to 1.

    Returns:
        C weights; 0 for a class that occurs nowhere.

    References:
        Mostajabi et al. 2015, arXiv:1412.0774, sec. 3.2.
    """
    occurs = shares > 0
    weights = np.divide(1.0, shares, np.zeros(len(shares)), where=occurs)
    return tuple(float(weight) for weight in weights)


def median_frequency_weights(frequencies: np.ndarray) -> tuple[float, ...]:
    """Weights that grow as a class gets rarer: the median frequency over its own.

    Args:
        frequencies: What `class_frequencies` returned, [C].

    Returns:
        C weights; 1 for a class that occurs nowhere.
    """
    occurs = frequencies > 0
    if not occurs.any():
        return (1.0,) * len(frequencies)
    weights = np.ones_like(frequencies)
    weights[occurs] = np.median(frequencies[occurs]) / frequencies[occurs]
    return tuple(float(weight) for weight in weights)
