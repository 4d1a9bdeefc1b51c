"""Weights of VGG-16 into CFM: both paths start with its fully connected layers."""

import numpy as np
import pytest

from tests.support import foreign_weights as foreign


@pytest.fixture(scope="module")
def vgg16():
    """The flat variables of a narrow VGG-16."""
    return foreign.trunk(foreign.drawn(foreign.create("fcn32s")))


@pytest.mark.parametrize("form", ("caffemodel", "torchvision"))
def test_both_paths_start_as_vgg16(load, vgg16, form):
    model = foreign.create("cfm")
    if form == "caffemodel":
        found, account = load(foreign.by_name(foreign.caffe(vgg16)), model, form)
    else:
        found, account = load(foreign.torchvision(vgg16), model, inputs="caffe")
    for layer in ("fc6", "fc7"):
        for part in ("kernel", "bias"):
            expected = vgg16[f"params/{layer}/{part}"]
            for path in ("", "_segment"):
                ours = found[f"params/{layer}{path}/{part}"]
                np.testing.assert_array_equal(ours, expected)
        assert f"{layer}_segment starts as {layer} does" in account


def test_a_file_that_has_both_keeps_both(load, same):
    model = foreign.create("cfm")
    ours = foreign.drawn(model)
    found, account = load(foreign.pytorch(ours), model)
    same(found, ours)
    assert "starts as" not in account
