"""Frequencies of classes, by hand."""

import numpy as np
import pytest

from fcn_jax.config import datasets
from fcn_jax.config.base import base_config
from fcn_jax.data import frequencies
from fcn_jax.data.contracts import OneHead
from fcn_jax.data.label_sets import VOC


class Masks(OneHead):
    """Labels alone."""

    name, split, classes, palette = "masks", "train", ("a", "b", "c", "d"), VOC.palette
    ignore_label = 255

    def __init__(self, *masks):
        self.masks = [np.array(mask, np.uint8) for mask in masks]

    def __len__(self):
        return len(self.masks)

    def __getitem__(self, index):
        return {"labels": self.masks[index]}


# a: 5 of the 7 pixels of both; b: 1 of the 3 of the first; c: 1 of the 4 of the second.
MASKS = Masks([[0, 0, 1, 255]], [[0, 0, 0, 2]])


def test_a_class_counts_in_the_images_that_hold_it():
    found = frequencies.class_frequencies(MASKS)
    np.testing.assert_allclose(found, [5 / 7, 1 / 3, 1 / 4, 0])


def test_weights_are_the_median_over_the_frequency():
    found = frequencies.median_frequency_weights(np.array([5 / 7, 1 / 3, 1 / 4, 0]))
    np.testing.assert_allclose(found, [7 / 15, 1, 4 / 3, 1])
    assert frequencies.median_frequency_weights(np.zeros(2)) == (1.0, 1.0)


def config_with(**loss):
    config = base_config()
    config.loss.update(loss)
    return config


def test_weights_that_a_config_asks_for():
    assert datasets.class_weights(config_with(), MASKS) == ()
    found = datasets.class_weights(config_with(balance="median_frequency"), MASKS)
    np.testing.assert_allclose(found, [7 / 15, 1, 4 / 3, 1])
    older = base_config()
    with older.unlocked():
        del older.loss.balance
    assert datasets.class_weights(older, MASKS) == ()


def test_void_alone_has_no_frequencies():
    void = Masks([np.full((2, 3), 255)])
    with pytest.raises(
        ValueError, match="balance='median_frequency' weighs classes by "
    ):
        datasets.class_weights(config_with(balance="median_frequency"), void)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"balance": "median"}, "loss.balance='median' is not known; use 'median_freq"),
        (
            {"balance": "median_frequency", "class_weights": (1.0, 2.0)},
            r"balance='median_frequency' and .*\(1.0, 2.0\) both weigh .*; give one",
        ),
    ],
)
def test_balances_without_sense(loss, message):
    with pytest.raises(ValueError, match=message):
        datasets.class_weights(config_with(**loss), MASKS)
