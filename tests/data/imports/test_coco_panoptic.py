"""COCO panoptic as COCO and Datumaro 1.13.12 write it."""

import json

import numpy as np
import pytest

from fcn_jax.data import imports
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports.contracts import NOTHING, Places
from tests.support import folders

HEADER = Header(*folders.SIZE)
SEGMENTS = [{"id": 1, "category_id": 3}, {"id": 70_001, "category_id": 90}]
CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}]


def write(root, split="val", **changes):
    """Of the labels 0, 1, 2: nothing, segment 1 and segment 70001."""
    height, width = folders.SIZE
    folders.save(root / f"images/{split}/a.jpg", folders.photo())
    numbers = np.array([0, 1, 70_001])[folders.labels()]
    colours = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], -1)
    folders.save(root / f"annotations/panoptic_{split}/a.png", colours.astype(np.uint8))
    record = {
        "images": [{"id": 5, "file_name": "a.jpg", "height": height, "width": width}],
        "categories": CATEGORIES,
        "annotations": [
            {"image_id": 5, "file_name": "a.png", "segments_info": SEGMENTS}
        ],
        **changes,
    }
    (root / f"annotations/panoptic_{split}.json").write_text(json.dumps(record))
    return root


def test_segments_are_looked_up(tmp_path):
    found = imports.read("coco_panoptic", write(tmp_path))
    (example,) = found.examples
    assert (example.name, example.split) == ("a", "val")
    expected = np.array([NOTHING, 3, 90])[folders.labels()]
    np.testing.assert_array_equal(example.read(HEADER), expected)
    keys = [(key.value, key.default) for key in found.keys]
    assert keys == [(NOTHING, "void"), (3, "cat"), (90, "dog")]


def test_pngs_in_a_folder_that_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "annotations/panoptic_val").rename(tmp_path / "pngs")
    with pytest.raises(
        FileNotFoundError, match="a.png does not exist, which .*--masks"
    ):
        imports.read("coco_panoptic", tmp_path)
    assert imports.read("coco_panoptic", tmp_path, Places(masks="pngs")).examples


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (
            SEGMENTS[:1],
            r"segment 70001, colour \(113, 17, 1\), is not in segments_info",
        ),
        ([{"id": 1, "category_id": 4}], "category 4 is not among the categories"),
        (
            [{"id": 1}],
            "annotation of image 5: 'category_id' is missing; expected a whole",
        ),
    ],
)
def test_segments_of_no_category(tmp_path, segments, message):
    annotation = {"image_id": 5, "file_name": "a.png", "segments_info": segments}
    with pytest.raises(ValueError, match=message):
        read_one(write(tmp_path, annotations=[annotation]))


def read_one(root):
    return imports.read("coco_panoptic", root).examples[0].read(HEADER)


def test_an_annotation_of_no_image(tmp_path):
    annotation = {"image_id": 6, "file_name": "a.png", "segments_info": []}
    with pytest.raises(ValueError, match="image 6: no image has this id; export it"):
        read_one(write(tmp_path, annotations=[annotation]))


def test_files_with_other_categories(tmp_path):
    write(tmp_path, "train")
    write(tmp_path, "val", categories=[*CATEGORIES, {"id": 91, "name": "x"}])
    with pytest.raises(
        ValueError, match="val.json has other categories than .*train.js"
    ):
        imports.read("coco_panoptic", tmp_path)
