"""Data in an object store are copied once, whole, and anew where they changed."""

import shutil
import types

import fsspec
import pytest

from fcn_jax import data
from fcn_jax.config import workdir as workdirs
from fcn_jax.data.options import ToolOptions
from fcn_jax.runs import lock
from fcn_jax.storage import mirrors
from tests.support.runs import make_folder


@pytest.fixture
def store():
    """fsspec's store in memory, which is one for the process."""
    system = fsspec.filesystem("memory")
    yield system
    for path in system.ls("/", detail=False):
        system.rm(path, recursive=True)


def below(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }


@pytest.mark.parametrize(
    ("place", "found"),
    (
        ("s3://bucket/voc", True),
        ("gs://bucket", True),
        ("s3:/bucket/voc", True),  # As a `Path` of it says.
        ("C:/voc", False),
        ("C://voc", False),
        ("/data/voc", False),
        ("voc", False),
        ("", False),
    ),
)
def test_an_address_is_told_from_a_path(place, found):
    assert mirrors.is_address(place) == found


def test_it_is_copied_once_and_anew_where_it_changed(store, tmp_path):
    store.pipe("/voc/a.txt", b"one")
    store.pipe("/voc/sub/b.txt", b"two")
    first = mirrors.mirrored("memory://voc", tmp_path / "copies")
    assert below(first) == {"a.txt": b"one", "sub/b.txt": b"two"}
    assert mirrors.mirrored("memory://voc/", tmp_path / "copies") == first
    (first / "a.txt").write_bytes(b"own")  # Nothing is copied over it.
    assert mirrors.mirrored("memory://voc", tmp_path / "copies") == first
    assert below(first)["a.txt"] == b"own"
    store.pipe("/voc/a.txt", b"new")  # As long as before.
    second = mirrors.mirrored("memory://voc", tmp_path / "copies")
    assert second != first
    assert below(second) == {"a.txt": b"new", "sub/b.txt": b"two"}
    kept = sorted(p.name for p in (tmp_path / "copies").iterdir() if p.is_dir())
    assert kept == sorted([first.name, second.name])


def test_a_folder_in_a_store_is_read_as_one_on_disk(store, tmp_path):
    folder = make_folder(tmp_path / "data")
    store.put(str(folder), "/bucket/voc", recursive=True)
    theirs = data.open_source("folder", "train", root=str(folder))
    ours = data.open_source(
        "folder", "train", root="memory://bucket/voc", data_dir=str(tmp_path / "kept")
    )
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["id"] == other["id"]
        assert (mine["image"] == other["image"]).all()
        assert (mine["labels"] == other["labels"]).all()
    heads = data.heads(
        "folder", "train", root="memory://bucket/voc", data_dir=str(tmp_path / "kept")
    )
    assert heads[0].classes == theirs.classes
    assert ours.fingerprint() == theirs.fingerprint()


def copying(store, monkeypatch, change):
    """What comes of a store that changes while it is copied."""
    get = type(store).get

    def changed(system, *arguments, **options):
        get(system, *arguments, **options)
        change(*arguments)

    monkeypatch.setattr(type(store), "get", changed)


def test_what_changes_meanwhile_is_not_kept(store, tmp_path, monkeypatch):
    store.pipe("/voc/a.txt", b"one")
    copying(store, monkeypatch, lambda *_: store.pipe("/voc/b.txt", b"two"))
    with pytest.raises(OSError, match=r"memory://voc changed while it was copied; not"):
        mirrors.mirrored("memory://voc", tmp_path)
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == []


def test_what_is_cut_off_is_not_kept(store, tmp_path, monkeypatch):
    store.pipe("/voc/a.txt", b"one")

    def cut(remote, local):
        with open(local[0], "wb") as file:
            file.write(b"o")

    copying(store, monkeypatch, cut)
    with pytest.raises(OSError, match=r"changed while it was copied \(a.txt\); not"):
        mirrors.mirrored("memory://voc", tmp_path)
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == []


def test_a_store_that_breaks_off_is_named(store, tmp_path, monkeypatch):
    store.pipe("/voc/a.txt", b"one")

    def lost(*_):
        raise RuntimeError("connection lost")

    copying(store, monkeypatch, lost)
    message = r"memory://voc could not be copied \(RuntimeError: connection lost\); no"
    with pytest.raises(OSError, match=message):
        mirrors.mirrored("memory://voc", tmp_path)
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == []


def test_a_store_that_does_not_answer_is_named(store, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise RuntimeError("no credentials\nof any kind")

    monkeypatch.setattr(type(store), "find", refused)
    message = r"memory://voc could not be listed \(RuntimeError: no credentials\); see "
    with pytest.raises(OSError, match=message):
        mirrors.mirrored("memory://voc", tmp_path)


def test_no_room_is_said_before_anything_is_copied(store, tmp_path, monkeypatch):
    store.pipe("/voc/a.txt", b"one")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=2))
    with pytest.raises(OSError, match=r"memory://voc has 0.00 GB, and .* room for 0.0"):
        mirrors.mirrored("memory://voc", tmp_path)


def test_nothing_there_is_said(store, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing is at memory://voc; see that"):
        mirrors.mirrored("memory://voc", tmp_path)


def test_names_that_lead_elsewhere_are_refused(store, tmp_path, monkeypatch):
    found = {"/voc/../a": {"size": 1}}
    monkeypatch.setattr(type(store), "find", lambda *_, **__: found)
    with pytest.raises(ValueError, match=r"holds '/voc/../a', which is no name of a f"):
        mirrors.mirrored("memory://voc", tmp_path)


def test_an_address_of_no_known_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"nfs4://a/b is no address that is known"):
        mirrors.mirrored("nfs4://a/b", tmp_path)


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError("Install s3fs")

    monkeypatch.setattr(mirrors.importlib, "import_module", missing)
    message = r's3://a/b needs a package .*\(Install s3fs\): pip install "fcn-jax\[sto'
    with pytest.raises(ValueError, match=message):
        mirrors.mirrored("s3://a/b", tmp_path)


@pytest.mark.parametrize("name", ("palette", "data_dir", "manual_dir"))
def test_of_data_the_root_alone_may_be_in_a_store(name):
    message = rf"config.data.{name}=gs://a/b is the address of an object store; of data"
    with pytest.raises(ValueError, match=message):
        data.open_source("folder", "train", root="x", **{name: "gs://a/b"})


def test_nor_may_files_of_tools():
    message = r"config.data.masks=gs://a/b is the address of an object store; of data"
    with pytest.raises(ValueError, match=message):
        data.open_source("ade20k", "train", tool=ToolOptions(masks="gs://a/b"))


def test_a_run_in_a_store_is_refused_and_nothing_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = r"--workdir=s3://bucket/run is the address of an object store; runs need"
    with pytest.raises(ValueError, match=message), lock.held("s3://bucket/run"):
        pass
    message = r"the run=s3://bucket/run is the address of .*copy it to a local disk: a"
    with pytest.raises(ValueError, match=message):
        workdirs.config_of_run("s3://bucket/run")
    assert list(tmp_path.iterdir()) == []
