"""Weights as training scripts and libraries leave them, written by hand in their form.

Names, keys and types are those of torch 2.13, timm 1.0.31, Lightning 2.6, safetensors
0.8 and Keras 3.15.
"""

import pickle

import numpy as np
import pytest

from fcn_jax.weights import WeightsError, loading, prefixes
from fcn_jax.weights.formats import pytorch
from fcn_jax.weights.formats import safetensors as safetensors_format
from tests.support import cases
from tests.support import foreign_weights as foreign
from tests.support.weight_samples import (
    pth_stream,
    pth_zip,
    safetensors,
    state_dict,
    tensor,
    text,
)


@pytest.fixture(scope="module")
def trunk(fcn8s):
    return foreign.trunk(fcn8s[1])


@pytest.fixture
def start(fcn8s):
    return cases.random_variables(fcn8s[0], seed=1)


PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.",
            "module._orig_mod.", "model.backbone.", "my_own_name.")  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("style", (foreign.torchvision, foreign.pytorch))
def test_what_stands_before_names_is_taken_off(load, same, fcn8s, trunk, start, prefix,
                                               style):  # fmt: skip
    arrays = {f"{prefix}{name}": x for name, x in style(trunk).items()}
    arrays |= {"head.weight": np.ones((3, 2), np.float32)}
    found, account = load(arrays, fcn8s[0], inputs="caffe", initial=start, strict=False)
    same(found, foreign.flat(start) | trunk)
    own = ".".join(
        part for part in prefix.split(".") if part not in ("", "module", "_orig_mod")
    )
    if own:
        assert f"note: '{own}' stands before the names of layers" in account


def test_a_wrapper_in_the_middle(load, same, fcn8s, trunk, start):
    """The ImageNet example of PyTorch wraps the features of VGG alone."""
    arrays = {
        name.replace("features.", "features.module."): x
        for name, x in foreign.torchvision(trunk).items()
    }
    found, _ = load(arrays, fcn8s[0], inputs="caffe", initial=start)
    same(found, foreign.flat(start) | trunk)


def test_the_prefix_with_most_layers_wins():
    names = ["a.conv1_1.weight", "b.conv1_1.weight", "b.conv1_2.weight", "c.weight"]
    short, prefix = prefixes.strip(names, lambda layer: layer.startswith("conv"))
    assert prefix == "b"
    assert list(short.values()) == [
        "a.conv1_1.weight", "conv1_1.weight", "conv1_2.weight", "c.weight"
    ]  # fmt: skip
    assert prefixes.strip(["x.y.z"], lambda layer: False) == ({"x.y.z": "x.y.z"}, "")


def test_timm(load, same, fcn8s, trunk, start):
    """Its fully connected layers are convolutions already."""
    arrays = {
        name: x
        for name, x in foreign.torchvision(trunk).items()
        if name.startswith("features")
    }
    for layer, theirs in (("fc6", "pre_logits.fc1"), ("fc7", "pre_logits.fc2")):
        arrays[f"{theirs}.weight"] = foreign.oihw(trunk[f"params/{layer}/kernel"])
        arrays[f"{theirs}.bias"] = trunk[f"params/{layer}/bias"]
    arrays["head.fc.weight"] = np.ones((1000, 2), np.float32)
    found, account = load(arrays, fcn8s[0], inputs="caffe", initial=start)
    same(found, foreign.flat(start) | trunk)
    assert foreign.counts(account) == (30, 6, 1, 0)


def test_a_trunk_without_its_classifier_is_a_start(load, same, fcn8s, trunk, start):
    """Of Keras' include_top=False, KerasHub's backbone, torchvision's features."""
    convolutions = {n: x for n, x in trunk.items() if "/fc" not in n}
    arrays = foreign.pytorch(convolutions)
    found, account = load(arrays, fcn8s[0], inputs="caffe", initial=start)
    same(found, foreign.flat(start) | convolutions)
    assert "params/fc6/kernel" in account.split("missing (10)")[1].splitlines()[0]
    assert "starts anew: " in account
    del arrays["conv3_2.weight"]  # In the middle it is no trunk.
    with pytest.raises(WeightsError, match="it lacks params/conv3_2/kernel"):
        load(arrays, fcn8s[0], inputs="caffe")


