"""Archives of the official layout, made small, through to a training batch."""

import errno
import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import textwrap

import numpy as np
import pytest
import scipy.io
from PIL import Image

from fcn_jax.data import loader
from fcn_jax.data.sources import archives, voc
from fcn_jax.data.sources.archive_reader import ArchiveReader
from tests.support.patience import SECONDS

TRAIN, VAL = ["2007_000032", "2007_000039"], ["2007_000033", "2007_000042"]
SBD_TRAIN, SBD_VAL = ["2007_000042", "2008_000003"], ["2007_000033", "2008_000004"]


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def jpeg(rng, size):
    stream = io.BytesIO()
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(image).save(stream, "jpeg")
    return stream.getvalue()


def mask(rng, size, most, void=True):
    values = rng.integers(0, most + 1, size).astype(np.uint8)
    if void:
        values[0] = 255
    return values


def palette_png(values):
    stream = io.BytesIO()
    image = Image.fromarray(values)
    image.putpalette(np.arange(768, dtype=np.uint8).tolist())
    image.save(stream, "png")
    return stream.getvalue()


def make_voc(path, root, leave_out=()):
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as tar:
        for split, ids in (("train", TRAIN), ("val", VAL), ("trainval", TRAIN + VAL)):
            lines = "".join(f"{name}\n" for name in ids).encode()
            add(tar, f"{root}/ImageSets/Segmentation/{split}.txt", lines)
        for number, name in enumerate(TRAIN + VAL):
            size = (20 + number, 30)
            files = {
                f"JPEGImages/{name}.jpg": jpeg(rng, size),
                f"SegmentationClass/{name}.png": palette_png(mask(rng, size, 20)),
                f"SegmentationObject/{name}.png": palette_png(mask(rng, size, 3)),
            }
            for file, content in files.items():
                if file not in leave_out:
                    add(tar, f"{root}/{file}", content)


def make_sbd(path, leave_out=()):
    rng = np.random.default_rng(1)
    root = "benchmark_RELEASE/dataset"
    with tarfile.open(path, "w:gz") as tar:
        for split, ids in (("train", SBD_TRAIN), ("val", SBD_VAL)):
            add(tar, f"{root}/{split}.txt", "\n".join(ids).encode())
        for name in SBD_TRAIN + SBD_VAL:
            files = {f"img/{name}.jpg": jpeg(rng, (24, 30))}
            for kind, struct, most in (("cls", "GTcls", 20), ("inst", "GTinst", 3)):
                stream = io.BytesIO()
                values = mask(rng, (24, 30), most, void=False)
                scipy.io.savemat(stream, {struct: {"Segmentation": values}})
                files[f"{kind}/{name}.mat"] = stream.getvalue()
            for file, content in files.items():
                if file not in leave_out:
                    add(tar, f"{root}/{file}", content)


def register(monkeypatch, name, path):
    """Take this archive for the official one."""
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    official = archives.ARCHIVES[name]
    ours = archives.Archive(path.name, (md5,), official.addresses)
    monkeypatch.setitem(archives.ARCHIVES, name, ours)


@pytest.fixture
def manual(tmp_path, monkeypatch):
    folder = tmp_path / "manual"
    folder.mkdir()
    paths = {
        "voc2012": folder / "VOCtrainval_11-May-2012.tar",
        "voc2011": folder / "VOCtrainval_25-May-2011.tar",
        "sbd": folder / "benchmark.tgz",
    }
    make_voc(paths["voc2012"], "VOCdevkit/VOC2012")
    make_voc(paths["voc2011"], "TrainVal/VOCdevkit/VOC2011")
    make_sbd(paths["sbd"])
    for name, path in paths.items():
        register(monkeypatch, name, path)
    return folder


def ids(config, split, tmp_path, manual):
    source = voc.open_voc(config, split, tmp_path / "data", manual)
    return sorted(source[i]["id"] for i in range(len(source)))


