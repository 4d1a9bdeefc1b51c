"""COCO instances as COCO, Datumaro 1.13.12 and Roboflow lay them out.

The expected pixels of outlines were recorded with pycocotools 2.0.11 (frPyObjects,
decode).
"""

import json
from pathlib import Path

import numpy as np
import pytest

from fcn_jax.data import imports
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import coco, coco_masks
from fcn_jax.data.imports.contracts import NOTHING, Places
from tests.support import folders

SIZE = (6, 8)
HEADER = Header(*SIZE)
CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}]
SQUARE = [1, 1, 5, 1, 5, 4, 1, 4]


def annotation(shape, category=3, image=1, **more):
    return {
        "id": 7, "image_id": image, "category_id": category, "segmentation": shape,
        **more,
    }  # fmt: skip


def write(root, annotations, place="annotations/instances_train.json", **changes):
    record = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 6, "width": 8}],
        "categories": CATEGORIES,
        "annotations": annotations,
        **changes,
    }
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    return path


@pytest.fixture
def root(tmp_path):
    folders.save(tmp_path / "images/train/a.jpg", folders.photo(size=SIZE))
    return tmp_path


def drawn(root, *annotations, **changes):
    write(root, list(annotations), **changes)
    (example,) = imports.read("coco", root).examples
    return example.read(HEADER)


def test_an_outline_of_whole_numbers_covers_what_pycocotools_covers(root):
    expected = np.full(SIZE, NOTHING)
    expected[1:4, 1:5] = 3
    np.testing.assert_array_equal(drawn(root, annotation([SQUARE])), expected)


RECORDED = [
    (
        [0.3, 0.2, 6.7, 1.1, 3.2, 5.6],
        [".#......", ".#####..", "..####..", "..###...", "...#....", "........"],
    ),
    (
        [-3, -3, 20, 2, 4, 9],
        ["########", "########", "########", ".#######", ".#######", "..######"],
    ),
    (
        [1.5, 1.5, 1.5, 4.5, 6.5, 4.5, 6.5, 1.5, 3, 3],
        ["........", "........", "..#.###.", "..#####.", "..#####.", "........"],
    ),
    ([30, 30, 40, 30, 40, 40], ["........"] * 6),
]


@pytest.mark.parametrize(("outline", "rows"), RECORDED)
def test_outlines_as_pycocotools_draws_them(outline, rows):
    found = coco_masks.draw_polygon(SIZE, outline)
    assert ["".join(".#"[int(x)] for x in row) for row in found] == rows


def test_later_annotations_lie_over_earlier_ones(root):
    values = drawn(
        root, annotation([SQUARE]), annotation([[3, 0, 8, 0, 8, 6, 3, 6]], 90)
    )
    assert (values[2, 2], values[2, 3], values[0, 0]) == (3, 90, NOTHING)


RUNS = {"size": [6, 8], "counts": [7, 3, 3, 3, 32]}  # Rows 1 to 3 of columns 1 and 2.


@pytest.mark.parametrize("counts", (RUNS["counts"], "7330m0"))
def test_run_lengths_go_down_the_columns(root, counts):
    """Datumaro marks all masks as crowds; those lie below the others."""
    runs = annotation({"size": [6, 8], "counts": counts}, 90, iscrowd=1)
    expected = np.full(SIZE, NOTHING)
    expected[1:4, 1:3] = 90
    np.testing.assert_array_equal(drawn(root, runs), expected)
    below = drawn(root, annotation([[2, 0, 8, 0, 8, 6, 2, 6]]), runs)
    assert (below[2, 1], below[2, 2]) == (90, 3)


def listed(number, name):
    return {"id": number, "file_name": name, "height": 6, "width": 8}