def test_a_net_without_the_batch_norm_of_the_file(load):
    model = foreign.create("fcn32s", batch_norm=True)
    ours = foreign.drawn(model)
    trunk = {n: x for n, x in ours.items() if "score" not in n}
    arrays = foreign.torchvision(trunk, batch_norm=True)
    with pytest.raises(WeightsError, match="create the net with batch_norm=True, as t"):
        load(arrays, foreign.create("fcn32s"), inputs="caffe")


def test_advice_is_never_what_is_done_already(load, fcn8s):
    with pytest.raises(WeightsError, match="none of its arrays") as caught:
        load({"layer.weight": np.ones(3)}, fcn8s[0], strict=False)
    assert "strict=False" not in str(caught.value)


def test_too_little_of_the_encoder_is_no_start(load, fcn8s, trunk, start):
    few = {n: x for n, x in trunk.items() if "conv1" in n}
    arrays = foreign.pytorch(few)
    options = {"strict": False, "inputs": "caffe", "initial": start}
    message = (
        r"it gives \d% of the encoder's parameters; .*expected 50% or more: .*"
        r"--config.init_least"
    )
    with pytest.raises(WeightsError, match=message):
        load(arrays, fcn8s[0], least=0.5, **options)
    _, account = load(arrays, fcn8s[0], least=0.0, **options)
    assert "starts anew: 9" in account


def dictionary(**items):
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


W = np.arange(6, dtype="<f4")
WEIGHTS = state_dict(w=tensor("0", (2, 3), (3, 1), 6))[2:-1]
SCORE = tensor("1", (1,), (1,), 1)
DATA = {"0": W.tobytes(), "1": W[:1].tobytes()}


@pytest.mark.parametrize("form", (pth_zip, pth_stream))
@pytest.mark.parametrize(
    "key",
    ("state_dict", "model", "model_state", "model_ema", "ema_state_dict", "params"),
)
def test_a_tensor_beside_the_weights(write, form, key):
    """The ImageNet example of PyTorch keeps best_acc1, a tensor, in its checkpoint."""
    pickled = b"\x80\x02" + dictionary(best_acc1=SCORE, **{key: WEIGHTS}) + b"."
    arrays, notes = pytorch.read_with_notes(write(form(pickled, DATA)))
    np.testing.assert_array_equal(arrays["w"], W.reshape(2, 3))
    assert list(arrays) == ["w"]
    assert notes == (f"the weights were found under {key!r}",)


def test_weights_below_weights(write):
    inner = dictionary(state_dict=WEIGHTS)
    pickled = (
        b"\x80\x02" + dictionary(model=inner, net=state_dict(s=SCORE)[2:-1]) + b"."
    )
    arrays, notes = pytorch.read_with_notes(write(pth_zip(pickled, DATA)))
    assert list(arrays) == ["w"]
    assert notes == ("the weights were found under 'model.state_dict'",)


def test_the_command_line_of_a_training_script_is_plain_data(write):
    """timm's CheckpointSaver keeps its arguments; a path may be among them."""
    namespace = b"cargparse\nNamespace\n)\x81" + dictionary(lr=b"K\x01") + b"b"
    path = b"cpathlib\nPosixPath\n(" + text("runs") + b"tR"
    pickled = b"\x80\x02" + dictionary(args=namespace, out=path, model=WEIGHTS) + b"."
    np.testing.assert_array_equal(
        pytorch.read(write(pth_zip(pickled, DATA)))["w"], W.reshape(2, 3)
    )
    evil = pickle.dumps({"model": print}, 2)
    with pytest.raises(WeightsError, match="it asks for __builtin__.print, which is r"):
        pytorch.read(write(pth_zip(evil, DATA)))


