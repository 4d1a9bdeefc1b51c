"""Classifiers from their files, against their dense layers computed by hand."""

import numpy as np
import pytest

import fcn_jax
from fcn_jax.preprocessing import CAFFE, IMAGENET
from fcn_jax.weights import classifiers as loaded
from fcn_jax.weights.errors import WeightsError
from tests.support import classifiers
from tests.support import foreign_weights as foreign


def photo(side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def last_map(found, image):
    """What the encoder hands on, [h, w, C]: before fc6, or the last block."""
    encoder = found.model.encoder
    images = np.asarray(fcn_jax.preprocess(image[None], found.preprocessing))
    params = {
        name: x
        for name, x in found.variables["params"].items()
        if name in encoder.convolutions()
    }
    maps = encoder.apply({"params": params}, images).maps
    return np.asarray(maps["pool5" if "pool5" in maps else encoder.top][0])


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.long
@pytest.mark.parametrize(
    "kind",
    ("vgg16", "alexnet", "caffenet", pytest.param("googlenet", marks=pytest.mark.slow)),
)
def test_one_cell_is_the_classifier_s_output(tmp_path, kind):
    """Dense layers on the channels of the map, one after the other, as in Caffe."""
    path = tmp_path / "net.caffemodel"
    blobs = classifiers.write(path, kind)
    found = fcn_jax.load_classifier(path)
    assert (found.kind, found.preprocessing) == (kind, CAFFE)
    image = photo(found.model.side)
    x = last_map(found, image).transpose(2, 0, 1)  # [C, h, w]
    if kind == "googlenet":
        last, x = "loss3/classifier", x.mean((1, 2))
    else:
        assert x.shape[1:] == (classifiers.CELLS[kind],) * 2
        last, x = "fc8", x.reshape(-1)
        for layer in ("fc6", "fc7"):
            x = relu(blobs[layer][0] @ x + blobs[layer][1])
    kernel, bias = blobs[last]
    expected = kernel.reshape(len(bias), -1) @ x + bias
    ours = found.heat_map(image)
    assert ours.scores.shape == (1, 1, classifiers.CLASSES)
    scale = np.abs(expected).max()
    assert scale > 0.1
    np.testing.assert_allclose(ours.scores[0, 0], expected, atol=1e-5 * scale)
    probability = np.exp(expected - expected.max())
    np.testing.assert_allclose(
        ours.of_class(3)[0, 0], probability[3] / probability.sum(), atol=1e-5
    )


def write_as_torchvision(path, metadata=None):
    """A VGG-16 by torchvision's names; returns its variables by ours."""
    safetensors = pytest.importorskip("safetensors.numpy")
    ours = foreign.drawn(classifiers.create("vgg16"))
    trunk = {name: x for name, x in ours.items() if "/fc8/" not in name}
    arrays = foreign.torchvision(trunk)
    kernel = ours["params/fc8/kernel"][0, 0].T
    arrays["classifier.6.weight"] = np.ascontiguousarray(kernel)
    arrays["classifier.6.bias"] = ours["params/fc8/bias"]
    safetensors.save_file(arrays, path, metadata)
    return ours


def test_torchvision_s_vgg16_is_seen_as_it_was_trained(tmp_path):
    """RGB, by the names; nothing is folded, so that its zero padding is its own."""
    path = tmp_path / "vgg16.safetensors"
    ours = write_as_torchvision(path)
    found = fcn_jax.load_classifier(path)
    assert (found.kind, found.preprocessing) == ("vgg16", IMAGENET)
    for name, x in foreign.flat(found.variables).items():
        np.testing.assert_array_equal(x, ours[name], err_msg=name)
    assert fcn_jax.load_classifier(path, inputs="caffe").preprocessing == CAFFE


def test_alexnet_whose_file_does_not_say_which(tmp_path):
    path = tmp_path / "net.caffemodel"
    classifiers.write(path, "alexnet", net="fine-tuned")
    message = "may be alexnet or caffenet.* say it with --net=alexnet or --net=caffenet"
    with pytest.raises(WeightsError, match=message):
        loaded.load_classifier(path)
    assert loaded.load_classifier(path, "alexnet").model.encoder.norm_first
    assert not loaded.load_classifier(path, "caffenet").model.encoder.norm_first


@pytest.mark.parametrize(
    ("kind", "net", "other"),
    (("alexnet", "AlexNet", "caffenet"), ("caffenet", "CaffeNet", "alexnet")),
)
def test_the_other_alexnet_than_is_asked_for(tmp_path, kind, net, other):
    """A classifier has no config, of which other messages speak."""
    path = tmp_path / "net.caffemodel"
    classifiers.write(path, kind)
    message = f"its net is {net}, and {other} is another .* say --net={kind}"
    with pytest.raises(WeightsError, match=message) as caught:
        loaded.load_classifier(path, other)
    assert "config" not in str(caught.value)


def test_another_net_than_is_asked_for(tmp_path):
    path = tmp_path / "net.caffemodel"
    classifiers.write(path, "vgg16")
    with pytest.raises(WeightsError, match="layers of vgg16, not of googlenet; leave"):
        loaded.load_classifier(path, "googlenet")


def test_a_trunk_is_no_classifier(tmp_path):
    path = tmp_path / "net.caffemodel"
    classifiers.write(path, "vgg16", leave_out=("fc8",))
    with pytest.raises(WeightsError, match=r"its vgg16 has no last layer \(fc8\): it"):
        loaded.load_classifier(path)


def test_a_classifier_of_depth_is_none_of_photographs(tmp_path):
    path = tmp_path / "vgg16.safetensors"
    write_as_torchvision(path, {"preprocessing": "nyud_hha"})
    with pytest.raises(
        WeightsError, match=r"vgg16 was given HHA \(nyud_hha\), which no"
    ):
        loaded.load_classifier(path)
    assert loaded.load_classifier(path, inputs="caffe").preprocessing == CAFFE


def test_a_file_of_another_net(tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, **{"params/dense/kernel": np.ones((2, 2))})
    message = "no classifier that is known .params/dense/kernel.; expected a classifier"
    with pytest.raises(WeightsError, match=message):
        loaded.load_classifier(path)


def test_torchvision_s_alexnet(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"features.0.weight": np.ones((64, 3, 11, 11), np.float32)}
    path = tmp_path / "alexnet.safetensors"
    safetensors.save_file(arrays, path)
    with pytest.raises(WeightsError, match="torchvision's alexnet, which is another"):
        loaded.load_classifier(path)


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"kind": "net"}, "classifier 'net' is not known; .* There are: alexnet"),
        ({"inputs": "rgb"}, "inputs='rgb' is not known; choose one of caffe, imagenet"),
        ({"inputs": "nyud_hha"}, "inputs='nyud_hha' is HHA, .* one of caffe, imagenet"),
    ),
)
def test_unknown_options(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        loaded.load_classifier(tmp_path / "net.caffemodel", **options)
