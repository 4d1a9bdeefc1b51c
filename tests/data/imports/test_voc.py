"""What CVAT and Datumaro 1.13.12 ("voc_segmentation") export as VOC."""

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import imports, label_sets
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import writing
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support import folders

HEADER = Header(*folders.SIZE)
OWN = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255)], np.uint8)
LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\n"
LABELMAP += "dog:51,221,255::\n"
PLAIN = "# label:color_rgb:parts:actions\nbackground:::\ncat:::\ndog:::\n"


def write(root, palette=OWN, labelmap=LABELMAP):
    """One image of three has no mask, as Datumaro leaves those without annotations."""
    folders.write(
        root,
        ("a", "b", "sub/c d"),
        classes="",
        masks=lambda p, x: folders.save(p, palette[x]),
    )
    (root / "SegmentationClass/b.png").unlink()
    folders.write_list(root, "a\nb\n")
    folders.write_list(root, "sub/c d\n", "val")
    folders.write_list(root, "a\nb\nsub/c d\n", "trainval")
    if labelmap:
        (root / "labelmap.txt").write_text(labelmap)
    return root


@pytest.mark.parametrize(
    ("palette", "labelmap"), [(OWN, LABELMAP), (label_sets.VOC.palette, PLAIN)]
)
def test_colours_become_labels(tmp_path, palette, labelmap):
    found = imports.read("voc", write(tmp_path / "src", palette, labelmap))
    assert found.notes == ["1 images without a mask are background (background)"]
    report = writing.write(found, tmp_path / "dst")
    assert report.images == {"train": 2, "val": 1}
    assert report.classes == ("background", "cat", "dog")
    train, val = (VocFolder(tmp_path / "dst", split) for split in ("train", "val"))
    np.testing.assert_array_equal(train[0]["labels"], folders.labels())
    assert not train[1]["labels"].any()
    np.testing.assert_array_equal(val[0]["labels"], folders.labels(seed=2))
    with Image.open(tmp_path / "dst/SegmentationClass/a.png") as mask:
        assert mask.mode == "P"


def test_the_default_subset_is_divided(tmp_path):
    src = write(tmp_path / "src")
    for split in ("val", "trainval"):
        (src / f"ImageSets/Segmentation/{split}.txt").unlink()
    lists = src / "ImageSets/Segmentation"
    (lists / "train.txt").rename(lists / "default.txt")
    report = writing.write(imports.read("voc", src), tmp_path / "dst")
    assert report.images == {"train": 1, "val": 1}


def test_lists_in_capitals(tmp_path):
    src = write(tmp_path / "src")
    lists = src / "ImageSets/Segmentation"
    for old, new in (
        ("train", "Train"),
        ("val", "Validation"),
        ("trainval", "TrainVal"),
    ):
        (lists / f"{old}.txt").rename(lists / f"{new}.txt")
    report = writing.write(imports.read("voc", src), tmp_path / "dst")
    assert report.images == {"train": 2, "val": 1}


def test_a_colour_that_the_labelmap_lacks(tmp_path):
    src = write(tmp_path / "src")
    (src / "labelmap.txt").write_text(LABELMAP.rsplit("dog")[0])
    with pytest.raises(
        ValueError, match=r"\(51, 221, 255\) .* is not in .*labelmap.txt"
    ):
        writing.write(imports.read("voc", src), tmp_path / "dst")
    assert not (tmp_path / "dst").exists()


def test_without_names_they_are_voc_s(tmp_path):
    found = imports.read("voc", write(tmp_path, label_sets.VOC.palette, ""))
    assert found.notes[0] == "no file of names, so that VOC's 21 classes are taken"


def test_outlines_alone_have_no_masks(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="SegmentationClass does not exist; CVAT"
    ):
        imports.read("voc", tmp_path)


def test_a_mask_without_its_image(tmp_path):
    src = write(tmp_path)
    for path in (src / "ImageSets/Segmentation").iterdir():
        path.unlink()
    (src / "JPEGImages/a.jpg").unlink()
    with pytest.raises(
        FileNotFoundError, match="holds no image a, of which .* has a ma"
    ):
        imports.read("voc", src)


def test_indices_that_mean_another_colour_in_each_mask(tmp_path):
    root = write(tmp_path, labelmap="")
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    for name, order in (("a", [0, 1, 2]), ("sub/c d", [2, 0, 1])):
        path = root / f"SegmentationClass/{name}.png"
        folders.save(path, np.argsort(order).astype("u1")[folders.labels()], OWN[order])
    with pytest.raises(
        ValueError, match="c d.png: index . has the colour .* a labelmap.txt with 'name"
    ):
        imports.read("voc", root)
    (root / "classes.txt").unlink()
    (root / "labelmap.txt").write_text(LABELMAP)
    for example in imports.read("voc", root).examples[::2]:
        np.testing.assert_array_equal(example.read(HEADER), folders.labels())
