"""A format is detected by content; what is none of them is named."""

import io
import zipfile

import pytest

from fcn_jax.weights import WeightsError, formats
from tests.support import weight_samples as samples

FORMATS = {"pth_zip": "pytorch", "pth_stream": "pytorch", "npz_compressed": "npz"}


@pytest.mark.parametrize(("name", "data"), samples.whole().items())
def test_the_name_says_nothing(tmp_path, name, data):
    path = tmp_path / "file.txt"
    path.write_bytes(data)
    assert formats.read(path).format == FORMATS.get(name, name)


def archive(name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(name, b"x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (b"", "it is empty"),
        (b"\xff\xff", "it begins with"),
        (b"<!DOCTYPE html>", "an HTML page"),
        (b"version https://git-lfs", "a pointer of Git LFS"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"name: 'VGG'", "a net definition of Caffe"),
        (b"PK\x03\x04torn", "a torn zip archive"),
        (archive("a.txt"), "a zip archive with 'a.txt'"),
    ),
)
def test_it_names_what_it_is(tmp_path, data, text):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=text):
        formats.read(path)


def test_a_zip_of_a_later_version_is_refused(tmp_path):
    data = bytearray(archive("w.npy"))
    data[data.index(b"PK\x01\x02") + 6] = 99
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="a torn zip archive .*version"):
        formats.read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none does not exist; expected a run"):
        formats.read(tmp_path / "none")
