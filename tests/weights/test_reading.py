"""Files as the frameworks write them; damaged, foreign and malicious ones."""

import json
import pickle
import struct
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fcn_jax.weights import (
    WeightsError,
    caffemodel,
    formats,
    keras,
    npz,
    pytorch,
    safetensors,
)

sys.path.insert(0, str(Path(__file__).parent))
import foreign
from mutations import mutations

GOLDEN = Path(__file__).parent.parent / "golden" / "weights"
FILES = {
    "net.caffemodel": "caffemodel",
    "net_v1.caffemodel": "caffemodel",
    "net.pth": "pytorch",
    "stream.pth": "pytorch",
    "net.safetensors": "safetensors",
    "keras2.h5": "keras",
    "arrays.npz": "npz",
}


def expected(kind):
    """The arrays of the golden files, by the names that the format gives them."""
    with np.load(GOLDEN / "arrays.npz") as state:
        state = dict(state)
    if kind == "caffemodel":
        parts = {"weight": "0", "bias": "1"}
        split = ((name.split("."), x) for name, x in state.items())
        return {f"{layer}/{parts[part]}": x for (layer, part), x in split}
    if kind == "keras":
        found = {}
        for name, x in state.items():
            layer, part = name.split(".")
            part = {"weight": "kernel:0", "bias": "bias:0"}[part]
            found[f"{layer}/{layer}/{part}"] = x.T
        return found
    return state


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_a_file_is_known_by_its_content_and_read_whole(name, kind, tmp_path):
    path = tmp_path / "without_a_suffix"
    path.write_bytes((GOLDEN / name).read_bytes())
    assert formats.detect(path) == kind
    found, wanted = formats.read(path).arrays, expected(kind)
    assert set(found) == set(wanted)
    for key, x in wanted.items():
        x = x.reshape(found[key].shape)  # V1 of Caffe has four axes.
        np.testing.assert_array_equal(found[key], x, err_msg=key)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_refused_and_nothing_else_happens(name, tmp_path):
    whole = (GOLDEN / name).read_bytes()
    path, refused = tmp_path / "damaged", 0
    for number, data in enumerate(mutations(whole, 250)):
        path.write_bytes(data)
        start = time.perf_counter()
        message = None
        try:
            arrays = formats.read(path).arrays
        except WeightsError as error:
            message = str(error)
        if message is None:  # What is read lies within the file.
            assert sum(x.nbytes for x in arrays.values()) <= len(data), number
        else:
            refused += 1
            assert str(path) in message, number
        assert time.perf_counter() - start < 5, number
    assert refused > 100


@pytest.mark.parametrize("name", FILES)
def test_torn_files(name, tmp_path):
    whole = (GOLDEN / name).read_bytes()
    # The end of a .h5 is unused.
    most = len(whole) // 2 if name.endswith(".h5") else len(whole) - 40
    for length in (0, 1, 7, 64, len(whole) // 2, most):
        (tmp_path / "torn").write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="torn"):
            formats.read(tmp_path / "torn")


class _Runs:
    """A pickle of it runs code that leaves a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (exec, (f"open({self.path!r}, 'w').close()",))


@pytest.mark.parametrize("form", ("zip", "stream"))
def test_a_pickle_that_runs_code_is_refused_by_name(form, tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "net.pth"
    evil = pickle.dumps({"weight": _Runs(mark)}, protocol=2)
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("net/data.pkl", evil)
            archive.writestr("net/version", "3\n")
    else:
        head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
        path.write_bytes(b"".join(pickle.dumps(x, protocol=2) for x in head) + evil)
    with pytest.raises(WeightsError, match=r"(builtins|__builtin__)\.exec"):
        formats.read(path)
    assert not mark.exists()
    pickle.loads(evil)
    assert mark.exists()  # The test's own pickle does run.


def test_two_layers_of_one_name(tmp_path):
    path = tmp_path / "net.caffemodel"
    once = foreign.caffemodel({"fc8": (np.ones((2, 2), np.float32),)})
    path.write_bytes(once + once)
    with pytest.raises(WeightsError, match="two layers are named 'fc8', and both hold"):
        caffemodel.read(path)


def test_a_blob_that_is_not_its_shape(tmp_path):
    field = foreign._field
    blob = field(7, field(1, b"\x05")) + field(5, np.ones(4, "<f4").tobytes())
    layer = field(1, b"fc8") + field(7, blob)
    path = tmp_path / "net.caffemodel"
    path.write_bytes(field(1, b"net") + field(100, layer))
    with pytest.raises(WeightsError, match=r"\(5,\) and 16 bytes of float32; exp.* 20"):
        caffemodel.read(path)


@pytest.mark.parametrize(("number", "dtype"), ((9, "<f8"), (12, "<f2")))
def test_blobs_of_other_precisions(number, dtype, tmp_path):
    field = foreign._field
    values = np.array([1.5, -2.0, 0.25], dtype)
    number = {9: 8, 12: 12}[number]  # double_data; raw_data with its type.
    kind = field(10, 2) if number == 12 else b""
    blob = field(7, field(1, b"\x03")) + kind + field(number, values.tobytes())
    path = tmp_path / "net.caffemodel"
    path.write_bytes(field(1, b"net") + field(100, field(1, b"fc8") + field(7, blob)))
    found = caffemodel.read(path)["fc8/0"]
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>", "an HTML page, so the download went wrong"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (b"\x1f\x8b\x08\x00", "a gzip archive; unpack it"),
        (b'name: "FCN"\nlayer {', "a net definition of Caffe"),
        (b"\x93NUMPY\x01\x00", "a single .npy array"),
        (b"", "it is empty"),
        (b"plain text", "it begins with"),
    ],
)
def test_what_is_no_file_of_weights(content, message, tmp_path):
    path = tmp_path / "net"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        formats.read(path)


def test_other_archives_and_nothing(tmp_path):
    path = tmp_path / "net.zip"
    for member, message in (
        ("model.weights.h5", "a .keras archive"),
        ("readme.txt", "a zip archive with 'readme.txt'"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, b"x")
        with pytest.raises(WeightsError, match=message):
            formats.read(path)
    with pytest.raises(
        FileNotFoundError, match="nowhere does not exist; expected a ru"
    ):
        formats.read(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="is no run with a checkpoint"):
        formats.read(tmp_path)


def test_safetensors_that_lie_about_their_size(tmp_path):
    path = tmp_path / "net.safetensors"
    header = {"w": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 16)
    with pytest.raises(WeightsError, match="net.safetensors"):
        safetensors.read(path)
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(WeightsError, match="net.safetensors"):
        safetensors.read(path)


def test_an_npz_of_objects_is_not_unpickled(tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "net.npz"
    np.savez(path, weight=np.array([_Runs(mark)], dtype=object))
    mark.unlink(missing_ok=True)
    with pytest.raises(WeightsError, match="net.npz"):
        npz.read(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("module", "reader", "name"),
    (("pyfive", keras, "keras2.h5"), ("safetensors", safetensors, "net.safetensors")),
)
def test_a_missing_package_names_the_extra(module, reader, name, monkeypatch):
    for loaded in [m for m in sys.modules if m.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"\[weights\]"):
        reader.read(GOLDEN / name)


def test_tensors_of_pytorch_share_the_file_and_cannot_be_written():
    found = pytorch.read(GOLDEN / "net.pth")["conv1_1.weight"]
    assert not found.flags.writeable
    assert not found.flags.owndata
