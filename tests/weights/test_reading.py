"""Files as the frameworks write them; recorded by golden/record_weight_files.py."""

import numpy as np
import pytest

from fcn_jax.weights import formats
from fcn_jax.weights.formats import pytorch
from tests.support.paths import GOLDEN

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
    with np.load((GOLDEN / "weights") / "arrays.npz") as state:
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
    path.write_bytes(((GOLDEN / "weights") / name).read_bytes())
    assert formats.detect(path) == kind
    found, wanted = formats.read(path).arrays, expected(kind)
    assert set(found) == set(wanted)
    for key, x in wanted.items():
        x = x.reshape(found[key].shape)  # V1 of Caffe has four axes.
        np.testing.assert_array_equal(found[key], x, err_msg=key)


def test_tensors_of_pytorch_share_the_file_and_cannot_be_written():
    found = pytorch.read((GOLDEN / "weights") / "net.pth")["conv1_1.weight"]
    assert not found.flags.writeable
    assert not found.flags.owndata
