"""Every data set in its official layout: from a folder, and from archives by TFDS."""

import dataclasses
import pickle

import numpy as np
import pytest

from fcn_jax import data
from fcn_jax.data import contracts, fingerprints, label_sets, loader, official
from fcn_jax.data.official import (
    ade20k,
    camvid,
    cityscapes,
    coco_stuff,
    pascal_context,
    sift_flow,
)
from fcn_jax.data.options import ToolOptions
from fcn_jax.data.sources import archives
from tests.support import official as made

VOID = label_sets.IGNORE_LABEL
VARIANTS = [(name, c) for name, e in official.NAMES.items() for c in e.classes or ("",)]


@pytest.fixture(autouse=True)
def _no_checksum_and_two_images_of_test(monkeypatch):
    any_file = dataclasses.replace(archives.ARCHIVES["voc2010"], md5=())
    monkeypatch.setitem(archives.ARCHIVES, "voc2010", any_file)
    monkeypatch.setattr(sift_flow, "TEST", frozenset(made.TESTED))


def opened(name, split, classes="", **where):
    tool = ToolOptions(classes=classes)
    if name in data.imports.FORMATS and "root" in where:
        # By that name `imports` reads a folder.
        return official.open_official(
            name, split, data.Options(root=str(where["root"]), tool=tool)
        )
    where = {key: str(value) for key, value in where.items()}
    return data.open_source(name, split, tool=tool, **where)


def by_id(source):
    return {item["id"]: item for item in (source[i] for i in range(len(source)))}


@pytest.mark.parametrize(("name", "classes"), VARIANTS)
def test_archives_and_the_folder_give_the_same(tmp_path, name, classes):
    root = made.unpack(name, tmp_path / "folder")
    packed = made.pack(name, tmp_path / "manual")
    for split in official.layout_of(name).splits:
        ours = opened(name, split, classes, root=root)
        prepared = opened(
            name, split, classes, data_dir=tmp_path / "data", manual_dir=packed
        )
        assert contracts.num_classes(ours) == contracts.num_classes(prepared)
        theirs = by_id(prepared)
        assert theirs.keys() == by_id(ours).keys() == set(ours.ids)
        for key, item in by_id(ours).items():
            np.testing.assert_array_equal(item["image"], theirs[key]["image"])
            expected, found = item["labels"], theirs[key]["labels"]
            if not isinstance(expected, dict):
                expected, found = {"": expected}, {"": found}
            for head in expected:
                np.testing.assert_array_equal(expected[head], found[head])
                assert expected[head].dtype == np.uint8
        assert ours.image_sizes().tolist() == [list(made.SIZE)] * len(ours)
        assert prepared.image_sizes().tolist() == [list(made.SIZE)] * len(ours)
        again = pickle.loads(pickle.dumps(prepared))
        assert by_id(again).keys() == theirs.keys()
        assert fingerprints.of(again) == fingerprints.of(prepared)
        again = pickle.loads(pickle.dumps(ours))
        assert fingerprints.of(again) == fingerprints.of(ours)


def test_the_splits():
    counts = {name: official.layout_of(name).splits for name in official.NAMES}
    for name, entry in official.NAMES.items():
        assert set(entry.splits) <= set(counts[name])
        assert data.DATASETS[name].splits == entry.splits
    assert counts["camvid/full"] == ("train", "val", "test")


def test_a_batch_of_two_heads(tmp_path):
    root = made.unpack("sift_flow", tmp_path)
    source = data.open_source("sift_flow", "train", root=str(root))
    assert sorted(source.ids) == sorted(made.TRAINED)  # Two are without annotation.
    batches = loader.train_batches(
        source, batch_size=2, seed=0, num_classes={"sem": 33, "geo": 3}
    )
    batch = next(batches)
    batches.close()
    assert (
        batch["labels"]["sem"].shape == batch["labels"]["geo"].shape == (2, *made.SIZE)
    )


