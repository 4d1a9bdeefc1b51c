"""How often classes occur, and the weights that make up for it."""

import numpy as np

from fcn_jax.data import contracts
from fcn_jax.data.contracts import Source


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
    pixels = np.zeros(head.num_classes)
    of_images = np.zeros(head.num_classes)
    for index in range(len(source)):
        labels = np.asarray(source[index]["labels"])
        counts = np.bincount(labels[labels != head.ignore_label], minlength=256)
        counts = counts[: head.num_classes]
        pixels += counts
        of_images[counts > 0] += counts.sum()
    return np.divide(pixels, of_images, np.zeros_like(pixels), where=of_images > 0)


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
