"""Tools' files opened by their format's name: what import and VocFolder would give."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from fcn_jax import data
from fcn_jax.data import fingerprints, imports
from fcn_jax.data.imports import label_table, writing
from fcn_jax.data.imports.contracts import Places
from fcn_jax.data.options import FolderOptions, ToolOptions
from fcn_jax.data.sources import imported
from fcn_jax.data.sources.voc_folder import VocFolder
from fcn_jax.storage import files
from tests.support import annotations, folders
from tests.support.patience import SECONDS


@pytest.fixture
def opened(tmp_path):
    """Opens a split of tmp_path/src, or of the file in it that `root` names."""

    def open_split(form, split="train", root="", table="", **options):
        table = table or annotations.TABLES.get(form, "")
        path = tmp_path / "labels.txt"
        path.write_text(table)
        folder = FolderOptions(**options.pop("folder", {}))
        tool = ToolOptions(str(path) if table else "", **options)
        return data.open_source(
            form,
            split,
            root=str(tmp_path / "src" / root),
            data_dir=str(tmp_path / "cache"),
            folder=folder,
            tool=tool,
        )

    return open_split


def made(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache").iterdir() if p.is_dir())


def labels_of(source):
    return {item["id"]: item["labels"].tolist() for item in source}


@pytest.mark.parametrize("form", imports.FORMATS)
def test_masks_are_those_of_an_import(tmp_path, opened, form):
    annotations.write(form, tmp_path / "src")
    sources = [opened(form, split) for split in ("train", "val")]
    table = annotations.TABLES.get(form)
    table = label_table.read(tmp_path / "labels.txt") if table else None
    writing.write(imports.read(form, tmp_path / "src"), tmp_path / "dst", table)
    for source in sources:
        expected = VocFolder(tmp_path / "dst", source.split)
        assert (source.name, source.classes) == (form, expected.classes)
        assert fingerprints.of(source) == fingerprints.of(expected)
        for ours, theirs in zip(source, expected, strict=True):
            for name in ("image", "labels", "id"):
                np.testing.assert_array_equal(ours[name], theirs[name])
    again = pickle.loads(pickle.dumps(sources[0]))
    assert labels_of(again) == labels_of(sources[0])


@pytest.mark.parametrize("form", ("labelme", "coco", "coco_panoptic", "yolo", "camvid"))
def test_it_is_made_once_and_anew_where_an_annotation_has_changed(
    tmp_path, opened, form, monkeypatch
):
    annotations.write(form, tmp_path / "src")
    before = labels_of(opened(form))
    (name,) = made(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(imported.imports, "read", None)
        opened(form, "val")  # It is found, and nothing is read.
    annotations.write(form, tmp_path / "src", seed=1)
    after = labels_of(opened(form))
    assert len(made(tmp_path)) == 2
    assert after.keys() == before.keys()
    assert after != before
    # What a run has opened stays as it was.
    assert labels_of(VocFolder(tmp_path / "cache" / name, "train")) == before


def test_a_new_image_is_seen(tmp_path, opened):
    root = annotations.write("labelme", tmp_path / "src")
    assert len(opened("labelme")) == 4
    shutil.copy(root / "a.jpg", root / "f.jpg")
    record = json.loads((root / "a.json").read_text())
    record["imagePath"] = "f.jpg"
    (root / "f.json").write_text(json.dumps(record))
    assert len(opened("labelme")) + len(opened("labelme", "val")) == 6


@pytest.mark.parametrize(
    ("form", "root", "more"),
    [
        ("coco", "annotations/instances_train.json", ()),
        ("coco_panoptic", "annotations/panoptic_train.json", ()),
        ("yolo", "data.yaml", ()),
        ("yolo", "", ("labels/train", "images/train")),
    ],
)
def test_sources_that_are_files_or_lie_elsewhere(tmp_path, opened, form, root, more):
    """What lies beside them is not looked at, however much that is."""
    src = annotations.write(form, tmp_path / "src")
    if more:
        for place in more:
            (tmp_path / "far" / place).parent.mkdir(parents=True, exist_ok=True)
            (src / place).rename(tmp_path / "far" / place)
        yaml = "train: ../far/images/train\nval: images/val\nnames: [cat, dog]\n"
        (src / "data.yaml").write_text(yaml)
    before = labels_of(opened(form, root=root))
    (tmp_path / "src/notes.txt").write_text("nothing of ours")
    if root:
        opened(form, root=root)
        assert len(made(tmp_path)) == 1
    annotations.write(form, tmp_path / "new", seed=1)
    for path in (tmp_path / "new").rglob("*"):
        if path.suffix in (".json", ".png", ".txt"):
            place = path.relative_to(tmp_path / "new")
            far = tmp_path / "far" / place
            path.replace(far if far.exists() else src / place)
    assert labels_of(opened(form, root=root)) != before


def test_links_are_followed_once(tmp_path, opened):
    src = annotations.write("folders", tmp_path / "src")
    (src / "masks").rename(tmp_path / "masks")
    (src / "masks").symlink_to(tmp_path / "masks")
    (src / "masks/round").symlink_to(tmp_path / "masks")
    before = labels_of(opened("folders"))
    new = annotations.write("folders", tmp_path / "new", seed=1)
    for path in (new / "masks").iterdir():
        path.replace(tmp_path / "masks" / path.name)
    assert labels_of(opened("folders")) != before


def test_another_table_has_other_labels(tmp_path, opened):
    annotations.write("folders", tmp_path / "src")
    first = opened("folders")
    other = opened("folders", table="0 -> void\n1 -> car\n2 -> tree\n")
    assert (first.classes, other.classes) == (("ground", "car"), ("car", "tree"))
    remap = np.array([255, 0, 1])
    (image,) = [i for i in other if i["id"] == "a"]
    np.testing.assert_array_equal(image["labels"], remap[folders.labels()])


@pytest.mark.parametrize("form", ("labelme", "coco"))
def test_a_share_divides_anew(tmp_path, opened, form):
    """By chance, as the share and the seed have it; without, formats' splits stay."""
    annotations.write(form, tmp_path / "src")
    folder = {"split": 0.4, "split_seed": 1}
    source, scored = (opened(form, s, folder=folder) for s in ("train", "val"))
    assert (len(source), len(scored)) == (2, 3)
    assert not set(source.ids) & set(scored.ids)
    (note,) = source.notes
    assert "--config.data.split=0.4, --config.data.split_seed=1" in note
    assert len(opened(form)) == (4 if form == "labelme" else 3)