def test_voc_2012_from_archive_to_batch(tmp_path, manual):
    source = voc.open_voc("2012", "trainval", tmp_path / "data", manual)
    assert len(source) == 4
    assert source.classes[15] == "person"
    item = source[0]
    assert item["labels"].shape == item["objects"].shape == item["image"].shape[:2]
    assert set(np.unique(item["labels"])) <= {*range(21), 255}
    assert (item["labels"][0] == 255).all()
    batches = loader.train_batches(source, batch_size=3, seed=0, num_classes=21)
    batch = next(batches)
    batches.close()
    assert batch["image"].shape == (3, 23, 30, 3)
    assert ids("2012", "train", tmp_path, manual) == TRAIN


def test_seg11valid_is_val_without_sbd_train(tmp_path, manual):
    assert ids("2011", "seg11valid", tmp_path, manual) == ["2007_000033"]
    assert ids("2011", "val", tmp_path, manual) == VAL


def test_seg11valid_can_be_given(tmp_path, manual):
    (manual / "seg11valid.txt").write_text("2007_000042\n")
    assert ids("2011", "seg11valid", tmp_path, manual) == ["2007_000042"]


def test_sbd_splits(tmp_path, manual):
    assert ids("sbd", "train", tmp_path, manual) == SBD_TRAIN
    assert ids("sbd", "val", tmp_path, manual) == sorted(SBD_VAL)
    assert ids("sbd", "seg11valid", tmp_path, manual) == ["2007_000033"]
    aug = ids("sbd", "train_aug", tmp_path, manual)
    assert aug == [*TRAIN, "2008_000003", "2008_000004"]
    source = voc.open_voc("sbd", "train_aug", tmp_path / "data", manual)
    void = {item["id"]: (item["labels"] == 255).any() for item in source}
    assert void["2007_000032"]  # VOC's own mask has void, SBD's has none.
    assert not void["2008_000003"]


def test_sbd_works_decompressed_too(tmp_path, manual, monkeypatch):
    packed = manual / "benchmark.tgz"
    packed.write_bytes(gzip.decompress(packed.read_bytes()))
    register(monkeypatch, "sbd", packed)
    assert ids("sbd", "train", tmp_path, manual) == SBD_TRAIN


def test_a_compressed_archive_is_decompressed_once(tmp_path, manual):
    path, scratch = manual / "benchmark.tgz", tmp_path / "scratch"
    reader = ArchiveReader(path, "benchmark_RELEASE/dataset", scratch)
    path.write_bytes(b"")  # It is not looked at again,
    first = reader.read("train.txt")
    reader.read(f"img/{SBD_VAL[-1]}.jpg")
    assert reader.read("train.txt") == first  # even to go back,
    assert not list(scratch.iterdir())  # and nothing could stay behind.
    reader.close()