def test_an_image_without_annotations_is_background(root):
    folders.save(root / "images/train/b.jpg", folders.photo(size=SIZE))
    images = [listed(1, "a.jpg"), listed(2, "b.jpg")]
    write(root, [annotation([SQUARE])], images=images)
    of_a, of_b = (e.read(HEADER) for e in imports.read("coco", root).examples)
    assert (of_a == 3).any()
    assert (of_b == NOTHING).all()


def test_annotations_of_no_image_are_told(root):
    write(root, [annotation([SQUARE]), *[annotation([SQUARE], image=4)] * 2])
    assert imports.read("coco", root).notes == [
        "2 annotations whose image_id is that of no image are left out"
    ]


def test_what_via_writes(root):
    """VIA 2.0 has text for ids of images, and an outline's numbers without a list."""
    nested = drawn(root, annotation([SQUARE]))
    np.testing.assert_array_equal(drawn(root, annotation(SQUARE, "3", "1")), nested)
    np.testing.assert_array_equal(drawn(root, annotation(SQUARE, 3.0, 1.0)), nested)


@pytest.mark.parametrize("path", ("C:\\photos\\a.jpg", "/elsewhere/a.jpg", None))
def test_an_image_by_its_whole_path(root, path):
    path = path or str(root / "images/train/a.jpg")
    image = {"id": 1, "file_name": path, "height": 6, "width": 8}
    write(root, [annotation([SQUARE])], images=[image])
    (example,) = imports.read("coco", root).examples
    assert example.image == root / "images/train/a.jpg"
    assert example.name in ("a", "images/train/a")


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ([annotation([])], "background; 1 annotations without an outline of three"),
        ([annotation([SQUARE], image=4)], "background; 1 annotations whose image_id"),
        ([], "background. Export outlines or masks, with the ids"),
    ],
)
def test_a_data_set_that_is_all_background(root, annotations, told):
    write(root, annotations)
    with pytest.raises(
        ValueError, match=f"no image has an annotation with an outline, .* be {told}"
    ):
        imports.read("coco", root)


def test_names_with_blanks_around(root):
    names = [{"id": 3, "name": "cat "}, {"id": 90, "name": "\tdog"}]
    write(root, [annotation([SQUARE])], categories=names)
    keys = imports.read("coco", root).keys
    assert [(key.name, key.default) for key in keys[1:]] == [("cat",) * 2, ("dog",) * 2]


def test_boxes_alone_are_left_out(root):
    write(root, [annotation([]), annotation([[1, 1, 2, 2]]), annotation([SQUARE])])
    found = imports.read("coco", root)
    assert found.notes == [
        "2 annotations without an outline of three points are left out"
    ]
    assert [(key.value, key.name) for key in found.keys] == [
        (NOTHING, "background"),
        (3, "cat"),
        (90, "dog"),
    ]


@pytest.mark.parametrize(
    ("place", "image", "split"),
    [
        ("annotations/instances_train2017.json", "train2017/a.jpg", "train"),
        ("annotations/instances_val.json", "images/val/a.jpg", "val"),
        ("annotations/instances_default.json", "images/default/a.jpg", ""),
        ("valid/_annotations.coco.json", "valid/a.jpg", "valid"),
        ("result.json", "a.jpg", ""),
    ],
)
def test_where_images_lie_and_what_their_split_is(tmp_path, place, image, split):
    path = folders.save(tmp_path / image, folders.photo(size=SIZE))
    (tmp_path / "annotations").mkdir(exist_ok=True)
    (tmp_path / "annotations/captions_val.json").write_text("{}")
    if place == "result.json":
        (tmp_path / "annotations/captions_val.json").unlink()
    file = write(tmp_path, [annotation([SQUARE])], place)
    for source in (tmp_path, file):
        (example,) = imports.read("coco", source).examples
        assert (example.name, example.image, example.split) == ("a", path, split)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_Train", "train"),
        ("instances_Validation", "val"),
        ("train_annotations", "train"),
        ("VAL", "val"),
        ("valid_2020-01", "val"),
        ("data.test.coco", "test"),
        ("instances_minival2014", "val"),
        ("instances_trainval2017", "trainval"),
        ("latest", ""),
        ("instances_interval", ""),
        ("restrain", ""),
        ("train_cats", ""),
    ],
)
def test_the_split_that_the_name_of_a_json_says(name, split):
    assert coco.split_of(Path(f"{name}.json")) == split


