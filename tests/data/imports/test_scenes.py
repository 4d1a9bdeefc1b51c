"""Cityscapes, ADE20K and CamVid, in the folders in which they come."""

import numpy as np
import pytest

from fcn_jax.data import imports, label_sets
from fcn_jax.data.image_files import Header
from fcn_jax.data.imports import writing
from fcn_jax.data.imports.contracts import Places
from fcn_jax.data.imports.label_table import LabelTable
from tests.support import folders

HEADER = Header(*folders.SIZE)


def classes(found):
    return {key.value: key.default for key in found.keys}


def save_pair(image, mask, values=None):
    folders.save(image, folders.photo())
    folders.save(mask, folders.labels() if values is None else values)


def cityscapes(root, split="train", city="aachen/"):
    name = f"{split}/{city}aachen_000000_000019"
    save_pair(
        root / f"leftImg8bit/{name}_leftImg8bit.png",
        root / f"gtFine/{name}_gtFine_labelIds.png",
        np.array([0, 7, 33], np.uint8)[folders.labels()],
    )
    folders.save(root / f"gtFine/{name}_gtFine_color.png", folders.photo())
    return root


@pytest.mark.parametrize("city", ("aachen/", ""))
def test_cityscapes(tmp_path, city):
    """With folders of cities, and as Datumaro 1.13.12 writes it, without."""
    cityscapes(cityscapes(tmp_path / "src", "test", city), "train", city)
    left = f"train/{city}b"
    folders.save(tmp_path / f"src/leftImg8bit/{left}_leftImg8bit.png", folders.photo())
    found = imports.read("cityscapes", tmp_path / "src")
    (example,) = found.examples
    assert found.notes == [
        f"1 images are left out, without *_gtFine_labelIds.png: {left}_leftImg8bit"
    ]
    assert (example.name, example.split) == ("aachen_000000_000019", "train")
    report = writing.write(found, tmp_path / "dst")
    assert len(report.classes) == 19
    assert (report.classes[0], report.classes[18]) == ("road", "bicycle")
    expected = np.array([255, 0, 18])[folders.labels()]
    found = imports.read("voc", tmp_path / "dst").examples[0].read(HEADER)
    np.testing.assert_array_equal(found, expected)


def test_cityscapes_has_34_ids():
    """Those of cityscapesScripts whose trainId is not 255."""
    from fcn_jax.data.imports import cityscapes as module

    trained = [i for i, name in enumerate(module._NAMES) if not name.startswith("(")]
    assert trained == [
        *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    ]
    assert len(module._NAMES) == 34


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250 50 83 cat\n51 221 255 dog\n", ["background", "cat", "dog"]),
        ("0 0 0 nothing\n250 50 83 cat\n51 221 255 dog\n", ["nothing", "cat", "dog"]),
        (" cat\n dog\n", ["background", "cat", "dog"]),
        (" background\n cat\n dog\n", ["background", "cat", "dog"]),
    ],
)
def test_cityscapes_of_datumaro_has_classes_of_its_own(tmp_path, text, expected):
    cityscapes(tmp_path)
    (tmp_path / "label_colors.txt").write_text(text)
    found = classes(imports.read("cityscapes", tmp_path))
    assert found == dict(enumerate(expected))


def test_cityscapes_that_is_not_whole(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="leftImg8bit does not exist; Cityscapes"
    ):
        imports.read("cityscapes", tmp_path)
    cityscapes(tmp_path)
    next((tmp_path / "leftImg8bit").rglob("*.png")).unlink()
    with pytest.raises(
        FileNotFoundError, match="holds no image .*aachen_000000_000019_l"
    ):
        imports.read("cityscapes", tmp_path)


INFO = (
    "Idx\tRatio\tTrain\tVal\tStuff\tName\n"
    "1\t0.15\t11664\t1172\t1\twall\n"
    "2\t0.11\t6046\t612\t1\tbuilding, edifice\n"
    "3\t0.01\t60\t6\t0\tdoor, a\n"
    "4\t0.01\t60\t6\t0\tdoor, b\n"
)


def ade20k(root, info=INFO):
    for number, split in enumerate(("training", "validation")):
        name = f"{split}/ADE_{number:08}"
        save_pair(root / f"images/{name}.jpg", root / f"annotations/{name}.png")
    if info:
        (root / "objectInfo150.txt").write_text(info)
    return root


def test_ade20k(tmp_path):
    found = imports.read("ade20k", ade20k(tmp_path / "src"))
    assert classes(found) == {
        0: "void", 1: "wall", 2: "building", 3: "door, a", 4: "door, b"
    }  # fmt: skip
    report = writing.write(found, tmp_path / "dst")
    assert report.images == {"train": 1, "val": 1}
    values = imports.read("voc", tmp_path / "dst").examples[0].read(HEADER)
    np.testing.assert_array_equal(values, np.array([255, 0, 1])[folders.labels()])


