"""Two folders of images and masks, with names of any kind."""

import numpy as np
import pytest

from fcn_jax.data import imports
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import finding, label_table, writing
from fcn_jax.data.imports.contracts import Places
from tests.support import folders

HEADER = Header(*folders.SIZE)
WHITE = 255 * folders.labels(2)
PLACES = ("images", "masks")


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


@pytest.mark.parametrize(
    ("images", "masks", "several"),
    [
        (["a1"], ["a1_car", "a1_road"], "a1_car, a1_road"),
        (["a1", "a2"], ["a1_car", "a2_car", "a2_road"], "a2_car, a2_road"),
        (["x/a1", "y/a1"], ["x/a1_car", "y/a1_car", "y/a1_b"], "y/a1_car, y/a1_b"),
        (["a1"], [f"a1/{n}" for n in "wxyz"], "a1/w, a1/x, a1/y, ..."),
    ],
)
def test_several_masks_to_an_image(images, masks, several):
    with pytest.raises(
        ValueError,
        match=rf"image {images[-1]} has \d masks \({several}\); expected one mask an",
    ):
        finding.matched(images, masks)


def test_a_mask_is_that_of_the_longest_name_it_holds():
    found = finding.matched(["7", "7_2"], ["7_car", "x7_2", "7_2_tree"])
    assert found == {"7": "7_car", "7_2": "7_2_tree"}
    assert not finding.matched(["7", "8"], ["7_8", "x"])


def test_names_are_looked_up_and_not_each_compared_with_each(monkeypatch):
    """20,000 images and masks that do not belong together took hours."""
    taken = []
    monkeypatch.setattr(
        finding,
        "_parts",
        lambda name, real=finding._parts: taken.append(0) or real(name),
    )
    images = [f"{n}_i{n}" for n in range(2000)]
    assert not finding.matched(images, [f"{n}_m{n}" for n in range(2000)])
    assert len(taken) == 2000


def test_splits_are_the_first_folders(tmp_path):
    write(
        tmp_path,
        ["images/train/a", "images/val/b"],
        ["labels/train/a", "labels/val/b"],
    )
    for folder in ("images/val", "labels/val"):  # On another disk.
        far = tmp_path.parent / folder.replace("/", "_")
        (tmp_path / folder).rename(far)
        (tmp_path / folder).symlink_to(far)
    splits = {each.name: each.split for each in read(tmp_path).examples}
    assert splits == {"train/a": "train", "val/b": "val"}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (("train/img_0", "train/img_1"), ("train/mask_0", "train/mask_1")),
        (("train/img_0", "val/img_2"), ("train/mask_0", "val/mask_2")),
        (("x/a_0", "x/a_1", "y/b_0", "y/b_1"), ("x/0_c", "x/1_c", "y/0_d", "y/1_d")),
        (("x/photo_0", "y/photo_0"), ("x/m_0", "y/m_0")),
    ],
)
def test_names_are_compared_within_a_folder(images, masks):
    assert finding.matched(images, masks) == dict(zip(images, masks, strict=True))


def test_splits_that_hold_images_and_masks(tmp_path):
    write(
        tmp_path,
        ["train/images/a", "Val/images/img_7", "Val/images/img_8", "test/images/c"],
        ["train/masks/a", "Val/masks/gt_7", "Val/masks/gt_8"],
    )
    folders.save(tmp_path / "docs/screen.png", folders.photo())
    for places in ({}, {"images": "images"}, {"images": "images", "masks": "masks"}):
        found = read(tmp_path, **places)
        splits = {each.name: each.split for each in found.examples}
        assert splits == {"a": "train", "img_7": "val", "img_8": "val"}
        assert found.notes == [
            f"{tmp_path}/docs is left out: it is no split",
            f"{tmp_path}/test is left out: it has no masks",
        ]
    np.testing.assert_array_equal(held(found)["img_8"], folders.labels(seed=2))
    places = {"images": "train/images", "masks": "train/masks"}
    assert held(read(tmp_path, **places)).keys() == {"a"}


def test_a_split_without_masks_stops_the_import(tmp_path):
    write(tmp_path, ["train/images/a", "val/images/b"], ["train/masks/a"])
    with pytest.raises(ValueError, match="val: it cannot be told which folder holds"):
        read(tmp_path)


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


def test_black_and_white_masks_need_a_table(tmp_path):
    """255 would be void, and the table says what it is."""
    src = tmp_path / "src"
    write(src, ["i/a", "i/b"], ["masks/a", "masks/b"], lambda seed: WHITE)
    with pytest.raises(ValueError, match="are 'ground' and void .255. alone, so that"):
        writing.write(read(src), tmp_path / "dst")
    (src / "labels.txt").write_text("0 -> ground\n255 -> car\n")
    table = label_table.read(src / "labels.txt")
    assert writing.write(read(src), tmp_path / "dst", table).classes[1] == "car"


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


def test_one_folder_is_named_and_the_other_is_found(tmp_path):
    write(tmp_path, ["photos/a"], ["labels/coarse/a", "labels/fine/a"])
    folders.save(tmp_path / "labels/coarse/a.png", folders.labels(seed=5))
    found = held(read(tmp_path, masks="labels/coarse"))
    np.testing.assert_array_equal(found["a"], folders.labels(seed=5))
    write(tmp_path, ["x/b"], [])
    with pytest.raises(
        ValueError,
        match=r"labels/coarse it .* holds images .others .*: photos, x.; name it",
    ):
        read(tmp_path, masks="labels/coarse")


def test_images_are_named_and_masks_are_found(tmp_path):
    write(tmp_path, ["other/a", "photos/a"], ["drawn_masks/a"])
    (example,) = read(tmp_path, images="photos").examples
    assert example.image == tmp_path / "photos/a.jpg"


@pytest.mark.parametrize(
    ("form", "place"),
    [
        *((form, p) for form in ("yolo", "labelme", "camvid") for p in PLACES),
        ("voc", "images"),
        ("coco", "masks"),
    ],
)
def test_a_place_that_a_format_has_no_use_for(tmp_path, form, place):
    with pytest.raises(
        ValueError, match=f"--{place}=x is not used by the format '{form}', which has"
    ):
        imports.read(form, tmp_path, Places(**{place: "x"}))


def test_nothing_belongs_together(tmp_path):
    write(tmp_path, ["photos/cat", "photos/dog"], ["masks/1", "masks/2"])
    with pytest.raises(
        FileNotFoundError, match="no mask of .*masks .2 files. belongs to an image"
    ):
        read(tmp_path)


@pytest.mark.parametrize("ending", ("jpg", "JPEG", "webp"))
def test_masks_are_no_photos(tmp_path, ending):
    write(tmp_path, ["photos/0", "photos/1"], [])
    folders.save(tmp_path / f"masks/0.{ending}", folders.photo())
    with pytest.raises(
        FileNotFoundError,
        match=rf"masks holds 0.{ending} and no mask; masks are .png, .*keep labels as",
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
    for name in ("x", "x.ZIP"):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(ValueError, match="x is a file, and the format 'voc' is a fold"):
        imports.read("voc", tmp_path / "x")
    with pytest.raises(ValueError, match="ZIP is an archive, .* folder; unpack it, an"):
        imports.read("coco", tmp_path / "x.ZIP")