@pytest.mark.parametrize(("folder", "split"), [("cats.v1", ""), ("Valid", "Valid")])
def test_a_json_of_roboflow_s_in_the_root(tmp_path, folder, split):
    """A folder's own name is a split only where it is one's."""
    folders.save(tmp_path / folder / "a.jpg", folders.photo(size=SIZE))
    write(tmp_path / folder, [annotation([SQUARE])], "_annotations.coco.json")
    (example,) = imports.read("coco", tmp_path / folder).examples
    assert example.split == split


def test_images_in_a_folder_that_is_named(tmp_path):
    folders.save(tmp_path / "photos/a.jpg", folders.photo(size=SIZE))
    write(tmp_path, [annotation([SQUARE])])
    with pytest.raises(
        FileNotFoundError, match="holds no image a.jpg, which .*--images"
    ):
        imports.read("coco", tmp_path)
    assert imports.read("coco", tmp_path, Places(images="photos")).examples


@pytest.mark.parametrize(
    ("annotations", "changes", "message"),
    [
        (
            [annotation([SQUARE], 5)],
            {},
            r"annotation 7: category 5 is none of .*\[3, 90\]",
        ),
        (
            [],
            {"categories": [*CATEGORIES, CATEGORIES[0]]},
            "has two categories 3; give",
        ),
        (
            [],
            {"categories": [{"id": 1}]},
            "category 1: 'name' is missing; expected text",
        ),
        ([], {"images": "a.jpg"}, "train.json: 'images' is 'a.jpg'; expected a list"),
        ([5], {}, "train.json: 'annotations' holds 5; expected objects in it"),
        ([annotation([["x", *SQUARE[1:]]])], {}, "annotation 7: 'x' is no coordinate"),
        (
            [annotation([[1e9, *SQUARE[1:]]])],
            {},
            "annotation 7: 1000000000.0 is no coo",
        ),
        ([annotation([SQUARE[:-1]])], {}, "annotation 7: an outline of 7 numbers"),
        (
            [annotation({"size": [4, 8], "counts": [32]})],
            {},
            r"mask of \[4, 8\] .*\[6, 8",
        ),
        (
            [annotation({"size": [6, 8], "counts": [40]})],
            {},
            "40 pixels for an image of 48",
        ),
        (
            [annotation({"size": [6, 8], "counts": 48})],
            {},
            "'counts' is neither a list",
        ),
    ],
)
def test_what_is_not_coco(root, annotations, changes, message):
    with pytest.raises(ValueError, match=message):
        drawn(root, *annotations, **changes)


def test_an_image_of_another_size(root):
    image = {"id": 1, "file_name": "a.jpg", "height": 10**9, "width": 8}
    with pytest.raises(ValueError, match="the image is 6x8 and its mask 1000000000x8"):
        drawn(root, annotation([SQUARE]), images=[image])


def test_files_with_other_categories(root):
    write(root, [])
    other = [{"id": 1, "name": "cat"}]
    folders.save(root / "images/val/a.jpg", folders.photo(size=SIZE))
    write(root, [], "annotations/instances_val.json", categories=other)
    with pytest.raises(
        ValueError, match="val.json has other categories than .*train.js"
    ):
        imports.read("coco", root)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "holds a list; expected an object"), ("{", "is no readable JSON")],
)
def test_what_is_no_json(root, text, message):
    path = write(root, [])
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        imports.read("coco", root)


def test_no_annotations(root):
    with pytest.raises(
        FileNotFoundError, match="holds no annotations of COCO .annotatio"
    ):
        imports.read("coco", root)