@pytest.mark.parametrize("orientation", (6, 3))
def test_photos_are_turned_where_annotations_were_drawn_upright(
    tmp_path, opened, orientation
):
    src = annotations.write("labelme", tmp_path / "src")
    exif = Image.Exif()
    exif[0x0112] = orientation
    for path in src.glob("*.jpg"):
        folders.save(path, folders.photo(), exif=exif)
    source = opened("labelme")
    assert source.options.apply_exif
    size = folders.SIZE[::-1] if orientation == 6 else folders.SIZE
    assert source[0]["image"].shape[:2] == source[0]["labels"].shape == size
    assert not [note for note in source.notes if "apply_exif" in note]


def test_where_files_are_is_named(tmp_path, opened):
    src = annotations.write("folders", tmp_path / "src")
    (src / "masks").rename(src / "drawn_by_hand")
    with pytest.raises(
        ValueError, match="name them with --config.data.images=DIR and --config.data.m"
    ):
        opened("folders")
    named = {"images": "photos", "masks": "drawn_by_hand"}
    assert len(opened("folders", **named)) == 4
    assert imports.watched("folders", src, Places(**named)) == [
        src,
        src / "photos",
        src / "drawn_by_hand",
    ]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"root": None},
            ValueError,
            "'labelme' needs the path of its files; set -",
        ),
        (
            {"root": "no"},
            FileNotFoundError,
            "no does not exist; name what is to be",
        ),
        ({"palette": "P"}, ValueError, "has colours of its own, but palette='P'"),
        ({"data_dir": "src/c"}, ValueError, "data_dir=src/c lies in .*root=src, whose"),
        (
            {"folder": FolderOptions(void_label=9)},
            ValueError,
            "data.void_label=9 is for folders of masks, and data set 'labelme' has ann",
        ),
        (
            {"tool": ToolOptions("no.txt")},
            FileNotFoundError,
            "no.txt does not exist; expected a table of labels",
        ),
        (
            {"tool": ToolOptions(images="x")},
            ValueError,
            "--config.data.images=x is not used by the format 'labelme'",
        ),
    ],
)
def test_what_has_no_sense_is_refused(tmp_path, monkeypatch, change, error, message):
    monkeypatch.chdir(tmp_path)
    annotations.write("labelme", tmp_path / "src")
    options = {"root": "src", "data_dir": "cache", **change}
    with pytest.raises(error, match=message):
        data.open_source("labelme", "train", **options)
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith("labelme-")]


