"""Names and colours of classes."""

import numpy as np
import pytest

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


def test_names_are_read_in_order(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("sky\n\n  dining table \nbüro\n", encoding="utf-8")
    assert label_sets.read_classes(path) == ("sky", "dining table", "büro")


def test_a_mark_of_the_byte_order_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("sky\r\nroad\r\n", encoding="utf-8-sig")
    assert label_sets.read_classes(path) == ("sky", "road")


def test_names_are_text(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_bytes("büro".encode("latin-1"))
    with pytest.raises(ValueError, match="classes.txt is no text in UTF-8 .*; save it"):
        label_sets.read_classes(path)


def test_a_file_names_a_class(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("\n \n")
    with pytest.raises(
        ValueError, match="classes.txt names no class; write one name a"
    ):
        label_sets.read_classes(path)


def test_names_differ(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("sky\nroad\nsky \n")
    with pytest.raises(
        ValueError, match="names 'sky' more than once; names must differ"
    ):
        label_sets.read_classes(path)


def test_names_are_at_most_255(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("\n".join(f"c{number}" for number in range(255)))
    assert len(label_sets.read_classes(path)) == 255
    path.write_text("\n".join(f"c{number}" for number in range(256)))
    with pytest.raises(
        ValueError, match="names 256 classes; .* at most 255 are possibl"
    ):
        label_sets.read_classes(path)
