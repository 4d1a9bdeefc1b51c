"""How the files of a folder are to be read: values of masks, and what has no sense."""

import numpy as np
import pytest

from fcn_jax.data.options import FolderOptions


def labels(values, **options):
    return FolderOptions(**options).table[np.array(values, np.uint8)].tolist()


def test_values_are_labels():
    assert FolderOptions().table is None


def test_another_value_of_void():
    assert labels([0, 1, 253, 254, 255], void_label=254) == [0, 1, 253, 255, 255]


def test_zero_is_void():
    found = labels([0, 1, 2, 150, 254, 255], reduce_zero_label=True)
    assert found == [255, 0, 1, 149, 253, 255]


def test_zero_and_another_value_are_void():
    found = labels([0, 1, 9, 255], reduce_zero_label=True, void_label=9)
    assert found == [255, 0, 255, 255]


def test_the_value_of_each_class():
    found = labels([0, 255, 128, 1], mask_values=(0, 255, 128))
    assert found == [0, 1, 2, 255]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing_mask": "sky"}, "missing_mask='sky' is not known; use one of error,"),
        ({"split": 1.0}, "config.data.split=1.0 is no share; give the part of"),
        ({"split": -0.1}, "split=-0.1 is no share"),
        ({"mask_values": (0, 256)}, r"mask_values=\(0, 256\) is not understood; masks"),
        ({"mask_values": (0, 1, 0)}, r"mask_values=\(0, 1, 0\) .* has one of its own"),
        (
            {"void_label": -1},
            "data.void_label=-1 is not understood; masks hold whole n",
        ),
        ({"void_label": 0.5}, "data.void_label=0.5 is not understood"),
        ({"split_seed": -1}, "data.split_seed=-1 is no seed; give a whole number from"),
        (
            {"mask_values": (0, 1), "reduce_zero_label": True},
            "mask_values names the value of every class, .* leave void_label and",
        ),
    ],
)
def test_what_has_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FolderOptions(**options)


def test_values_of_a_config_that_was_read_from_json():
    assert FolderOptions(mask_values=[0, 255]) == FolderOptions(mask_values=(0, 255))
    with pytest.raises(ValueError, match="0.0, 1.5.* is not understood; masks hold wh"):
        FolderOptions(mask_values=(0.0, 1.5))