def test_a_bad_annotation_leaves_nothing(tmp_path, opened):
    src = annotations.write("labelme", tmp_path / "src")
    good = (src / "c.json").read_text()
    (src / "c.json").write_text(good.replace("polygon", "spiral"))
    with pytest.raises(ValueError, match=r"c.json, shape 1 .dog."):
        opened("labelme")
    assert made(tmp_path) == []
    (src / "c.json").write_text(good)
    assert len(opened("labelme")) == 4


def test_a_folder_that_is_not_whole_is_made_anew(tmp_path, opened, monkeypatch):
    """As a kill leaves it: a part beside it, and the name not given yet."""
    annotations.write("labelme", tmp_path / "src")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    give_name = files.give_name

    def killed(part, path):
        if part.is_file():
            return give_name(part, path)
        pids = (f"-{os.getpid()}-", f"-{ended.pid}-")
        part.rename(part.with_name(part.name.replace(*pids)))
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(files, "give_name", killed)
        with pytest.raises(SystemExit):
            opened("labelme")
    (left,) = made(tmp_path)
    assert left.endswith(".part")
    assert len(opened("labelme")) == 4
    (name,) = made(tmp_path)
    assert name.startswith("labelme-")


def test_two_at_once_make_it_once(tmp_path, opened, monkeypatch):
    annotations.write("labelme", tmp_path / "src")
    read, begun, sources = imports.read, threading.Barrier(2, timeout=SECONDS), []
    watched, reads = imports.watched, []

    def together(*given):
        found = watched(*given)
        begun.wait()
        return found

    monkeypatch.setattr(imported.imports, "watched", together)
    monkeypatch.setattr(
        imported.imports, "read", lambda *given: reads.append(1) or read(*given)
    )
    threads = [
        threading.Thread(target=lambda: sources.append(opened("labelme")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(sources), len(reads)) == (2, 1)
    assert labels_of(sources[0]) == labels_of(sources[1])


def test_a_home_that_is_not_known(tmp_path, monkeypatch):
    def unknown(self):
        raise RuntimeError("Could not determine home directory.")

    annotations.write("labelme", tmp_path / "src")
    source = str(tmp_path / "src")
    monkeypatch.setattr(imported, "_source", lambda form, options: tmp_path / "src")
    monkeypatch.setattr(imported.Path, "expanduser", unknown)
    with pytest.raises(ValueError, match="no home directory is known.*set --config.da"):
        data.open_source("labelme", "train", root=source)


def test_a_place_that_may_not_be_written_to_is_named(tmp_path, opened, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, os.strerror(13))

    annotations.write("labelme", tmp_path / "src")
    monkeypatch.setattr(imported.Path, "mkdir", refuse)
    with pytest.raises(
        OSError, match="could not be written .*choose another config.data.data_dir"
    ):
        opened("labelme")


def test_a_file_that_may_not_be_read_is_named(tmp_path, opened, monkeypatch):
    annotations.write("labelme", tmp_path / "src")
    photo = str(next((tmp_path / "src").rglob("*.jpg")))

    def refuse(*_, **__):
        raise PermissionError(13, os.strerror(13), photo)

    monkeypatch.setattr(imported.writing.image_files, "read_header", refuse)
    with pytest.raises(OSError, match=r"jpg cannot be read .Permission denied.; get"):
        opened("labelme")
    assert made(tmp_path) == []
