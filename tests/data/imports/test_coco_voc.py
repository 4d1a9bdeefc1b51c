"""COCO's objects as labels of VOC's 20 classes: names, overlaps, crowds, and images."""

import json

import numpy as np
import pytest

from fcn_jax.data import imports, label_sets
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import coco_voc
from tests.support import annotations, folders

HEADER = Header(*folders.SIZE)
# From VOC's label to COCO's id: the list in torchvision's coco_utils.py.
IDS = (0, 5, 2, 16, 9, 44, 6, 3, 17, 62, 21, 67, 18, 19, 4, 1, 64, 20, 63, 7, 72)


def square(left, top, right, bottom, category, **more):
    points = [left, top, right, top, right, bottom, left, bottom]
    shape = {"image_id": 1, "category_id": category, "segmentation": [points]}
    return {"id": 7, "area": 1001, **shape, **more}


def write(root, shapes, split="train2017", categories=annotations.COCO_CATEGORIES):
    height, width = folders.SIZE
    image = {"id": 1, "file_name": "a.jpg", "height": height, "width": width}
    record = {"images": [image], "annotations": shapes, "categories": categories}
    folders.save(root / f"{split}/a.jpg", folders.photo())
    path = root / f"annotations/instances_{split}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))
    return root


def labels(root):
    (example,) = imports.read("coco_voc", root).examples
    return example.read(HEADER)


def test_the_names_of_the_20_classes(tmp_path):
    root = write(tmp_path, [])
    path = root / "annotations/instances_train2017.json"
    found = coco_voc.labels_of(json.loads(path.read_text()), path)
    assert found == {number: label for label, number in enumerate(IDS) if label}


def test_each_pixel_by_hand(tmp_path):
    """A dog, a chair that laps over it, a stop sign over both, and a crowd."""
    shapes = [
        square(0, 0, 4, 4, 18),
        square(2, 0, 6, 4, 62),
        square(0, 0, 6, 2, 13),
        square(8, 0, 10, 4, 1, iscrowd=1),
    ]
    found = labels(write(tmp_path, shapes))
    expected = np.zeros(folders.SIZE, np.int32)
    expected[:4, 0:2], expected[:4, 2:4], expected[:4, 4:6] = 12, 255, 9
    expected[:4, 8:10] = 255
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int32


def test_two_objects_of_a_class_are_void_where_they_overlap(tmp_path):
    shapes = [square(0, 0, 4, 4, 1), square(3, 0, 6, 4, 1)]
    assert labels(write(tmp_path, shapes))[0, :7].tolist() == [
        15,
        15,
        15,
        255,
        15,
        15,
        0,
    ]


def test_images_with_few_pixels_of_the_classes(tmp_path):
    """More than 1,000 together; a stop sign does not count, and val keeps all."""
    for number, (shapes, kept) in enumerate((
        ([square(0, 0, 4, 4, 1, area=500), square(5, 0, 9, 4, 3, area=501)], 1),
        ([square(0, 0, 4, 4, 1, area=1000)], 0),
        ([square(0, 0, 4, 4, 13, area=9000)], 0),
        ([], 0),
    )):  # fmt: skip
        root = write(tmp_path / str(number), shapes)
        found = imports.read("coco_voc", root)
        assert len(found.examples) == kept
        assert bool(found.notes) == (not kept)
    assert found.notes == [
        "1 images of instances_train2017.json are left out, with at most 1,000 pixels "
        "of VOC's classes"
    ]
    assert (
        len(imports.read("coco_voc", write(tmp_path / "v", [], "val2017")).examples)
        == 1
    )


def test_its_classes_are_those_of_voc(tmp_path):
    found = imports.read("coco_voc", write(tmp_path, [square(0, 0, 4, 4, 1)]))
    named = [key.default for key in found.keys]
    assert named == [*label_sets.VOC.classes, "void"]


def test_categories_of_another_data_set(tmp_path):
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "pet"}]
    root = write(tmp_path, [square(0, 0, 4, 4, 1)], categories=categories)
    match = (
        r"train2017.json has no category 'airplane', which is VOC's aeroplane; it has "
        r"2 categories \(person, pet, ...\). Give COCO's own instances"
    )
    with pytest.raises(ValueError, match=match):
        imports.read("coco_voc", root)


def test_an_image_of_another_size(tmp_path):
    root = write(tmp_path, [square(0, 0, 4, 4, 1)])
    folders.save(root / "train2017/a.jpg", folders.photo(size=(5, 5)))
    (example,) = imports.read("coco_voc", root).examples
    with pytest.raises(ValueError, match="the image is 5x5 and its mask 12x16"):
        example.read(Header(5, 5))


def test_an_area_that_is_no_number(tmp_path):
    root = write(tmp_path, [square(0, 0, 4, 4, 1, area="large")])
    with pytest.raises(ValueError, match="annotation 7, its area"):
        imports.read("coco_voc", root)
