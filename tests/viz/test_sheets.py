"""Sheets of images with their labels over them."""

import numpy as np
import pytest

from fcn_jax.data.label_sets import voc_palette
from fcn_jax.viz import labels as drawing
from fcn_jax.viz import sheets


def test_a_sheet_of_overlays():
    """Four abreast, each no wider than its cell, small ones as they are."""
    image, mask = np.full((10, 20, 3), 90, np.uint8), np.ones((10, 20), np.uint8)
    rows = [(f"image {i}", image, mask) for i in range(5)]
    rows[0] = ("wide", np.full((50, 480, 3), 90, np.uint8), np.ones((50, 480), "u1"))
    sheet = sheets.overlay_sheet(rows, ("ground", "car"), voc_palette())
    assert sheet.shape[1] == 4 * 246 + 6
    inside = drawing.overlay(image, mask, palette=voc_palette())[0, 0]
    np.testing.assert_array_equal(sheet[22 + 5, 6 + 246 + 5], inside)
    assert (sheet[22 + 5, 6 + 246 + 25] == 255).all()


def test_a_sheet_of_nothing():
    with pytest.raises(ValueError, match="overlay_sheet: no images; give at least"):
        sheets.overlay_sheet([], ("ground", "car"), voc_palette())
