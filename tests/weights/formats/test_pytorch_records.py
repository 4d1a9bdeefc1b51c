"""What PyTorch's pickles may say, and what of it is refused."""

import pickle
from collections import Counter

import numpy as np
import pytest

from fcn_jax.weights import WeightsError
from fcn_jax.weights.formats import pytorch
from tests.support.weight_samples import (
    integer,
    pth_stream,
    pth_zip,
    state_dict,
    tensor,
    text,
)

DATA = {"0": np.arange(6, dtype="<f4").tobytes()}
T = tensor("0", (6,), (1,), 6)
GOOD = state_dict(w=T)
STREAM = pth_stream(GOOD, DATA)
MAGIC = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
HALF = tensor("0", (6,), (1,), 6, storage="HalfStorage")


def pairs(items):
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."


def test_weights_may_lie_under_a_key(tmp_path):
    path = tmp_path / "run.pth"
    inner = GOOD[2:-1]
    path.write_bytes(pth_zip(pairs(text("state_dict") + inner), DATA))
    assert list(pytorch.read(path)) == ["w"]


def test_what_training_keeps_beside_weights_is_no_hindrance(tmp_path):
    """Milestones of MultiStepLR, scores by class."""
    path = tmp_path / "run.pth"
    scores = np.ones(3, np.float32)
    counted = pickle.dumps((Counter([30, 60]), scores, scores[0]), 2)[2:-1]
    items = text("lr") + counted + text("dtype") + b"ctorch\nfloat32\n"
    path.write_bytes(pth_zip(pairs(items + text("model") + GOOD[2:-1]), DATA))
    assert list(pytorch.read(path)) == ["w"]


def test_empty_tensors_are_left_out(tmp_path):
    path = tmp_path / "net.pth"
    empty = tensor("0", (0, 3), (3, 1), 6)
    path.write_bytes(pth_zip(state_dict(w=T, min_val=empty), DATA))
    arrays, notes = pytorch.read_with_notes(path)
    assert list(arrays) == ["w"]
    assert notes == ("not read, for they are empty: min_val",)


@pytest.mark.parametrize(
    ("data", "match"),
    (
        (pth_zip(pairs(text("w") + T + text("w") + T), DATA), "two tensors are named"),
        (pth_zip(pairs(integer(1) + T), DATA), "a tensor is named 1"),
        (pth_zip(state_dict(w=T, v=HALF), DATA), "'0' is described in two ways"),
        (
            pth_zip(pairs(text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n)R"), DATA),
            "a tensor without a shape",
        ),
        (pth_zip(pairs(text("w") + b"NQ"), DATA), "a storage is described by None"),
        (pth_zip(state_dict(w=T.replace(b"FloatS", b"OtherS")), DATA), "OtherStorage"),
        (pth_zip(GOOD, {"/data.pkl": b""}), "with 2 members data.pkl"),
        (STREAM.replace(integer(1001), integer(7)), "its protocol is 7"),
        (STREAM.replace(MAGIC + b".", MAGIC + b"N."), "the magic number is missing"),
        (STREAM.replace(b"\x88s.", b"\x89s."), "not written on a little-endian"),
        (STREAM.replace(b"e.", b"e0N."), "list of its storages is missing"),
    ),
)
def test_it_refuses(tmp_path, data, match):
    path = tmp_path / "net.pth"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=match):
        pytorch.read(path)
