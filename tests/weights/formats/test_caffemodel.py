"""Caffe's files, made by a small encoder of our own."""

import numpy as np
import pytest

from fcn_jax.weights import WeightsError
from fcn_jax.weights.formats import caffemodel
from tests.support.weight_samples import blob, layer, layer_v1, message, number

W = np.arange(24, dtype="<f4").reshape(2, 3, 2, 2)


@pytest.mark.parametrize("dtype", ("<f4", "<f8", "<f2"))
def test_it_reads_every_precision_of_the_new_form(write, dtype):
    found = caffemodel.read(write(layer("c", "Convolution", blob(W.astype(dtype)))))
    assert found["c/0"].dtype == dtype
    np.testing.assert_array_equal(found["c/0"], W)


def test_it_reads_v1_with_legacy_shapes(write):
    data = layer_v1("c", 4, blob(W, legacy=True), blob(W[0, 0, 0], legacy=True))
    (found,) = caffemodel.read_layers(write(data))
    assert (found.name, found.type) == ("c", "Convolution")
    np.testing.assert_array_equal(found.blobs[0], W)
    assert found.blobs[1].shape == (1, 1, 1, 2)


@pytest.mark.parametrize(
    ("tops", "extra", "inference"),
    ((1, b"", False), (3, b"", True), (1, message(45, number(3, 1)), True)),
)
def test_it_tells_the_form_of_a_bn_layer(write, tops, extra, inference):
    data = layer_v1("bn", 43, blob(W), tops=tops, extra=extra)
    assert caffemodel.read_layers(write(data))[0].bn_inference is inference


SHAPE = message(7, message(1, bytes([24])))
F4 = message(5, W.tobytes())


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (b"", "it is empty; expected a .caffemodel"),
        (layer("c", "C", blob(W)) * 2, "two layers are named 'c'"),
        (layer("c", "C", blob(W))[:-1], "no protocol buffer: field 100"),
        (layer("c", "C"), "without a layer that holds parameters"),
        (layer("c", "C", blob(W)[:-4]), "no protocol buffer"),
        (
            layer("c", "C", SHAPE + message(5, b"1234")),
            "4 bytes of float32; expected 96",
        ),
        (layer("c", "C", SHAPE + F4 + message(8, b"")), "in two precisions"),
        (layer("c", "C", SHAPE + number(10, 7) + message(12, b"")), "data of type 7"),
        (layer("c", "C", SHAPE + b"\x2d1234"), "stored a value at a time"),
        (layer("c", "C", message(7, b"")), "and 0 bytes of float32; expected 4"),
        (layer("c", "C", b""), "is empty"),
        (layer("c", "C", message(7, message(1, b"\x01" * 33))), "more than 32 dim"),
        (layer("c", "C", message(7, message(1, b"\x80"))), "the shape of blob 0"),
        (message(100, message(1, b"\xff")), "is not text"),
        (message(1, b"")[:1] + b"\x80" * 11, "a number of more than 10 bytes"),
        (b"\x02\x00", "a field with the number 0"),
        (b"\x0b", "wire type 3"),
        (b"\x80", "it ends within a number"),
    ),
)
def test_it_refuses(write, data, text):
    with pytest.raises(WeightsError, match=text):
        caffemodel.read(write(data))


def test_it_refuses_more_fields_than_a_net_has(write, monkeypatch):
    monkeypatch.setattr(caffemodel, "_MOST_FIELDS", 3)
    with pytest.raises(WeightsError, match="more than 3 fields"):
        caffemodel.read(write(number(9, 1) * 4))
    with pytest.raises(WeightsError) as raised:
        caffemodel.read(write(number(9, 1) * 3))  # As many as it may have.
    assert "more than" not in str(raised.value)