@pytest.mark.long
def test_it_works_without_tensorflow(tmp_path, manual):
    ours = repr(archives.ARCHIVES).replace("Archive(", "archives.Archive(")
    script = f"""
        import sys

        from importlib.machinery import PathFinder
        find = PathFinder.find_spec
        PathFinder.find_spec = lambda name, *rest: (
            None if name.partition(".")[0] == "tensorflow" else find(name, *rest)
        )
        sys.path[:0] = {sys.path!r}
        from fcn_jax.data import loader
        from fcn_jax.data.sources import archives, voc
        archives.ARCHIVES.update({ours})
        source = voc.open_voc("2012", "train", {str(tmp_path / "data")!r},
                              {str(manual)!r})
        batch = next(loader.train_batches(source, batch_size=2, seed=0, num_classes=21))
        print(batch["labels"].shape)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert result.stdout.strip() == "(2, 21, 30)", result.stderr


def test_a_missing_archive_says_where_to_put_it(tmp_path):
    match = "VOCtrainval_11-May-2012.tar does not exist; get it from http"
    with pytest.raises(FileNotFoundError, match=match):
        voc.open_voc("2012", "train", tmp_path / "data", tmp_path)


def test_a_wrong_archive_is_refused_and_nothing_is_left(tmp_path, manual):
    path = manual / "VOCtrainval_11-May-2012.tar"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="has the MD5 checksum .*; expected"):
        voc.open_voc("2012", "train", tmp_path / "data", manual)
    prepared = tmp_path / "data" / "voc_segmentation" / "2012"
    assert not [p for p in prepared.rglob("*") if p.is_file()]


def test_a_truncated_archive_is_named(tmp_path, manual, monkeypatch):
    path = manual / "VOCtrainval_11-May-2012.tar"
    path.write_bytes(path.read_bytes()[:700])
    register(monkeypatch, "voc2012", path)
    with pytest.raises(ValueError, match="cannot be read as an archive|holds no VOC"):
        voc.open_voc("2012", "train", tmp_path / "data", manual)


def test_a_truncated_compressed_archive_is_named(tmp_path, manual, monkeypatch):
    path = manual / "benchmark.tgz"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for content in (whole[:-500], whole[:4], bytes(damaged), b"<html>"):
        path.write_bytes(content)
        register(monkeypatch, "sbd", path)
        with pytest.raises(ValueError, match="benchmark.tgz cannot be read as an arch"):
            voc.open_voc("sbd", "train", tmp_path / "data", manual)


def test_a_full_disk_is_no_damaged_archive(tmp_path, manual, monkeypatch):
    def full(source, target, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="no room in .*downloads to decompress .*tgz"):
        voc.open_voc("sbd", "train", tmp_path / "data", manual)


def test_other_trouble_is_not_called_damage(tmp_path, manual):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "downloads").write_text("in the way")
    with pytest.raises(FileExistsError, match="downloads"):
        voc.open_voc("sbd", "train", tmp_path / "data", manual)


@pytest.mark.parametrize("missing", ("benchmark.tgz", "VOCtrainval_25-May-2011.tar"))
def test_a_missing_archive_is_noticed_before_the_work(
    tmp_path, manual, monkeypatch, missing
):
    (manual / missing).unlink()
    monkeypatch.setattr(voc, "examples", None)
    with pytest.raises(FileNotFoundError, match=f"{missing} does not exist; get it"):
        voc.open_voc("sbd", "train", tmp_path / "data", manual)


def test_voc_2011_without_sbd(tmp_path, manual):
    (manual / "benchmark.tgz").unlink()
    match = "benchmark.tgz does not exist; .*list there, as seg11valid.txt"
    with pytest.raises(FileNotFoundError, match=match):
        voc.open_voc("2011", "train", tmp_path / "data", manual)
    (manual / "seg11valid.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"seg11valid.txt names no image; write one"):
        voc.open_voc("2011", "train", tmp_path / "data", manual)
    (manual / "seg11valid.txt").write_text("2007_000042\n")
    assert ids("2011", "train", tmp_path, manual) == TRAIN


@pytest.mark.parametrize("kind", ("img/{}.jpg", "cls/{}.mat", "inst/{}.mat"))
def test_an_id_of_sbd_without_its_file_is_named(tmp_path, manual, monkeypatch, kind):
    path, missing = manual / "benchmark.tgz", kind.format(SBD_VAL[0])
    make_sbd(path, leave_out=(missing,))
    register(monkeypatch, "sbd", path)
    with pytest.raises(ValueError, match=f"holds no .*{missing}, which its lists"):
        voc.open_voc("sbd", "train", tmp_path / "data", manual)
    prepared = tmp_path / "data" / "voc_segmentation" / "sbd"
    assert not [p for p in prepared.rglob("*") if p.is_file()]


@pytest.mark.parametrize("kind", ("JPEGImages/{}.jpg", "SegmentationClass/{}.png"))
def test_an_id_without_its_file_is_named(tmp_path, manual, monkeypatch, kind):
    path = manual / "VOCtrainval_11-May-2012.tar"
    make_voc(path, "VOCdevkit/VOC2012", leave_out=(kind.format(VAL[0]),))
    register(monkeypatch, "voc2012", path)
    with pytest.raises(
        ValueError, match=f"holds no .*{VAL[0]}.*, which its lists name"
    ):
        voc.open_voc("2012", "train", tmp_path / "data", manual)
    make_voc(path, "VOCdevkit/VOC2012")
    register(monkeypatch, "voc2012", path)
    assert ids("2012", "val", tmp_path, manual) == VAL  # Nothing was in the way.


def test_an_unknown_split_names_the_known_ones(tmp_path, manual):
    with pytest.raises(
        ValueError, match="has no split 'tset' .*; there are train, val"
    ):
        voc.open_voc("2012", "tset", tmp_path / "data", manual)
