"""NumPy's and safetensors' files: what is read, and every refusal."""

import importlib
import io
import time
import warnings
import zipfile

import ml_dtypes
import numpy as np
import pytest

from fcn_jax.weights import WeightsError
from fcn_jax.weights.formats import extras, npz, safetensors
from tests.support import weight_samples as samples

W = np.arange(6, dtype="<f4").reshape(2, 3)
ENTRY = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def archive(*members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of names that come twice.
        for name, data in members:
            file.writestr(name, data)
    return out.getvalue()


def odd(shape):
    """W with another shape in its header."""
    return npy(W).replace(b"(2, 3), }   ", shape)


def npy(x):
    out = io.BytesIO()
    np.save(out, x, allow_pickle=True)
    return out.getvalue()


@pytest.mark.parametrize("compressed", (False, True))
@pytest.mark.parametrize("dtype", ("<f2", "<f4", "<f8", ml_dtypes.bfloat16))
def test_npz_gives_what_was_saved(write, compressed, dtype):
    w = np.asfortranarray(W.astype(dtype))
    found = npz.read(write(samples.npz(compressed, w=w, step=np.int64(1))))
    assert list(found) == ["w"]
    assert found["w"].dtype == dtype
    np.testing.assert_array_equal(found["w"], W)


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (samples.npz(w=W)[:-30], "no zip archive"),
        (samples.npz(i=np.arange(3)), "it holds no array of numbers"),
        (archive(("w.npy", npy(W)), ("w.npy", npy(W))), r"two members are named 'w\.n"),
        (archive(("w.npy", npy(W)), ("w", npy(W))), "two arrays are named 'w'"),
        (archive(("w.npy", b"x")), "is no .npy array"),
        (archive(("w.npy", npy(W)[:20])), "a damaged header"),
        (archive(("w.npy", npy(W).replace(b"descr", b"DESCR"))), "header \\('descr'"),
        (archive(("w.npy", npy(W)[:-1])), "has 23 bytes; expected 24"),
        (archive(("w.npy", npy(np.array([None])))), "holds Python objects"),
        (archive(("w.npy", odd(b"(2, 3.), }  "))), "header \\(a shape"),
        (archive(("w.npy", odd(b"(2, True), }"))), "header \\(a shape"),
        (samples.npz(True, w=np.zeros(2**20)), "its members unpack to 8,"),
    ),
)
def test_npz_refuses(write, data, text):
    with pytest.raises(WeightsError, match=text):
        npz.read(write(data))


def test_npz_refuses_a_member_whose_bytes_changed(write):
    data = samples.npz(w=W).replace(W.tobytes(), bytes(24))
    with pytest.raises(WeightsError, match="is damaged"):
        npz.read(write(data))


@pytest.mark.parametrize(
    ("dtype", "name"),
    (("<f2", "F16"), ("<f4", "F32"), ("<f8", "F64"), (ml_dtypes.bfloat16, "BF16")),
)
def test_safetensors_gives_what_was_saved(write, dtype, name):
    data = W.astype(dtype).tobytes()
    entry = ENTRY | {"dtype": name, "data_offsets": [0, len(data)]}
    path = write(samples.safetensors({"__metadata__": {"a": "b"}, "w": entry}, data))
    found = safetensors.read(path)["w"]
    np.testing.assert_array_equal(found, W.astype(dtype))
    assert found.dtype == dtype
    assert safetensors.read_metadata(path) == {"a": "b"}


@pytest.mark.parametrize(
    ("header", "data", "text"),
    (
        ({"w": ENTRY}, W.tobytes()[:-1], "no .safetensors"),
        ({"w": ENTRY, "v": ENTRY}, W.tobytes(), "no .safetensors"),
        (b'{"w": {}, "w": {}}', b"", "two arrays are named 'w'"),
        (b"{", b"", "its header is damaged"),
        (b'{"a":' * 100_000, b"", "its header is damaged"),
        (b"[]", b"", "its header is no list of arrays"),
        ({}, b"", "it holds no floating-point array"),
        (b'{"w": {"shape": [' + b"9" * 5000 + b"]}}", b"", "its header is damaged"),
    ),
)
def test_safetensors_refuses(write, header, data, text):
    with pytest.raises(WeightsError, match=text):
        safetensors.read(write(samples.safetensors(header, data)))


def test_safetensors_believes_no_length(write):
    with pytest.raises(WeightsError, match="its header claims 99999 bytes"):
        safetensors.read(write((99999).to_bytes(8, "little") + b"{}"))


@pytest.mark.parametrize("package", ("pyfive", "safetensors"))
def test_a_missing_package_names_the_extra(monkeypatch, package):
    def missing(name):
        raise ImportError("No module named 'numcodecs'")  # Which pyfive needs.

    monkeypatch.setattr(importlib, "import_module", missing)
    told = rf"{package}, which cannot be imported \(No .*codecs'\).*fcn-jax\[weights\]"
    with pytest.raises(ImportError, match=told):
        extras.require(package, "a.file")


@pytest.mark.parametrize("reader", (npz, safetensors))
def test_a_missing_file_is_not_found(tmp_path, reader):
    with pytest.raises(FileNotFoundError):
        reader.read(tmp_path / "none")


def test_safetensors_reads_many_names_in_little_time(write):
    """A name that is twice among many is found at once, and not by counting each."""
    names = [f'"x{n}": {{}}' for n in range(60_000)]
    header = ("{" + ", ".join([*names, names[-1]]) + "}").encode()
    start = time.process_time()
    with pytest.raises(WeightsError, match="two arrays are named 'x59999'"):
        safetensors.read(write(samples.safetensors(header, b"")))
    assert time.process_time() - start < 10  # Counting takes minutes.