def table(name, head="", classes="", **held):
    """The labels of some values of a data set."""
    layout = official.layout_of(name, classes)
    file, values, dtype = held["file"], np.array([held["values"]]), held.get("dtype")
    content = (
        made.mat(**{held["key"]: values})
        if file == "mat"
        else made.image(values.astype(dtype or np.uint8))
    )
    return layout.decode(content, head, held.get("where", "x.png"))[0].tolist()


def test_sift_flow_by_hand():
    """-1 is void of the geometric head, 0 of the semantic: neither wraps around."""
    semantic = table("sift_flow", "sem", file="mat", key="S", values=[0, 1, 9, 33])
    assert semantic == [VOID, 0, 8, 32]
    geometric = table("sift_flow", "geo", file="mat", key="S", values=[-1, 1, 2, 3])
    assert geometric == [VOID, 0, 1, 2]
    head = official.layout_of("sift_flow").heads[0]
    assert [head.classes[i] for i in (8, 10, 15, 27)] == [
        "cow",
        "desert",
        "moon",
        "sky",
    ]
    assert head.may_be_absent == ("cow", "desert", "moon")


def test_the_test_images_of_sift_flow():
    """As many of each category as fcn.berkeleyvision.org's test.txt has."""
    counts = {k: len(names.split()) for k, names in sift_flow._TEST.items()}
    assert counts == {
        "coast": 27, "forest": 24, "highway": 20, "insidecity": 23, "mountain": 27,
        "opencountry": 31, "street": 21, "tallbuilding": 27,
    }  # fmt: skip
    assert sum(counts.values()) == 200


def test_pascal_context_by_hand():
    ids = {"file": "mat", "key": "LabelMap", "values": [0, 2, 397, 80, 19, 458, 459, 1]}
    sixty = table("pascal_context", classes="60", **ids)
    assert sixty == [0, 1, 11, 28, 52, 59, 0, 0]
    fifty_nine = table("pascal_context", classes="59", **ids)
    assert fifty_nine == [VOID, 0, 10, 27, 51, 58, VOID, VOID]
    names = official.layout_of("pascal_context", "60").heads[0].classes
    # classes-59.txt of fcn.berkeleyvision.org.
    assert [names[i] for i in (0, 1, 20, 21, 42, 59)] == [
        *("background", "aeroplane", "tvmonitor", "bag", "curtain", "wood")
    ]
    assert names[:21] == label_sets.VOC.classes
    assert official.layout_of("pascal_context", "59").heads[0].classes == names[1:]


def test_the_other_tables_by_hand():
    assert table("ade20k", file="png", values=[0, 1, 150]) == [VOID, 0, 149]
    ids = table("cityscapes", file="png", values=[0, 7, 8, 9, 11, 33])
    assert ids == [VOID, 0, 1, VOID, 2, 18]
    trained = table(
        "cityscapes",
        file="png",
        values=[0, 18, 255],
        where="a_gtFine_labelTrainIds.png",
    )
    assert trained == [0, 18, VOID]
    # Person, stop sign (street sign before it has no annotations), banner, wood.
    stuff = table("coco_stuff", file="png", values=[0, 12, 91, 181, 255])
    assert stuff == [0, 11, 80, 170, VOID]
    assert table("camvid", file="png", values=[0, 10, 11]) == [0, 10, VOID]


def test_the_names():
    assert (ade20k.CLASSES[0], ade20k.CLASSES[149]) == ("wall", "flag")
    assert len(set(ade20k.CLASSES)) == 150
    assert (coco_stuff.CLASSES[11], coco_stuff.CLASSES[80]) == ("stop sign", "banner")
    assert len(set(coco_stuff.CLASSES)) == 171
    assert len(set(pascal_context.IDS.values())) == 59
    assert cityscapes.PALETTE[18].tolist() == [119, 11, 32]
    assert ade20k.PALETTE[149].tolist() == [92, 0, 255]