def typed(kind, key="0", count=6):
    """A tensor of a type that has no storage class, as `torch.save` writes it."""
    integer = b"J" + count.to_bytes(4, "little")
    pid = b"(" + text("storage") + b"ctorch.storage\nUntypedStorage\n" + text(key)
    pid += text("cpu") + integer + b"tQ"
    return (
        b"ctorch._utils\n_rebuild_tensor_v3\n(" + pid + b"J\0\0\0\0"
        + b"(K\x02K\x03t(K\x03K\x01t\x89ccollections\nOrderedDict\n)R"
        + f"ctorch\n{kind}\n".encode() + b"tR"
    )  # fmt: skip


ONES = {"float8_e4m3fn": 0x38, "float8_e5m2": 0x3C, "float8_e4m3fnuz": 0x40,
        "float8_e5m2fnuz": 0x40, "float8_e8m0fnu": 0x7F}  # fmt: skip


@pytest.mark.parametrize("form", (pth_zip, pth_stream))
@pytest.mark.parametrize("kind", ONES)
def test_float8_becomes_float32(write, form, kind):
    options = {"itemsize": 1} if form is pth_stream else {}
    data = {"0": bytes([ONES[kind]]) * 6}
    path = write(form(state_dict(w=typed(kind)), data, **options))
    found = pytorch.read(path)["w"]
    np.testing.assert_array_equal(found, np.ones((2, 3), np.float32))
    assert found.dtype == np.float32


def test_a_type_that_is_not_read_is_named(write):
    pickled = state_dict(w=tensor("1", (1,), (1,), 1), odd=typed("float4_e2m1fn_x2"))
    data = {"0": bytes(6), "1": DATA["1"]}
    arrays, notes = pytorch.read_with_notes(write(pth_zip(pickled, data)))
    assert list(arrays) == ["w"]
    assert notes == ("not read, of types without numbers here: odd",)


def test_types_of_safetensors(write):
    header = {
        "a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]},
        "b": {"dtype": "I16", "shape": [1], "data_offsets": [2, 4]},
        "n.num_batches_tracked": {"dtype": "I8", "shape": [], "data_offsets": [4, 5]},
        "none": {"dtype": "F32", "shape": [0, 3], "data_offsets": [5, 5]},
    }
    path = write(safetensors(header, bytes([0x38, 0xB8, 1, 0, 1])))
    arrays, notes = safetensors_format.read_with_notes(path)
    np.testing.assert_array_equal(arrays["a"], np.array([1, -1], np.float32))
    assert arrays["a"].dtype == np.float32
    assert notes == (
        "not read, for they are no floats: b (I16)",
        "not read, for they are empty: none",
    )
    path = write(safetensors({"b": header["b"] | {"data_offsets": [0, 2]}}, b"\1\0"))
    message = r"it holds no floating-point array, but b \(I16\); expected the weights"
    with pytest.raises(WeightsError, match=message):
        safetensors_format.read(path)


def test_what_was_chosen_is_said(write, fcn8s):
    """From the file to the account of a load."""
    kernel = np.ascontiguousarray(foreign.pytorch(fcn8s[1])["conv1_1.weight"], "<f4")
    strides = tuple(n // kernel.itemsize for n in kernel.strides)
    stored = tensor("0", kernel.shape, strides, kernel.size)
    named = state_dict(**{"conv1_1.weight": stored})
    pickled = b"\x80\x02" + dictionary(model=named[2:-1]) + b"."
    _, report = loading.load_weights(
        write(pth_zip(pickled, {"0": kernel.tobytes()})),
        fcn8s[0],
        strict=False,
        inputs="caffe",
    )
    assert "note: the weights were found under 'model'" in str(report)


def test_biases_alone_are_no_start(load, fcn8s):
    """A run of another width: of its 88 arrays the biases of three scores fit."""
    wide = foreign.drawn(foreign.create("fcn8s", width=0.25))
    arrays = foreign.pytorch(wide)
    with pytest.raises(WeightsError, match="none of its kernels is one of the net's"):
        load(arrays, fcn8s[0], strict=False)
