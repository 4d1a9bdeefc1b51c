"""Names and colours of classes."""

import numpy as np
import pytest

from fcn_jax.data import DATASETS, label_sets
from fcn_jax.data.contracts import Head


def test_the_colours_of_voc():
    palette = label_sets.voc_palette()
    assert (palette.shape, palette.dtype) == ((256, 3), np.uint8)
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        2: (0, 128, 0),
        3: (128, 128, 0),
        4: (0, 0, 128),
        8: (64, 0, 0),
        15: (192, 128, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    for label, colour in known.items():
        assert tuple(palette[label]) == colour
    assert len(np.unique(palette, axis=0)) == 256


def test_the_classes_of_voc():
    classes = label_sets.VOC.classes
    assert len(classes) == len(set(classes)) == 21
    assert (classes[0], classes[15], classes[20]) == (
        "background",
        "person",
        "tvmonitor",
    )
    assert list(classes[1:]) == sorted(classes[1:])
    assert label_sets.VOC.ignore_label == 255
    np.testing.assert_array_equal(label_sets.VOC.palette, label_sets.voc_palette())


def test_who_recolours_one_data_set_does_not_recolour_all():
    own = label_sets.voc_palette()
    for given in (
        label_sets.VOC,
        label_sets.NYUD,
        DATASETS["shapes"].heads[0],
        Head("", ("a", "b"), own),
    ):
        with pytest.raises(ValueError, match="read-only"):
            given.palette[1] = 7
    own[1] = 7  # It is its owner's.
    assert label_sets.VOC.palette.tolist() == label_sets.voc_palette().tolist()
