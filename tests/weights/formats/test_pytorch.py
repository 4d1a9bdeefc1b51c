"""PyTorch's files, written without it; pickles that would run code are refused."""

import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from fcn_jax.weights import WeightsError, formats
from fcn_jax.weights.formats import pickles, pytorch
from tests.support.weight_samples import MAGIC, pth_stream, pth_zip, state_dict, tensor

W = np.arange(6, dtype="<f4")
DATA = {"0": W.tobytes()}


@pytest.mark.parametrize("form", (pth_zip, pth_stream))
def test_it_reads_strides(write, form):
    path = write(form(state_dict(w=tensor("0", (3, 2), (1, 3), 6)), DATA))
    np.testing.assert_array_equal(pytorch.read(path)["w"], W.reshape(2, 3).T)


class Storage:
    """What a tensor refers to; its bytes lie elsewhere."""


class Tensor:
    """Pickled as PyTorch pickles a tensor of 2x3."""

    def __reduce__(self):
        function = sys.modules["torch._utils"]._rebuild_tensor_v2
        return function, (Storage(), 0, (2, 3), (3, 1), False, OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            kind = sys.modules["torch"].FloatStorage
            return ("storage", kind, "0", "cpu", 6, None)
        return None


@pytest.fixture
def names_of_torch(monkeypatch):
    """What pickle looks for when it writes PyTorch's names."""

    def _rebuild_tensor_v2():
        """Only its name is written."""

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


@pytest.mark.parametrize("protocol", (2, 3, 4, 5))
def test_the_stream_form_as_pickle_writes_it(write, names_of_torch, protocol):
    """torch.save(..., pickle_protocol=4, _use_new_zipfile_serialization=False)."""
    out = io.BytesIO()
    for part in (MAGIC, 1001, {"little_endian": True}):
        pickle.dump(part, out, protocol)
    weights = OrderedDict({"layer.weight": Tensor(), "again": Tensor()})
    Pickler(out, protocol).dump({"epoch": 3, "state_dict": weights})
    pickle.dump(["0"], out, protocol)
    out.write((6).to_bytes(8, "little") + DATA["0"])
    path = write(out.getvalue())
    assert formats.detect(path) == "pytorch"
    found = formats.read(path)
    assert found.notes == ("the weights were found under 'state_dict'",)
    assert list(found.arrays) == ["layer.weight", "again"]
    np.testing.assert_array_equal(found.arrays["layer.weight"], W.reshape(2, 3))


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("form", (pth_zip, pth_stream))
@pytest.mark.parametrize("protocol", (2, 4))
def test_code_is_refused_by_name_and_not_run(write, tmp_path, form, protocol):
    marker = tmp_path / "marker"
    path = write(form(pickle.dumps({"w": Malicious(marker)}, protocol), DATA))
    with pytest.raises(WeightsError, match=r"asks for posix\.mkdir, which is refused"):
        pytorch.read(path)
    assert not marker.exists()


GOOD = state_dict(w=tensor("0", (6,), (1,), 6))


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (b"junk", "it begins with b'junk'"),
        (pth_zip(GOOD, {}), "storage '0', which is missing"),
        (pth_zip(GOOD, {"0": b"1234"}), "has 4 bytes, expected 6 x 4"),
        (pth_zip(GOOD, DATA, order=b"big"), "byte order is b'big'"),
        (pth_zip(GOOD, DATA, zipfile.ZIP_DEFLATED), "is compressed"),
        (pth_zip(state_dict(), DATA), "no tensors by name"),
        (pth_zip(b"N.", DATA), "expected a state dict"),
        (pth_zip(state_dict(w=tensor("0", (7,), (1,), 6)), DATA), "reaches beyond"),
        (pth_zip(state_dict(w=tensor("0", (99,), (0,), 6)), DATA), "reaches beyond"),
        (pth_zip(state_dict(w=tensor("0", (0,), (1,), 6)), DATA), "are empty: w;"),
        (pth_zip(state_dict(w=tensor("0", (1,), (1, 1), 6)), DATA), "is described by"),
        (pth_stream(GOOD, DATA)[:-1], "bytes are left; expected 6 elements"),
        (pth_stream(GOOD, {}), "it lists 0 storages"),
        (pth_zip(GOOD, DATA)[:-1], "no zip archive"),
    ),
)
def test_it_refuses(write, data, text):
    with pytest.raises(WeightsError, match=text):
        pytorch.read(write(data))


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (b"(.", "a mark stands"),
        (b"NNa.", "appends to what is no list"),
        (b"NNNs.", "sets items of what is no dict"),
        (b"})Ns.", "a key of a dict is a tuple"),
        (b"N)R.", "calls what is no function"),
        (b"NNb.", "sets the state of what has none"),
        (b"NQ.", "refers to something outside itself"),
        (b"NN\x93.", "names a global by what is no text"),
        (b"\x80\x09N.", "its protocol is 9"),
        (b"\x82\x01.", "uses the operation EXT1"),
        (b"a.", "it is no pickle, or a torn one"),
    ),
)
def test_a_pickle_is_refused(data, text):
    with pytest.raises(pickles.PickleError, match=text):
        pickles.load(io.BytesIO(data), ())


def test_a_pickle_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(pickles, "_MOST_OPERATIONS", 3)
    with pytest.raises(pickles.PickleError, match="has more than 3 operations"):
        pickles.load(io.BytesIO(b"NNNN."), ())


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        pytorch.read(tmp_path / "none.pth")


@pytest.mark.parametrize("protocol", (2, 3, 4, 5))
def test_the_stream_form_of_every_protocol_is_known(protocol):
    """From 4 on a frame stands before the magic number."""
    head = pickle.dumps(0x1950A86A20F9469CFC6C, protocol)
    assert pytorch.looks_like(head)
    assert not pytorch.looks_like(pickle.dumps(0x1950A86A20F9469CFC6D, protocol))


def test_a_number_too_long_to_be_written_is_described():
    """Python refuses to write out more than 4,300 digits."""
    assert pytorch._short(10**5000) == "a number of 16610 bits"
    assert pytorch._short(-7) == "-7"


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_of_every_protocol(protocol):
    """Protocols 0 and 1 build lists and dicts from marks, others empty ones first."""
    plain = {"list": [1, 2.5, "three", None, True], "nested": [[], {}, ()], "t": (1, 2)}
    loaded = pickles.load(io.BytesIO(pickle.dumps(plain, protocol)), ())
    assert loaded == plain
