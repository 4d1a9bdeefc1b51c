"""Whose layer is whose: every style of names, by hand."""

import numpy as np
import pytest

from fcn_jax.weights import names
from tests.support import foreign_weights as foreign

X = np.zeros((2, 3))


def map_names(*given, file_format="pytorch"):
    return names.map_names(dict.fromkeys(given, X), file_format)


def targets(source):
    return {entry.source: entry.target for entry in source.entries}


def layouts(source):
    return {entry.target: entry.layout for entry in source.entries}


@pytest.mark.parametrize("places", (foreign.VGG16, foreign.VGG16_BN))
def test_torchvision(places):
    given = [f"features.{i}.{p}" for i in places.values() for p in ("weight", "bias")]
    if places is foreign.VGG16_BN:
        given += [f"features.{i + 1}.running_var" for i in places.values()]
        given += ["features.1.weight", "features.1.num_batches_tracked"]
    given += ["classifier.0.weight", "classifier.3.bias", "classifier.6.weight"]
    source = map_names(*given)
    assert source.convention == names.TORCHVISION
    expected = {}
    for conv, i in places.items():
        expected[f"features.{i}.weight"] = f"params/{conv}/kernel"
        expected[f"features.{i}.bias"] = f"params/{conv}/bias"
        if places is foreign.VGG16_BN:
            target = f"batch_stats/bn{conv[4:]}/var"
            expected[f"features.{i + 1}.running_var"] = target
    if places is foreign.VGG16_BN:
        expected["features.1.weight"] = "params/bn1_1/scale"
    expected["classifier.0.weight"] = "params/fc6/kernel"
    expected["classifier.3.bias"] = "params/fc7/bias"
    assert targets(source) == expected
    assert set(source.unused) <= {
        "classifier.6.weight",
        "features.1.num_batches_tracked",
    }
    assert "classifier.6.weight" in source.unused
    assert source.unknown == ()
    assert set(layouts(source).values()) == {names.OIHW}


def test_names_of_the_caffe_nets_in_pytorch():
    source = map_names(
        "module.conv1_1.weight",
        "upscore8.weight",
        "fc6-deconv.weight",
        "fc6-deconv-bn.weight",
        "fc6-deconv-bn.running_mean",
        "deconv5_1.weight",
        "debn5_1.bias",
        "seg-score.weight",
        "bn1_1.num_batches_tracked",
        "head.gamma_1",
    )
    assert source.convention == names.PYTORCH
    assert targets(source) == {
        "module.conv1_1.weight": "params/conv1_1/kernel",
        "upscore8.weight": "params/upscore8/kernel",
        "fc6-deconv.weight": "params/fc6-deconv/kernel",
        "fc6-deconv-bn.weight": "params/fc6-deconv-bn/scale",
        "fc6-deconv-bn.running_mean": "batch_stats/fc6-deconv-bn/mean",
        "deconv5_1.weight": "params/deconv5_1/kernel",
        "debn5_1.bias": "params/debn5_1/bias",
        "seg-score.weight": "params/seg-score/kernel",
    }
    transposed = {t for t, layout in layouts(source).items() if layout == names.IOHW}
    assert transposed == {
        "params/upscore8/kernel",
        "params/fc6-deconv/kernel",
        "params/deconv5_1/kernel",
    }
    assert source.unused == ("bn1_1.num_batches_tracked",)
    assert source.unknown == ("head.gamma_1",)


def test_other_names_in_caffe():
    source = map_names(
        "conv1_1_bgrd/0",
        "score-fr/1",
        "score-pool4/0",
        "score-pool3/0",
        "score2/0",
        "score2/1",
        "score4/0",
        "upsample/0",
        "seg-score-voc/0",
        "bn1_1/0",
        "bn1_1/1",
        "fc8/0",
        "scale_pool4/0",
        "conv1_1/2",
        file_format="caffemodel",
    )
    assert source.convention == names.CAFFE
    assert targets(source) == {
        "conv1_1_bgrd/0": "params/conv1_1/kernel",
        "score-fr/1": "params/score_fr/bias",
        "score-pool4/0": "params/score_pool4/kernel",
        "score-pool3/0": "params/score_pool3/kernel",
        "score2/0": "params/upscore2/kernel",
        "score4/0": "params/upscore_pool4/kernel",
        "upsample/0": "params/upscore8/kernel",
        "seg-score-voc/0": "params/seg-score/kernel",
        "bn1_1/0": "params/bn1_1/scale",
        "bn1_1/1": "params/bn1_1/bias",
    }
    assert layouts(source)["params/upscore2/kernel"] == names.IOHW
    assert layouts(source)["params/score_pool4/kernel"] == names.OIHW
    assert source.extra.keys() == {"upscore2/bias", "scale_pool4"}
    assert (source.unused, source.unknown) == (("fc8/0",), ("conv1_1/2",))


@pytest.mark.parametrize(
    ("conv", "fc", "classifier"),
    [
        # Keras 1, Keras 2, Keras 3 by layer and by class.
        ("g/block5_conv3_W_1:0", "g/fc1_b_1:0", "predictions_W:0"),
        ("a/block5_conv3/kernel:0", "fc1/fc1/bias:0", "predictions/kernel:0"),
        (
            "layers/block5_conv3/vars/0",
            "layers/fc1/vars/1",
            "layers/predictions/vars/0",
        ),
        ("layers/conv2d_12/vars/0", "layers/dense/vars/1", "layers/dense_2/vars/0"),
    ],
)
def test_keras(conv, fc, classifier):
    first = ["layers/conv2d/vars/0"] if "conv2d" in conv else []
    source = map_names(conv, fc, classifier, *first, file_format="keras")
    assert source.convention == names.KERAS
    found = targets(source)
    assert found[conv] == "params/conv5_3/kernel"
    assert found[fc] == "params/fc6/bias"
    assert not first or found[first[0]] == "params/conv1_1/kernel"
    assert source.unused == (classifier,)
    assert set(layouts(source).values()) == {names.HWIO}


def test_archives():
    source = map_names("conv1_1_W", "fc6_b", "fc8_W", "other", file_format="npz")
    assert source.convention == names.TENSORFLOW
    assert targets(source) == {
        "conv1_1_W": "params/conv1_1/kernel",
        "fc6_b": "params/fc6/bias",
    }
    assert (source.unused, source.unknown) == (("fc8_W",), ("other",))
    source = map_names("conv1_1/W", "upscore2/W", "fc6/b", file_format="npz")
    assert source.convention == names.CHAINER
    assert layouts(source) == {
        "params/conv1_1/kernel": names.OIHW,
        "params/upscore2/kernel": names.IOHW,
        "params/fc6/bias": names.OIHW,
    }


def test_our_own_archive_and_its_record():
    given = ("params/deconv5_1/kernel", "batch_stats/bn1_1/var", "record/mean", "x")
    source = map_names(*given, file_format="npz")
    assert source.convention == names.FLAX
    assert targets(source) == {name: name for name in given[:2]}
    assert set(layouts(source).values()) == {names.HWIO}
    assert source.record.keys() == {"record/mean"}
    assert source.unknown == ("x",)
    # What another framework calls a record is a layer that is not known.
    assert map_names("record/mean", file_format="caffemodel").record == {}
