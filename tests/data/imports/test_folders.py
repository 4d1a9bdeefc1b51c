"""Two folders of images and masks, with names of any kind."""

import numpy as np
import pytest

from fcn_jax.data import imports
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import finding
from fcn_jax.data.imports.contracts import Places
from tests.support import folders

HEADER = Header(*folders.SIZE)


def write(root, images, masks, mask=folders.labels):
    for number, name in enumerate(images):
        folders.save(root / f"{name}.jpg", folders.photo(number))
    for number, name in enumerate(masks):
        folders.save(root / f"{name}.png", mask(seed=number))
    (root / "classes.txt").write_text("ground\ncar\ntree\n")
    return root


def read(root, **places):
    return imports.read("folders", root, Places(**places))


def held(collection):
    return {each.name: each.read(HEADER) for each in collection.examples}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (("7", "8"), ("7", "8")),
        (("7", "8"), ("7_L", "8_L")),
        (("photo_01", "photo_02"), ("mask_01", "mask_02")),
        (("photo_01", "photo_10"), ("photo_01_mask", "photo_10_mask")),
        (("img001", "img002"), ("gt/img001_gt", "gt/img002_gt")),
        (("img001",), ("img001_mask",)),
        (("img001", "img100", "img101"), ("seg001", "seg100")),
    ],
)
def test_names_that_belong_together(tmp_path, images, masks):
    write(tmp_path, [f"photos/{n}" for n in images], [f"masks/{n}" for n in masks])
    found = held(read(tmp_path))
    assert sorted(found) == sorted(images[: len(masks)])
    for name, values in found.items():
        expected = folders.labels(seed=images.index(name))
        np.testing.assert_array_equal(values, expected)


def test_numbers_are_not_taken_apart():
    """1 of 11 and of 12 is no common beginning."""
    found = finding.matched(["a11", "a12"], ["b11", "b12", "b1", "b2"])
    assert found == {"a11": "b11", "a12": "b12"}


def test_splits_are_the_first_folders(tmp_path):
    write(
        tmp_path,
        ["images/train/a", "images/val/b"],
        ["labels/train/a", "labels/val/b"],
    )
    splits = {each.name: each.split for each in read(tmp_path).examples}
    assert splits == {"train/a": "train", "val/b": "val"}


def test_what_has_no_counterpart_is_told(tmp_path):
    write(tmp_path, ["photos/a", "photos/b"], ["masks/b", "masks/c"])
    found = read(tmp_path)
    assert [each.name for each in found.examples] == ["b"]
    assert found.notes == [
        f"1 images of {tmp_path}/photos are left out, without a counterpart: a",
        f"1 masks of {tmp_path}/masks are left out, without a counterpart: c",
    ]


def test_values_mean_what_classes_txt_says(tmp_path):
    write(tmp_path, ["photos/a", "photos/b"], ["masks/a", "masks/b"])
    keys = [(key.value, key.default) for key in read(tmp_path).keys]
    assert keys == [(0, "ground"), (1, "car"), (2, "tree"), (255, "void")]
    (tmp_path / "classes.txt").unlink()
    assert not read(tmp_path).keys


def test_colours_are_values(tmp_path):
    palette = np.array([(0, 0, 0), (255, 0, 16), (1, 2, 3)], np.uint8)

    def coloured(seed):
        return palette[folders.labels(seed=seed)]

    write(tmp_path, ["photos/a", "photos/b"], ["masks/a", "masks/b"], coloured)
    codes = np.array([0, 0xFF0010, 0x010203])
    found = read(tmp_path)
    assert (found.colours, found.keys) == (True, [])
    np.testing.assert_array_equal(held(found)["b"], codes[folders.labels(seed=1)])
    colours = "0 0 0 ground\n255 0 16 car\n1 2 3 tree\n"
    (tmp_path / "classes.txt").write_text(colours)
    assert [key.value for key in read(tmp_path).keys][:3] == codes.tolist()


