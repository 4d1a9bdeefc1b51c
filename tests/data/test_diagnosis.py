"""What is said of masks whose values are no labels."""

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import checks, diagnosis


def explain(values, num_classes):
    return diagnosis.explain(np.bincount(values, minlength=256), num_classes)


@pytest.mark.parametrize(
    ("held", "flag"),
    [
        ([0, 128, 255], "0,128,255"),
        ([0, 127, 255], "0,127,255"),
        ([0, 85, 170, 255], "0,85,170,255"),
        ([0, 64, 128, 191, 255], "0,64,128,191,255"),
    ],
)
def test_labels_spread_over_0_to_255(held, flag):
    """matplotlib's imsave and grey maps of editors do so."""
    text = explain(held, len(held))
    assert f'--config.data.mask_values="({flag})"' in text
    assert "spread evenly over 0 to 255" in text


def test_a_smooth_border():
    """A black and white mask that was made smaller with interpolation."""
    mask = Image.fromarray(np.kron([[0, 255], [0, 0]], np.ones((64, 64))).astype("u1"))
    grey = np.asarray(mask.resize((96, 96), Image.Resampling.BICUBIC))
    with pytest.raises(
        ValueError, match="resized with interpolation, drawn with smo.* are 0 or 255"
    ):
        checks.check_labels(grey, 2, 255, "m.png")


def test_one_value_more_than_classes():
    assert "reduce_zero_label=True; else name all 4" in explain([0, 0, 1, 2, 3], 3)


def test_another_value_for_void():
    assert "set --config.data.void_label=254" in explain([0, 1, 254], 3)


def test_other_values():
    text = explain([0, 1, 7, 8, 11], 3)
    assert text.startswith("Map the masks to these (--config.data.mask_values=(...)")


@pytest.mark.parametrize("num_classes", (2, 12))
def test_true_labels_are_not_taken_for_smooth(num_classes):
    """Ten classes of one size each, two of them beyond those named."""
    values = np.repeat(np.arange(num_classes + 2), 50)
    assert "resized" not in explain(values, num_classes)
