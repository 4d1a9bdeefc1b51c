"""Files of SegNet: Caffe's two forms of BatchNorm, and PyTorch's two kinds of names."""

import re

import numpy as np
import pytest

import fcn_jax
from fcn_jax.storage import trees
from fcn_jax.weights import WeightsError, formats, segnet_names
from fcn_jax.weights.formats import caffemodel
from tests.support import cases
from tests.support import foreign_weights as foreign


@pytest.fixture(scope="module")
def segnet():
    model = fcn_jax.create("segnet", 3, width=1 / 32)
    return model, trees.flatten(cases.random_variables(model))


def in_caffe(layer):
    """BatchNorm as segnet_train.prototxt calls it: conv5_3_D_bn."""
    return re.sub(r"^bn(.*)$", r"conv\1_bn", layer)


def renamed(arrays, separator, rule):
    found = {}
    for name, x in arrays.items():
        layer, _, part = name.rpartition(separator)
        found[f"{rule(layer)}{separator}{part}"] = x
    return found


def caffe_arrays(ours):
    return renamed(foreign.by_name(foreign.caffe(ours)), "/", in_caffe)


def test_the_training_form_takes_images_as_they_are(load, segnet):
    """The data layer of SegNet's Caffe has no mean: the first layer is rewritten."""
    model, ours = segnet
    arrays = caffe_arrays(ours)
    assert {"conv1_1_bn/0", "conv5_3_D_bn/1", "conv1_1_D/0"} <= arrays.keys()
    found, account = load(arrays, model, "caffemodel", bn=False)
    assert "BatchNorm is in its training form, without statistics" in account
    assert "conv1_1 rewritten from BGR to caffe images" in account
    for name, x in ours.items():
        if name.startswith("params/") and name != "params/conv1_1/bias":
            np.testing.assert_array_equal(found[name], x, err_msg=name)
    mean = np.array([104.00698793, 116.66876762, 122.67891434])
    shift = np.einsum("hwio,i->o", ours["params/conv1_1/kernel"], mean)
    np.testing.assert_allclose(
        found["params/conv1_1/bias"], ours["params/conv1_1/bias"] + shift, rtol=1e-4
    )
    exact, account = load(arrays, model, "caffemodel", bn=False, inputs="caffe")
    assert "rewritten" not in account
    name = "params/conv1_1/bias"
    np.testing.assert_array_equal(exact[name], ours[name])


def test_the_inference_form_has_its_statistics_folded_in(load, segnet):
    model, ours = segnet
    found, account = load(caffe_arrays(ours), model, "caffemodel", bn=True)
    assert "the statistics of BatchNorm are folded into its scale and shift" in account
    for layer in ("bn1_1", "bn5_3_D", "bn1_2_D"):
        assert not found[f"batch_stats/{layer}/mean"].any()
        np.testing.assert_allclose(found[f"batch_stats/{layer}/var"], 1, rtol=1e-6)


@pytest.mark.parametrize(
    "rule",
    (
        in_caffe,
        lambda layer: re.sub(r"^(conv|bn)(\d)_(\d)(_D)?$", _joined, layer),
    ),
    ids=("conv5_3_D_bn", "bn53d"),
)
@pytest.mark.parametrize("prefix", ("", "module."))
def test_names_of_pytorch(load, same, segnet, rule, prefix):
    model, ours = segnet
    arrays = renamed(foreign.pytorch(ours), ".", rule)
    found, account = load({f"{prefix}{n}": x for n, x in arrays.items()}, model)
    same(found, ours)
    assert foreign.counts(account) == (len(ours), 0, 0, 0)


def _joined(match):
    return f"{match[1]}{match[2]}{match[3]}{'d' if match[4] else ''}"


def test_another_number_of_classes_is_named(load, segnet):
    model, ours = segnet
    other = fcn_jax.create("segnet", 11, width=1 / 32)
    with pytest.raises(WeightsError, match="create the net with num_classes=3"):
        load(foreign.pytorch(ours), other)
    found, _ = load(foreign.pytorch(ours), other, strict=False)
    name = "params/conv1_2_D/kernel"
    np.testing.assert_array_equal(found[name], ours[name])
    del model


def test_names_without_a_decoder_are_left_alone():
    assert segnet_names.table({"conv1_1", "conv1_1_bn"}) == {}
    assert segnet_names.table({"conv11", "bn11"}) == {}
    assert segnet_names.is_decoder("bn53d")
    assert not segnet_names.is_decoder("conv11")


@pytest.mark.parametrize("folded", (False, True))
def test_a_file_says_its_form(tmp_path, folded):
    """`bn_param` is field 45 of a layer in the fork of SegNet too; `bn_mode` its third.

    In today's form of layers, which the fork of DeconvNet has not.
    """
    blob = np.ones((1, 2, 1, 1), np.float32)
    path = tmp_path / "net.caffemodel"
    blobs = {"conv1_1_bn": (blob, blob)}
    path.write_bytes(foreign.caffemodel(blobs, v1=False, bn_inference=folded))
    (layer,) = caffemodel.read_layers(path)
    assert (layer.type, layer.bn_inference) == ("BN", folded)
    assert formats.read(path).bn_inference == folded