def colours(classes, held):
    layout = official.layout_of("camvid/full", classes)
    found = layout.decode(made.image(np.array([held], np.uint8)), "", "x_L.png")
    names = layout.heads[0].classes
    return [names[label] if label != VOID else "" for label in found[0].tolist()]


def test_camvid_of_32_colours():
    held = [(0, 0, 0), (192, 0, 128), (192, 0, 192), (128, 0, 192), (64, 192, 0)]
    assert colours("11", held) == ["", "building", "bicyclist", "road", "building"]
    assert colours("31", held) == [
        *("", "Archway", "MotorcycleScooter", "LaneMkgsDriv", "Wall")
    ]
    groups = {group for _, _, group in camvid.LABELS}
    assert groups == set(camvid.CLASSES)
    assert len({colour for _, colour, _ in camvid.LABELS}) == 31


def test_the_division_of_camvid():
    """Frames of the five sequences, as many as SegNet's lists have."""
    names = [
        *(f"0001TP_{n:06}" for n in range(6690, 10381, 30)),
        *(f"0006R0_f{n:05}" for n in range(930, 3931, 30)),
        *(f"0016E5_{n:05}" for n in range(390, 8641, 30) if not 2400 < n < 4350
          and not 7920 < n < 8190),
        *(f"0016E5_{n:05}" for n in range(7959, 8160, 2)),
        *(f"Seq05VD_f{n:05}" for n in range(0, 5101, 30)),
    ]  # fmt: skip
    counts = {split: 0 for split in camvid.SPLITS}
    for name in names:
        counts[camvid.split_of(name)] += 1
    assert counts == {"train": 367, "val": 101, "test": 233}
    with pytest.raises(
        ValueError, match="Thumbs is no image of CamVid, whose names ar"
    ):
        camvid.split_of("Thumbs")


def test_train_ids_where_a_folder_has_no_others(tmp_path):
    root = made.unpack("cityscapes", tmp_path / "src")
    for path in list((root / "gtFine").rglob("*_labelIds.png")):
        path.write_bytes(made.image(made.values((0, 18, 255)).astype(np.uint8)))
        path.rename(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
    source = opened("cityscapes", "train", root=root)
    assert set(np.unique(source[0]["labels"])) == {0, 18, VOID}
    ours = data.open_source(
        "cityscapes", "train", root=str(root), data_dir=str(tmp_path / "data")
    )
    assert ours.classes == cityscapes.CLASSES
    np.testing.assert_array_equal(ours.palette, cityscapes.PALETTE)
    for key, item in by_id(source).items():
        np.testing.assert_array_equal(by_id(ours)[key]["labels"], item["labels"])


def test_a_folder_one_below_is_found(tmp_path):
    made.unpack("sift_flow", tmp_path / "SiftFlowDataset")
    assert len(data.open_source("sift_flow", "test", root=str(tmp_path))) == 2


@pytest.mark.parametrize("name", ("ade20k", "cityscapes", "camvid"))
def test_what_imports_reads_has_the_official_palette(tmp_path, name):
    root = made.unpack(name, tmp_path / "src")
    if name == "ade20k":
        lines = [f"{i}\t0\t0\t0\t0\t{n}" for i, n in enumerate(ade20k.CLASSES, 1)]
        text = "\n".join(["Idx\tRatio\tTrain\tVal\tStuff\tName", *lines])
        (root / "objectInfo150.txt").write_text(text)
    source = data.open_source(name, "train", root=str(root), data_dir=str(tmp_path))
    ours = official.layout_of(name).heads[0]
    assert source.classes == ours.classes
    np.testing.assert_array_equal(source.palette, ours.palette)
    expected = opened(name, "train", root=root)
    for key, item in by_id(expected).items():
        np.testing.assert_array_equal(by_id(source)[key]["labels"], item["labels"])


def test_heads_are_known_without_an_archive():
    tool = ToolOptions(classes="59")
    (head,) = data.heads("pascal_context", "train", tool=tool)
    assert head.num_classes == 59
    assert [h.num_classes for h in data.heads("sift_flow", "train")] == [33, 3]