def test_ade20k_without_names(tmp_path):
    found = imports.read("ade20k", ade20k(tmp_path, ""))
    assert classes(found) == {0: "void"}
    with pytest.raises(
        ValueError,
        match=f"nothing names what the masks hold, which is 0.*; {tmp_path}/"
        "objectInfo150.txt does not exist: copy it from ADEChallengeData2016.zip, or "
        "give a table with --labels=FILE, '0 -> CLASS'",
    ):
        writing.write(found, tmp_path / "dst")
    assert not (tmp_path / "dst").exists()
    table = LabelTable({"0": "void", "1": "wall", "*": "door"})
    assert writing.write(found, tmp_path / "dst", table).classes == ("wall", "door")
    (tmp_path / "objectInfo150.txt").write_text("1 wall\n")
    with pytest.raises(
        ValueError, match="objectInfo150.txt is not understood .*columns"
    ):
        imports.read("ade20k", tmp_path)


def camvid(root, images="train", masks="trainannot", end="", palette=None):
    for seed, name in enumerate("ab"):
        folders.save(root / f"{images}/{name}.png", folders.photo(seed))
        labels = folders.labels(seed=seed)
        mask = labels if palette is None else palette[labels]
        folders.save(root / f"{masks}/{name}{end}.png", mask)
    return root


OWN = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255)], np.uint8)


def test_camvid_of_segnet(tmp_path):
    """Indices: 11 classes, then void; no file of names."""
    found = imports.read("camvid", camvid(tmp_path))
    assert [(each.name, each.split) for each in found.examples] == [
        ("a", "train"),
        ("b", "train"),
    ]
    known = classes(found)
    assert (known[0], known[10], known[11]) == ("sky", "bicyclist", "void")
    np.testing.assert_array_equal(found.examples[0].read(HEADER), folders.labels())


@pytest.mark.parametrize(
    ("images", "masks", "end", "split"),
    [
        ("val", "valannot", "", "val"),
        ("train", "train_labels", "_L", "train"),
        ("701_StillsRaw_full", "LabeledApproved_full", "_L", ""),
    ],
)
def test_camvid_in_colours(tmp_path, images, masks, end, split):
    """Datumaro 1.13.12, Kaggle, Cambridge; black that nothing names is background."""
    root = camvid(tmp_path, images, masks, end, OWN)
    (root / "label_colors.txt").write_text("250 50 83 cat\n51 221 255 dog\n")
    found = imports.read("camvid", root)
    assert {each.split for each in found.examples} == {split}
    codes = np.array([0, 0xFA3253, 0x33DDFF])
    np.testing.assert_array_equal(
        found.examples[1].read(HEADER), codes[folders.labels(seed=1)]
    )
    known = classes(found)
    assert [known[code] for code in codes] == ["background", "cat", "dog"]
    (root / "label_colors.txt").write_text(
        "0 0 0\tVoid\n250 50 83\tcat\n51 221 255\tdog\n"
    )
    assert classes(imports.read("camvid", root))[0] == "void"


@pytest.mark.parametrize("text", (" background\n cat\n dog\n", " cat\n dog\n"))
def test_camvid_of_datumaro_without_colours_has_voc_s(tmp_path, text):
    root = camvid(tmp_path, palette=label_sets.VOC.palette)
    (root / "label_colors.txt").write_text(text)
    found = imports.read("camvid", root)
    assert found.colours
    known = classes(found)
    assert [known[code] for code in (0, 0x800000, 0x008000)] == [
        "background",
        "cat",
        "dog",
    ]


def test_camvid_of_datumaro_in_indices(tmp_path):
    """apply_colormap=False; in classes.txt of other tools the first is 0."""
    root = camvid(tmp_path)
    (root / "label_colors.txt").write_text("250 50 83 cat\n51 221 255 dog\n")
    assert classes(imports.read("camvid", root)) == {
        0: "background",
        1: "cat",
        2: "dog",
    }
    (root / "classes.txt").write_text("cat\ndog\ntree\n")
    assert classes(imports.read("camvid", root))[0] == "cat"


def test_camvid_that_is_not(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="has none of CamVid's folders, SPLIT and"
    ):
        imports.read("camvid", tmp_path)
    camvid(tmp_path)
    for path in (tmp_path / "trainannot").iterdir():
        path.rename(path.with_name(f"x{path.stem}y{path.stem}.png"))
    (tmp_path / "train/a.png").unlink()
    with pytest.raises(FileNotFoundError, match="no mask of .*trainannot .2 files."):
        imports.read("camvid", tmp_path)


def test_folders_of_other_names(tmp_path):
    cityscapes(tmp_path)
    (tmp_path / "gtFine").rename(tmp_path / "gt")
    assert imports.read("cityscapes", tmp_path, Places(masks="gt")).examples
