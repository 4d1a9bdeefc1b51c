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


PALETTE = """\
sky 128 128 255

  traffic sign  10 20 30
void 0 0 0
1\t2   3
"""
CLASSES = ("sky", "traffic sign", "road")


def test_a_palette_is_read_in_order(tmp_path):
    path = tmp_path / "colours.txt"
    path.write_text(PALETTE)
    palette = label_sets.read_palette(path, CLASSES)
    assert (palette.shape, palette.dtype) == ((256, 3), np.uint8)
    expected = [[128, 128, 255], [10, 20, 30], [1, 2, 3]]
    np.testing.assert_array_equal(palette[:3], expected)
    np.testing.assert_array_equal(palette[255], 0)
    # A colour of no class would otherwise be read as a label that does not exist.
    np.testing.assert_array_equal(palette[3:255], np.tile(palette[0], (252, 1)))


def test_a_palette_without_void_has_that_of_voc(tmp_path):
    path = tmp_path / "colours.txt"
    path.write_text("1 2 3\n4 5 6")
    palette = label_sets.read_palette(path, ("a", "b"))
    np.testing.assert_array_equal(palette[255], (224, 224, 192))
    np.testing.assert_array_equal(palette[:2], [(1, 2, 3), (4, 5, 6)])


def test_a_class_may_be_called_void(tmp_path):
    path = tmp_path / "colours.txt"
    path.write_text("void 1 2 3\nroad 4 5 6")
    palette = label_sets.read_palette(path, ("void", "road"))
    np.testing.assert_array_equal(palette[0], (1, 2, 3))
    np.testing.assert_array_equal(palette[255], (224, 224, 192))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n\n4 5\n", "colours.txt, line 3: '4 5' is no colour; .* from 0 to 255"),
        ("sky 1 2 256", "line 1: 'sky 1 2 256' is no colour; expected 'R G B' or"),
        ("1 2 -3", "line 1: '1 2 -3' is no colour"),
        ("1,2,3", "line 1: '1,2,3' is no colour"),
        ("1 2 3\n4 5 6\n1 2 3", r"line 3: colour \(1, 2, 3\) stands on line 1 already"),
        ("void 1 2 3\nvoid 4 5 6", "line 2: void has a colour already; give it one"),
        (
            "1 1 1\n2 2 2\n3 3 3\n\n4 4 4",
            "line 5: '4 4 4' is one colour more than the 3",
        ),
        (
            "sky 1 2 3\nroad 4 5 6",
            "line 2: 'road' stands where class 1 is 'traffic sig",
        ),
        (
            "1 1 1\n2 2 2\n",
            "ends after line 2 without a colour for class 2, 'road'; g",
        ),
        ("", "ends after line 0 without a colour for class 0, 'sky'; giv"),
    ],
)
def test_a_wrong_palette_names_its_line(tmp_path, text, message):
    path = tmp_path / "colours.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        label_sets.read_palette(path, CLASSES)


def test_a_palette_that_is_not_there(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="colours.txt does not exist; expected a text file with"
    ):
        label_sets.read_palette(tmp_path / "colours.txt", CLASSES)
