"""Names and colours of classes."""

import numpy as np

from fcn_jax.data import label_sets


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