@pytest.mark.parametrize("by_colour", (True, False))
def test_indices_or_the_colours_of_a_palette(tmp_path, by_colour):
    write(tmp_path, ["photos/a", "photos/b"], ["masks/a", "masks/b"])
    palette = np.array([(0, 0, 0), (255, 0, 16), (1, 2, 3)], np.uint8)
    for seed, name in enumerate("ab"):
        path = tmp_path / f"masks/{name}.png"
        folders.save(path, folders.labels(seed=seed), palette)
    values = held(read(tmp_path, by_colour=by_colour))["a"]
    codes = np.array([0, 0xFF0010, 0x010203]) if by_colour else np.arange(3)
    np.testing.assert_array_equal(values, codes[folders.labels()])


@pytest.mark.parametrize(
    ("form", "images", "masks"),
    [("folders", "photos", "masks"), ("camvid", "train", "trainannot")],
)
def test_indices_that_mean_another_colour_in_each_mask(tmp_path, form, images, masks):
    write(tmp_path, [f"{images}/a", f"{images}/b"], [])
    palette = np.array([(0, 0, 0), (255, 0, 16), (1, 2, 3)], np.uint8)
    for seed, order in enumerate(([0, 1, 2], [2, 0, 1])):
        place = np.argsort(order).astype(np.uint8)
        path = tmp_path / masks / f"{'ab'[seed]}.png"
        folders.save(path, place[folders.labels(seed=seed)], palette[order])
    with pytest.raises(
        ValueError, match="b.png: index . has the colour .* --labels=FILE, 'R,G,B -> C"
    ):
        imports.read(form, tmp_path)
    found = held(imports.read(form, tmp_path, Places(by_colour=True)))["b"]
    codes = np.array([0, 0xFF0010, 0x010203])
    np.testing.assert_array_equal(found, codes[folders.labels(seed=1)])


def test_values_of_16_bits(tmp_path):
    def wide(seed):
        return folders.labels(seed=seed).astype(np.uint16) * 1000

    write(tmp_path, ["photos/a", "photos/b"], ["masks/a", "masks/b"], wide)
    np.testing.assert_array_equal(held(read(tmp_path))["a"], folders.labels() * 1000.0)


def test_folders_that_are_named(tmp_path):
    write(tmp_path, ["x/a", "y/b"], ["z/a", "z/b"])
    with pytest.raises(
        ValueError, match=r"which masks .folders with images: x, y, z.; name them with"
    ):
        read(tmp_path)
    assert held(read(tmp_path, images="x", masks="z")).keys() == {"a"}
    with pytest.raises(
        FileNotFoundError, match="w does not exist; it is named by --im"
    ):
        read(tmp_path, images="w", masks="z")


def test_nothing_belongs_together(tmp_path):
    write(tmp_path, ["photos/cat", "photos/dog"], ["masks/1", "masks/2"])
    with pytest.raises(
        FileNotFoundError, match="no mask of .*masks .2 files. belongs to an image"
    ):
        read(tmp_path)


def test_two_endings_of_one_name(tmp_path):
    write(tmp_path, ["photos/a", "photos/b"], ["masks/a", "masks/b"])
    folders.save(tmp_path / "photos/a.png", folders.photo())
    with pytest.raises(ValueError, match="differ in their endings alone; remove one"):
        read(tmp_path)


def test_a_mask_with_loss(tmp_path):
    write(tmp_path, ["photos/a", "photos/b"], ["masks/a", "masks/b"])
    folders.save(tmp_path / "masks/a.png", folders.labels(), format="JPEG")
    found = read(tmp_path)
    with pytest.raises(ValueError, match="a mask in the format JPEG"):
        held(found)
    folders.save(tmp_path / "masks/a.png", np.zeros((*folders.SIZE, 2), np.uint8))
    with pytest.raises(ValueError, match="a mask of mode 'LA'; expected a palette PNG"):
        held(found)


def test_formats_and_sources_that_are_not_there(tmp_path):
    with pytest.raises(
        ValueError, match="format 'cocos' is not known; did you mean 'co"
    ):
        imports.read("cocos", tmp_path)
    with pytest.raises(FileNotFoundError, match="x does not exist; name what is to be"):
        imports.read("coco", tmp_path / "x")
