"""Tables of labels."""

import pytest

from fcn_jax.data.imports import label_table
from fcn_jax.data.imports.contracts import Key

TEXT = """# What masks hold
0 -> background
128, 64,128 -> road
#6B8E23 -> green
traffic light -> road
7->void
* -> void
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.txt"


def read(path, text):
    path.write_text(text)
    return label_table.read(path)


def test_values_colours_and_names(path):
    table = read(path, TEXT)
    assert (table.classes, table.by_colour) == (("background", "road", "green"), True)
    assert table.class_of(Key(0)) == "background"
    assert table.class_of(Key(3, colour=(128, 64, 128))) == "road"
    assert table.class_of(Key(3, colour=(107, 142, 35))) == "green"
    assert table.class_of(Key(12, "traffic light")) == "road"
    assert table.class_of(Key(7)) == "void"
    assert (table.class_of(Key(8)), table.lefts_of(Key(8))) == ("void", [])
    assert table.lefts_of(Key(7)) == ["7"]
    assert table.lefts_of(Key(12, "traffic light")) == ["traffic light"]


def test_names_that_look_like_numbers_and_colours(path):
    """They are names where the format has them, and numbers elsewhere."""
    table = read(path, "00 -> zero\n01 -> one\n02 -> two\n1,2,3 -> red\n* -> void\n")
    assert [table.class_of(Key(value)) for value in range(4)] == [
        *("zero", "one", "two", "void")
    ]
    of_format = table.for_names(("00", "01", "02", "03", "1,2,3"))
    for shift in (0, 1):
        found = [of_format.class_of(Key(i + shift, f"0{i}")) for i in range(4)]
        assert found == ["zero", "one", "two", "void"]
    assert of_format.class_of(Key(9, "1,2,3")) == "red"
    assert not of_format.by_colour
    keys = [Key(0, "300,0,0", default="a"), Key(1, "b", default="b")]
    assert label_table.table_of(keys, False).class_of(keys[0]) == "a"
    own = [Key(i + 1, f"{i}", internal=True) for i in range(3)]
    assert [table.class_of(key) for key in own] == ["void"] * 3


def test_without_others_a_value_is_of_no_class(path):
    table = read(path, "0 -> a\n1 -> b\n")
    assert table.class_of(Key(2)) is None
    assert not table.by_colour


def test_what_is_written_is_read_back(path):
    rows = [("0", "a"), ("#804080", "b c"), ("x -> y", "b c"), ("*", "void")]
    table = read(path, label_table.written(rows))
    assert table.class_of(Key(1, "x -> y")) == "b c"
    assert table.class_of(Key(2, colour=(128, 64, 128))) == "b c"
    assert table.classes == ("a", "b c")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "0 = a\n",
            r"labels.txt: '0 = a' is not understood; expected 'VALUE -> CLASS'",
        ),
        ("0 -> \n", r"'0 ->' is not understood"),
        ("0 -> a\n00 -> b\n", r"'00' stands on the left more than once; give it one"),
        ("256,0,0 -> a\n", r"'256,0,0 -> a' has no colour on its left"),
        ("0 -> a\n1 -> void\n", r"labels.txt: one class, 'a'; a network chooses"),
        ("0 -> void\n", r"labels.txt: no class; a network chooses"),
        (
            "".join(f"{i} -> c{i}\n" for i in range(256)),
            "256 classes; labels are 8 bits",
        ),
    ],
)
def test_bad_tables(path, text, message):
    with pytest.raises(ValueError, match=message):
        read(path, text)


def test_a_table_that_is_not_there(path):
    with pytest.raises(
        FileNotFoundError, match="labels.txt does not exist; expected a"
    ):
        label_table.read(path)
