"""Batches of a source of noise, and whether they are alike."""

import itertools

import numpy as np

from fcn_jax.data import loader
from fcn_jax.data.loader import Augmentation
from tests.support.noise import Source

ALL = Augmentation(
    flip=True,
    scale=(0.5, 2.0),
    crop=(9, 7),
    jitter=2,
    brightness=0.2,
    rotation=20.0,
    blur=1.0,
    hue=30.0,
    saturation=0.5,
    contrast=0.3,
    cutout=(3, 2),
    class_mix=0.5,
)


def mixed_source():
    """Seven images, four wide and three high."""
    return Source([(6, 10), (10, 6), (7, 9), (9, 7), (6, 8), (5, 9), (8, 8)])


def train(source, count, **options):
    options = {"batch_size": 2, "seed": 3, "num_classes": 3, **options}
    return list(itertools.islice(loader.train_batches(source, **options), count))


def evaluate(source, **options):
    options = {"batch_size": 2, "num_classes": 3, **options}
    return list(loader.eval_batches(source, **options))


def seen(batches):
    return [int(index) for batch in batches for index in batch["index"]]


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
