"""Names and colours of classes in text files, in the forms that tools write."""

import numpy as np
import pytest

from fcn_jax.data import label_files, label_sets


def test_names_are_read_in_order(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("sky\n\n  dining table \nbüro\n", encoding="utf-8")
    assert label_files.read_classes(path) == ("sky", "dining table", "büro")


def test_a_mark_of_the_byte_order_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("sky\r\nroad\r\n", encoding="utf-8-sig")
    assert label_files.read_classes(path) == ("sky", "road")


def test_names_are_text(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_bytes("büro".encode("latin-1"))
    with pytest.raises(ValueError, match="classes.txt is no text in UTF-8 .*; save it"):
        label_files.read_classes(path)


def test_a_file_names_a_class(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("\n \n")
    with pytest.raises(
        ValueError, match="classes.txt names no class; write one name a"
    ):
        label_files.read_classes(path)


def test_names_differ(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("sky\nroad\nsky \n")
    with pytest.raises(
        ValueError, match="names 'sky' more than once; names must differ"
    ):
        label_files.read_classes(path)


def test_names_are_at_most_255(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("\n".join(f"c{number}" for number in range(255)))
    assert len(label_files.read_classes(path)) == 255
    path.write_text("\n".join(f"c{number}" for number in range(256)))
    with pytest.raises(
        ValueError, match="names 256 classes; .* at most 255 are possibl"
    ):
        label_files.read_classes(path)


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
    palette = label_files.read_palette(path, CLASSES)
    assert (palette.shape, palette.dtype) == ((256, 3), np.uint8)
    expected = [[128, 128, 255], [10, 20, 30], [1, 2, 3]]
    np.testing.assert_array_equal(palette[:3], expected)
    np.testing.assert_array_equal(palette[255], 0)
    # A colour of no class would otherwise be read as a label that does not exist.
    np.testing.assert_array_equal(palette[3:255], np.tile(palette[0], (252, 1)))


def test_a_palette_without_void_has_that_of_voc(tmp_path):
    path = tmp_path / "colours.txt"
    path.write_text("1 2 3\n4 5 6")
    palette = label_files.read_palette(path, ("a", "b"))
    np.testing.assert_array_equal(palette[255], (224, 224, 192))
    np.testing.assert_array_equal(palette[:2], [(1, 2, 3), (4, 5, 6)])


def test_a_class_may_be_called_void(tmp_path):
    path = tmp_path / "colours.txt"
    path.write_text("void 1 2 3\nroad 4 5 6")
    palette = label_files.read_palette(path, ("void", "road"))
    np.testing.assert_array_equal(palette[0], (1, 2, 3))
    np.testing.assert_array_equal(palette[255], (224, 224, 192))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n\n4 5\n", "colours.txt, line 3: '4 5' is no colour; .* from 0 to 255"),
        ("sky 1 2 256", "line 1: 'sky 1 2 256' is no colour; expected 'R G B', 'n"),
        ("1 2 -3", "line 1: '1 2 -3' is no colour"),
        ("1.5,2,3", "line 1: '1.5,2,3' is no colour"),
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
        label_files.read_palette(path, CLASSES)


def test_a_palette_that_is_not_there(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="colours.txt does not exist; expected a text file with"
    ):
        label_files.read_palette(tmp_path / "colours.txt", CLASSES)


COLOURS = [(0, 0, 0), (250, 50, 83), (51, 221, 255)]
NAMES = ("background", "cat", "traffic sign")
FORMS = {
    # Datumaro 1.13.12 and CVAT.
    "labelmap.txt": (
        "# label:color_rgb:parts:actions\n"
        "background:0,0,0::\ncat:250,50,83::\ntraffic sign:51,221,255::\n"
    ),
    # CamVid's own, and Datumaro 1.13.12, "camvid".
    "label_colors.txt": "0 0 0 background\n250 50 83\tcat\n51 221 255 traffic sign\n",
    # Semantic Segmentation Suite; its columns have other names here and there.
    "class_dict.csv": (
        "name, r, g, b\nbackground,0,0,0\ncat, 250, 50, 83\ntraffic sign,51,221,255\n"
    ),
    "classes.txt": "background #000000\ncat #FA3253\ntraffic sign #33ddff\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_names_and_colours_of_tools(tmp_path, name):
    (tmp_path / name).write_text(FORMS[name])
    found = label_files.find(tmp_path)
    assert (found.path, found.classes) == (tmp_path / name, NAMES)
    np.testing.assert_array_equal(found.palette[:3], COLOURS)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_is_a_palette(tmp_path, form):
    (tmp_path / "any.txt").write_text(FORMS[form])
    palette = label_files.read_palette(tmp_path / "any.txt", NAMES)
    np.testing.assert_array_equal(palette[:3], COLOURS)


@pytest.mark.parametrize("text", ("7,8,9", "#070809 sky", "sky\t7\t8 9", "7 8 9,sky"))
def test_a_colour_may_stand_in_other_ways(tmp_path, text):
    (tmp_path / "any.txt").write_text(text)
    palette = label_files.read_palette(tmp_path / "any.txt", ("sky",))
    np.testing.assert_array_equal(palette[0], (7, 8, 9))


def test_a_labelmap_without_colours_has_those_of_voc(tmp_path):
    """Datumaro 1.13.12 leaves them out where none were given."""
    (tmp_path / "labelmap.txt").write_text("# label:c:p:a\nbackground:::\ncat:::\n")
    found = label_files.find(tmp_path)
    assert found.classes == ("background", "cat")
    np.testing.assert_array_equal(found.palette, label_sets.VOC.palette)


def test_what_a_tool_calls_void_is_no_class(tmp_path):
    """Datumaro 1.13.12, label_map="voc", ends with VOC's border."""
    (tmp_path / "labelmap.txt").write_text("a:1,2,3::\nb:4,5,6::\nignored:7,8,9::\n")
    found = label_files.find(tmp_path)
    assert found.classes == ("a", "b")
    expected = [(1, 2, 3), (4, 5, 6), (7, 8, 9)]
    np.testing.assert_array_equal(found.palette[[0, 1, 255]], expected)
    # labelme2voc.py of labelme 7.1.0; its __ignore__ is 255 in the masks.
    (tmp_path / "labelmap.txt").unlink()
    (tmp_path / "class_names.txt").write_text("__ignore__\n_background_\ncat")
    found = label_files.find(tmp_path)
    assert (found.classes, found.palette) == (("_background_", "cat"), None)


def test_the_first_file_of_names_counts(tmp_path):
    assert label_files.find(tmp_path) is None
    for name in reversed(label_files.FILES):
        (tmp_path / name).write_text(f"{name[:-4]}\nother\n")
        assert label_files.find(tmp_path).classes[0] == name[:-4]


def test_numbers_may_be_part_of_a_name(tmp_path):
    (tmp_path / "classes.txt").write_text("background\nlane 1 2 3\n")
    found = label_files.find(tmp_path)
    assert (found.classes, found.palette) == (("background", "lane 1 2 3"), None)


@pytest.mark.parametrize("between", (",", "; ", "\t"))
def test_all_names_on_one_line(tmp_path, between):
    (tmp_path / "classes.txt").write_text(f"ground{between}cat{between}dog\n")
    message = "classes.txt has a single line, 'ground.*'; write one name a line"
    with pytest.raises(ValueError, match=message):
        label_files.read_classes(tmp_path / "classes.txt")
