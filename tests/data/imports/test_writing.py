"""Folders made of what importers find: whole, or not at all."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcn_jax.data import label_sets
from fcn_jax.data.imports import label_table, writing
from fcn_jax.data.imports.contracts import Collection, Example, Key
from fcn_jax.data.imports.writing import Options
from fcn_jax.data.options import FolderOptions
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support import folders

KEYS = (Key(0, "ground", default="ground"), Key(300, "car", default="car"))
FAR = (Key(0, "ground", default="ground"), Key(0xFF0010, "car", default="car"))


@pytest.fixture
def dst(tmp_path):
    return tmp_path / "made/dst"


def examples(tmp_path, splits=("", "", "", ""), names="abcd", values=(0, 300)):
    found = []
    for number, (name, split) in enumerate(zip(names, splits, strict=True)):
        image = folders.save(
            tmp_path / f"src/{number}/{name}.jpg", folders.photo(number)
        )
        mask = np.array(values)[folders.labels(len(values), number)].astype(np.int32)
        found.append(Example(name, image, split, lambda header, mask=mask: mask))
    return found


def left_behind(dst):
    return list(dst.parent.glob("*")) if dst.parent.exists() else []


@pytest.mark.parametrize(("keys", "car"), [(KEYS, 300), (FAR, 0xFF0010)])
def test_what_was_made_is_read_by_the_folder_source(tmp_path, dst, keys, car):
    found = Collection(examples(tmp_path, values=(0, car)), keys)
    report = writing.write(found, dst)
    assert report.images == {"train": 3, "val": 1}
    train, val = VocFolder(dst, "train"), VocFolder(dst, "val")
    assert train.classes == ("ground", "car")
    for source in (train, val):
        for item in source:
            seed = "abcd".index(item["id"])
            np.testing.assert_array_equal(item["labels"], folders.labels(2, seed))
            expected = Image.open(tmp_path / f"src/{seed}/{item['id']}.jpg")
            np.testing.assert_array_equal(item["image"], np.asarray(expected))
    with Image.open(dst / "SegmentationClass/a.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[3:6] == label_sets.VOC.palette[1].tolist()
    assert sorted(p.name for p in left_behind(dst)) == ["dst"]


@pytest.mark.parametrize("copy", (True, False))
def test_images_are_linked_or_copied(tmp_path, dst, copy):
    writing.write(Collection(examples(tmp_path), KEYS), dst, None, Options(copy=copy))
    image = dst / "JPEGImages/a.jpg"
    assert image.is_symlink() != copy
    assert image.read_bytes() == (tmp_path / "src/0/a.jpg").read_bytes()


def test_links_lead_on_where_the_source_was_named_from_here(tmp_path, dst, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = examples(Path())
    writing.write(Collection(found, KEYS), dst)
    monkeypatch.chdir("/")
    assert (dst / "JPEGImages/a.jpg").read_bytes()


def test_where_there_are_no_links_images_are_copied(tmp_path, dst, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(writing.os, "symlink", refuse)
    writing.write(Collection(examples(tmp_path), KEYS), dst)
    assert not (dst / "JPEGImages/a.jpg").is_symlink()


def lists(dst):
    folder = dst / "ImageSets/Segmentation"
    return {path.stem: path.read_text().split() for path in folder.glob("*.txt")}


def test_a_division_is_one_of_seed_and_share(tmp_path, dst):
    found = Collection(examples(tmp_path), KEYS)
    divided = []
    for number, seed in enumerate((0, 0, 1)):
        place = dst.with_name(str(number))
        report = writing.write(found, place, None, Options(split=0.5, seed=seed))
        divided.append(lists(place))
        assert "2 of 4 images are in train, the others in val (--split=0.5" in str(
            report.notes
        )
    assert divided[0] == divided[1] != divided[2]
    assert sorted(divided[0]["train"] + divided[0]["val"]) == list("abcd")


def test_ids_are_lines_of_lists(tmp_path, dst):
    """What has names that a list cannot hold is made all the same, or refused."""
    names = ("photo 1 ", "x -1", "two\u2028lines", "a.png")
    writing.write(Collection(examples(tmp_path, ["train"] * 4, names), KEYS), dst)
    found = [item["id"] for item in VocFolder(dst, "train")]
    assert found == ["a.png", "photo 1", "two lines", "x -1"]
    odd = [dataclasses.replace(e, name="\udce9") for e in examples(tmp_path)]
    with pytest.raises(ValueError, match="a.jpg': its name is not in UTF-8, as lists"):
        writing.write(Collection(odd, KEYS), tmp_path / "other")


def test_splits_of_a_format_stay_under_one_name(tmp_path, dst):
    splits = ("training", "validation", "test", "")
    report = writing.write(Collection(examples(tmp_path, splits), KEYS), dst)
    assert report.notes == ["1 images of no split are in train"]
    assert lists(dst) == {"train": ["a", "d"], "val": ["b"], "test": ["c"]}


@pytest.mark.parametrize(
    "splits",
    [("Training", "Validation", "TEST", "train"), ("train", "Valid", "testing", "all")],
)
def test_splits_are_named_in_any_letters(tmp_path, dst, splits):
    writing.write(Collection(examples(tmp_path, splits), KEYS), dst)
    assert lists(dst) == {"train": ["a", "d"], "val": ["b"], "test": ["c"]}


def test_what_is_no_split_is_none_in_any_letters(tmp_path, dst):
    found = examples(tmp_path, ("Default", "ALL", "default", ""))
    writing.write(Collection(found, KEYS), dst)
    assert {split: len(ids) for split, ids in lists(dst).items()} == {
        "train": 3,
        "val": 1,
    }


def test_one_image_alone(tmp_path, dst):
    report = writing.write(Collection(examples(tmp_path, ("",), "a"), KEYS), dst)
    assert (lists(dst), report.notes) == (
        {"train": ["a"]},
        ["one image alone cannot be divided; it is in train"],
    )


def test_ids_of_two_splits_are_told_apart(tmp_path, dst):
    found = examples(tmp_path, ("train", "train", "val", "val"), "abac")
    writing.write(Collection(found, KEYS), dst)
    assert lists(dst) == {"train": ["b", "train/a"], "val": ["c", "val/a"]}
    item = VocFolder(dst, "val")[1]
    np.testing.assert_array_equal(item["labels"], folders.labels(2, 2))


def test_the_report_and_the_table(tmp_path, dst):
    (tmp_path / "labels.txt").write_text("300 -> thing\n7 -> b\n* -> void\n")
    table = label_table.read(tmp_path / "labels.txt")
    report = writing.write(Collection(examples(tmp_path), KEYS), dst, table)
    rows = {row.value: row for row in report.rows}
    assert (rows["ground"].name, rows["ground"].matched) == ("void", False)
    assert report.notes[-1] == "7: in the table, and in nothing that was read"
    assert rows["car"].images == 4
    cars = sum((folders.labels(2, seed) == 1).sum() for seed in range(4))
    assert rows["car"].pixels == cars
    assert json.loads((dst / "import.json").read_text())["classes"] == ["thing", "b"]
    again = label_table.read(dst / "labels.txt")
    other = writing.write(
        Collection(examples(tmp_path), KEYS), dst.with_name("again"), again
    )
    assert [(r.value, r.name, r.pixels) for r in other.rows if r.pixels] == [
        (r.value, r.name, r.pixels) for r in report.rows if r.pixels
    ]


def lying(tmp_path, values, orientation=6, size=folders.SIZE):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = folders.save(tmp_path / "src/a.jpg", folders.photo(size=size), exif=exif)
    return Example("a", path, "", lambda header: values)


def test_annotations_over_a_turned_photo(tmp_path, dst):
    upright = np.zeros(folders.SIZE[::-1], np.int32)
    report = writing.write(Collection([lying(tmp_path, upright)], KEYS), dst)
    assert "set --config.data.apply_exif=True" in report.notes[-1]
    source = VocFolder(dst, "train", options=FolderOptions(apply_exif=True))
    assert source[0]["labels"].shape == upright.shape


@pytest.mark.parametrize("by_format", (True, False))
@pytest.mark.parametrize(
    ("orientation", "size"), [(2, (12, 16)), (3, (12, 16)), (6, (12, 12))]
)
def test_a_turned_photo_whose_size_does_not_tell(
    tmp_path, dst, orientation, size, by_format
):
    example = lying(tmp_path, np.zeros(size, np.int32), orientation, size)
    report = writing.write(Collection([example], KEYS, upright=by_format), dst)
    told = "over which annotations were drawn upright: set"
    if not by_format:
        told = "which is not applied: where masks were drawn over them upright, set"
    (note,) = [note for note in report.notes if "apply_exif=True" in note]
    assert told in note


def test_a_turned_photo_annotated_as_it_is_stored(tmp_path, dst):
    example = lying(tmp_path, np.zeros(folders.SIZE, np.int32))
    report = writing.write(Collection([example], KEYS), dst)
    assert not [note for note in report.notes if "apply_exif" in note]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"values": (0, 5)},
            ValueError,
            r"b.jpg, its annotation: 5 \(\d+ pixels\) is n",
        ),
        (
            {"size": (3, 4)},
            ValueError,
            "b.jpg and its annotation: the image is 12x16 a",
        ),
        ({"ending": ".gif"}, ValueError, "b.gif: images are .jpg.*convert it to one"),
        ({"name": "../b"}, ValueError, r"its id '../b' leaves the folder"),
        ({"name": "a"}, ValueError, "have one id, 'a'; rename one of them"),
        ({"text": "no image"}, ValueError, "b.jpg is no readable image"),
    ],
)
def test_what_stops_it_leaves_nothing(tmp_path, dst, change, error, message):
    found = examples(tmp_path)
    example = found[1]
    image = example.image.with_suffix(change.get("ending", ".jpg"))
    example.image.rename(image)
    if "text" in change:
        image.write_text(change["text"])
    size = change.get("size", folders.SIZE)
    mask = np.array(change.get("values", (0, 300)))[folders.labels(2, size=size)]
    name = change.get("name", "b")
    found[1] = Example(name, image, "", lambda header: mask.astype(np.int32))
    with pytest.raises(error, match=message):
        writing.write(Collection(found, KEYS), dst)
    assert not left_behind(dst)


def test_values_without_names(tmp_path, dst):
    with pytest.raises(
        ValueError,
        match="nothing names what the masks hold, which is 0, 300; give a ta",
    ):
        writing.write(Collection(examples(tmp_path)), dst)
    colours = Collection(examples(tmp_path, values=(0, 0xFF0010)), colours=True)
    with pytest.raises(
        ValueError, match="is #000000, #ff0010; give .* '#000000 -> CLAS"
    ):
        writing.write(colours, dst)


def test_what_is_there_stays(tmp_path, dst):
    dst.mkdir(parents=True)
    (dst / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="dst is there already; name a folder"):
        writing.write(Collection(examples(tmp_path), KEYS), dst)
    assert [p.name for p in dst.iterdir()] == ["mine.txt"]
    (dst / "mine.txt").unlink()
    writing.write(Collection(examples(tmp_path), KEYS), dst)
    assert (dst / "classes.txt").exists()


def test_nothing_to_import(dst):
    with pytest.raises(FileNotFoundError, match="no annotated image was found"):
        writing.write(Collection([], KEYS), dst)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": 1.0}, "--split=1 is no share"),
        ({"split": 0.0}, "--split=0 is no share"),
        ({"seed": -1}, "--seed=-1 is negative"),
    ],
)
def test_options_without_sense(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)
