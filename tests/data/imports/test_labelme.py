"""labelme 7.1.0 to 7.9.1: JSON files, and the folder that labelme2voc.py writes."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import imports, label_sets
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import label_table, writing
from fcn_jax.data.imports.contracts import NOTHING
from tests.support import folders

HEADER = Header(*folders.SIZE)
SQUARE = [[1, 1], [4, 1], [4, 4], [1, 4]]


def shape(label, points=SQUARE, kind="polygon", **more):
    return {
        "label": label, "points": points, "shape_type": kind,
        "group_id": None, "description": "", "flags": {}, "mask": None, **more,
    }  # fmt: skip


def write(root, *shapes, name="a", **changes):
    folders.save(root / f"{name}.jpg", folders.photo())
    height, width = folders.SIZE
    record = {
        "version": "7.9.1", "flags": {}, "shapes": list(shapes),
        "imagePath": f"{name}.jpg", "imageData": None,
        "imageHeight": height, "imageWidth": width, **changes,
    }  # fmt: skip
    (root / f"{name}.json").write_text(json.dumps(record))
    return root


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "png")
    return base64.b64encode(stream.getvalue()).decode()


def drawn(root):
    (example,) = imports.read("labelme", root).examples
    return example.read(HEADER)


def test_shapes_lie_over_each_other_in_their_order(tmp_path):
    write(tmp_path, shape("dog"), shape("cat", [[3, 0], [9, 9]], "rectangle"))
    expected = np.full(folders.SIZE, NOTHING)
    expected[1:5, 1:5] = 2
    expected[0:10, 3:10] = 1
    np.testing.assert_array_equal(drawn(tmp_path), expected)
    keys = [
        (k.value, k.name, k.default) for k in imports.read("labelme", tmp_path).keys
    ]
    assert keys == [
        (NOTHING, "background", "background"),
        (1, "cat", "cat"),
        (2, "dog", "dog"),
    ]


NUMBERED = ("00", "01", "02", "car ", "car", "#0a0b0c")


def test_names_that_look_like_numbers(tmp_path):
    """Their values are counted here, from 1, and are in no table."""
    src = tmp_path / "src"
    for i, name in enumerate(NUMBERED):
        write(
            src, shape(name), shape("car", [[9, 9], [11, 11]], "rectangle"), name=f"{i}"
        )
    text = "00 -> zero\n01 -> one\n02 -> two\n* -> void\n"
    (tmp_path / "labels.txt").write_text(text)
    table = label_table.read(tmp_path / "labels.txt")
    report = writing.write(imports.read("labelme", src), tmp_path / "dst", table)
    of_rows = {row.value: (row.name, row.images) for row in report.rows}
    assert of_rows == {
        "00": ("zero", 1), "01": ("one", 1), "02": ("two", 1), "car": ("void", 6),
        "#0a0b0c": ("void", 1), "background": ("void", 6),
    }  # fmt: skip
    assert not [note for note in report.notes if "in nothing" in note]


def test_the_table_that_was_used_makes_the_same_masks(tmp_path):
    src = tmp_path / "src"
    for i, name in enumerate(NUMBERED):
        write(
            src, shape(name), shape("car", [[9, 9], [11, 11]], "rectangle"), name=f"{i}"
        )
    collection = imports.read("labelme", src)
    writing.write(collection, tmp_path / "first")
    table = label_table.read(tmp_path / "first/labels.txt")
    report = writing.write(collection, tmp_path / "second", table)
    assert report.classes == ("background", "#0a0b0c", "00", "01", "02", "car")
    assert not [note for note in report.notes if "in nothing" in note]
    first, second = (
        [np.asarray(Image.open(p)) for p in sorted(tmp_path.glob(f"{name}/Seg*/*.png"))]
        for name in ("first", "second")
    )
    assert len(first) == len(NUMBERED)
    assert [mask[2, 2] for mask in first] == [2, 3, 4, 5, 5, 1]
    np.testing.assert_array_equal(first, second)


def test_names_that_labelme_reserves(tmp_path):
    write(tmp_path, shape("__ignore__"), shape("_background_"), shape("cat"))
    found = {key.name: key.default for key in imports.read("labelme", tmp_path).keys}
    assert (found["__ignore__"], found["_background_"]) == ("void", "background")


@pytest.mark.parametrize(
    ("points", "rows", "columns"),
    [
        ([[2, 1], [4, 2]], slice(1, 3), slice(2, 5)),
        ([[2.4, 1.2], [9.9, 9.9]], slice(1, 4), slice(2, 6)),  # Its own size.
        ([[-2, -1], [1, 1]], slice(0, 2), slice(0, 2)),
        ([[14, 10], [17, 12]], slice(10, 12), slice(14, 16)),
        ([[40, 40], [43, 42]], slice(0, 0), slice(0, 0)),
    ],
)
def test_masks_in_boxes(tmp_path, points, rows, columns):
    patch = np.full((3, 4), 255, np.uint8)
    write(tmp_path, shape("cat", points, "mask", mask=png(patch)))
    expected = np.full(folders.SIZE, NOTHING)
    expected[rows, columns] = 1
    np.testing.assert_array_equal(drawn(tmp_path), expected)


def test_an_image_in_the_json_alone_is_written_out(tmp_path):
    src = write(tmp_path / "src", shape("cat"), imageData=png(folders.photo()))
    (src / "a.jpg").rename(src / "away")
    writing.write(imports.read("labelme", src), tmp_path / "dst")
    assert not (tmp_path / "dst/JPEGImages/a.jpg").is_symlink()
    with Image.open(tmp_path / "dst/JPEGImages/a.jpg") as image:
        np.testing.assert_array_equal(np.asarray(image), folders.photo())


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(16, 12, (16, 12)), (None, None, (16, 12)), (12, 16, (12, 16))],
)
def test_points_are_those_of_the_photo_that_was_shown(tmp_path, height, width, size):
    """Upright; where the sizes in the JSON are those that are stored, as it is."""
    write(tmp_path, shape("cat"), imageHeight=height, imageWidth=width)
    found = imports.read("labelme", tmp_path)
    assert found.upright
    assert found.examples[0].read(Header(12, 16, 6)).shape == size


def test_a_whole_path_of_another_machine(tmp_path):
    write(tmp_path, shape("cat"), imagePath="C:\\Users\\me\\a.jpg")
    (example,) = imports.read("labelme", tmp_path).examples
    assert example.image == tmp_path / "a.jpg"


def test_paths_of_windows_and_sub_folders(tmp_path):
    write(tmp_path / "json", shape("cat"), name="a")
    (tmp_path / "json/a.jpg").rename(tmp_path / "a b.jpg")
    record = json.loads((tmp_path / "json/a.json").read_text())
    record["imagePath"] = "..\\a b.jpg"
    (tmp_path / "json/a.json").write_text(json.dumps(record))
    (example,) = imports.read("labelme", tmp_path).examples
    assert (example.name, example.image.is_file()) == ("json/a", True)


def test_what_its_exporter_writes(tmp_path):
    """labelme2voc.py --noobject: no lists, __ignore__ as 255."""
    folders.write(
        tmp_path / "src",
        ("a", "b", "c"),
        classes="",
        masks=lambda p, x: folders.save(
            p, np.where(x > 1, 255, x).astype("u1"), label_sets.VOC.palette
        ),
    )
    (tmp_path / "src/ImageSets/Segmentation/train.txt").unlink()
    (tmp_path / "src/class_names.txt").write_text("_background_\ncat")
    report = writing.write(imports.read("labelme", tmp_path / "src"), tmp_path / "dst")
    assert report.images == {"train": 2, "val": 1}
    assert report.classes == ("_background_", "cat")
    mask = np.asarray(Image.open(tmp_path / "dst/SegmentationClass/b.png"))
    expected = np.array([0, 1, 255])[folders.labels(seed=1)]
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    ("shapes", "changes", "message"),
    [
        (
            [shape("cat", SQUARE[:2])],
            {},
            r"a.json, shape 0 .cat.: a polygon with 2 point",
        ),
        (
            [shape("cat", ["x"])],
            {},
            r"a.json, shape 0 .cat.: 'x' is no point; expected",
        ),
        (
            [shape("cat", [[1, float("nan")]])],
            {},
            "nan is no coordinate; expected pixe",
        ),
        ([shape("cat", None)], {}, "'points' is missing; expected a list"),
        ([shape(5)], {}, "a.json, a shape: 'label' is 5; expected text"),
        ([shape("cat", kind="mask", mask="")], {}, "a mask with 4 points; it has 2"),
        ([shape("c", SQUARE[:2], "mask", mask="?")], {}, "mask is no base64"),
        ([shape("c", SQUARE[:2], "mask", mask="AAAA")], {}, "its mask is no image"),
        ([], {}, "no image has a shape, so that all would be background; draw"),
        (
            [shape("cat")],
            {"imageHeight": 24, "imageWidth": 32},
            "a.json: its shapes are of an image of 24x32 .*, but a.jpg is 12x16; put",
        ),
        ([], {"shapes": None}, "a.json: 'shapes' is missing; expected a list"),
    ],
)
def test_what_is_not_labelme_s(tmp_path, shapes, changes, message):
    write(tmp_path, *shapes, **changes)
    with pytest.raises(ValueError, match=message):
        drawn(tmp_path)


def test_json_that_is_not_labelme_s_is_told(tmp_path):
    """Our own import.json, a COCO JSON, a list."""
    write(tmp_path, shape("cat"))
    (tmp_path / "made").mkdir()
    others = {"coco": {"images": []}, "list": [1], "made/import": {"rows": []}}
    for name, record in others.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    found = imports.read("labelme", tmp_path)
    assert [each.name for each in found.examples] == ["a"]
    assert found.notes == [
        "3 JSON files with neither shapes nor an imagePath are left out, as not "
        "labelme's: coco.json, list.json, made/import.json"
    ]
    (tmp_path / "a.json").unlink()
    with pytest.raises(
        FileNotFoundError, match="no JSON of labelme's .coco.json, .* have neither shap"
    ):
        imports.read("labelme", tmp_path)


def test_files_that_are_missing(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="holds no JSON of labelme's, nor Segmen"
    ):
        imports.read("labelme", tmp_path)
    write(tmp_path, shape("cat"))
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(
        FileNotFoundError, match="a.jpg does not exist, which .*a.json is"
    ):
        imports.read("labelme", tmp_path)


@pytest.mark.parametrize("label", ("a\nb", "a\u2028b", "# c", "#", "\ud800"), ids=ascii)
def test_names_that_no_line_of_classes_txt_can_hold(tmp_path, label):
    """Their second lines would be classes, and the names of all others wrong."""
    write(tmp_path / "src", shape(label), shape("dog"))
    found = imports.read("labelme", tmp_path / "src")
    with pytest.raises(ValueError, match="the class .* cannot be a line of classes.tx"):
        writing.write(found, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("shapes", "message"),
    (
        ([shape(" ")], "a.json: a shape's label is empty; name it, or rem"),
        (
            [shape("a", SQUARE[:3:2], "mask", mask=png(np.ones((4, 4, 3), np.uint8)))],
            r"a.json, shape 0 .a.: its mask has 3 channels; it has one",
        ),
        (
            [shape("a", SQUARE[:3:2], "mask", mask="\xe9")],
            r"a.json, shape 0 .a.: mask is no base64 .string argument",
        ),
    ),
)
def test_shapes_that_cannot_be_drawn(tmp_path, shapes, message):
    write(tmp_path, *shapes)
    with pytest.raises(ValueError, match=message):
        drawn(tmp_path)


def test_a_mask_of_too_many_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    mask = png(np.ones((4, 4), np.uint8))
    write(tmp_path, shape("a", SQUARE[:3:2], "mask", mask=mask))
    with pytest.raises(ValueError, match="a.json, shape 0 .*its mask is no image .Ima"):
        drawn(tmp_path)


@pytest.mark.parametrize("text", ("[" * 100_000, f"[1{'0' * 5000}]"), ids=len)
def test_json_of_depths_and_digits_that_are_not_read(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match="a.json is no readable JSON .*; export it on"):
        imports.read("labelme", tmp_path)


@pytest.mark.parametrize(
    ("rows", "name", "other"),
    (
        (("a -> __ignore__", "b -> x", "* -> y"), "__ignore__", "x"),  # As of a void.
        (("a -> lane 1 2 3", "b -> kerb 4 5 6", "* -> void"), "lane 1 2 3", "lane"),
    ),
)
def test_names_that_would_be_read_as_others(tmp_path, rows, name, other):
    write(tmp_path / "src", shape("a"), shape("b"))
    (tmp_path / "labels.txt").write_text("\n".join(rows))
    table = label_table.read(tmp_path / "labels.txt")
    found = imports.read("labelme", tmp_path / "src")
    text = f"classes.txt would have {other!r} in the place of the class {name!r}"
    with pytest.raises(ValueError, match=text):
        writing.write(found, tmp_path / "out", table)
    assert not (tmp_path / "out").exists()
