"""Every framework's layout and colours, into whole nets."""

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax.ops import bilinear
from fcn_jax.preprocessing import CAFFE, IMAGENET, Preprocessing
from fcn_jax.weights import WeightsError
from tests.support import cases
from tests.support import foreign_weights as foreign


@pytest.mark.parametrize("style", ("pytorch", "chainer", "caffemodel", "npz"))
def test_a_whole_net_by_layout(load, same, learned, style):
    model, ours = learned
    arrays = {
        "pytorch": foreign.pytorch,
        "chainer": foreign.chainer,
        "caffemodel": lambda flat: foreign.by_name(foreign.caffe(flat)),
        "npz": dict,
    }[style](ours)
    file_format = "npz" if style == "chainer" else style
    found, account = load(arrays, model, file_format)
    same(found, ours)
    assert foreign.counts(account) == (len(ours), 0, 0, 0)
    assert account.startswith(f"weights from file ({file_format}, ")
    # Reading them as if they lay otherwise would have been noticed.
    kernel = ours["params/upscore8/kernel"]
    assert not np.array_equal(kernel, kernel[::-1, ::-1])
    assert not np.array_equal(kernel, kernel.transpose(0, 1, 3, 2))


def test_a_learned_kernel_upsamples_as_caffe_does(load, learned):
    """y[2 i + a, 2 j + b] += x[i, j] w[in, out, a, b]; no flip."""
    model, ours = learned
    arrays = foreign.pytorch(ours)
    weight = arrays["upscore2.weight"]
    found, _ = load(arrays, model)
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 3)).astype(np.float32)
    y = np.zeros((6, 8, 3))
    for i, j, a, b, c, o in np.ndindex(2, 3, 4, 4, 3, 3):
        y[2 * i + a, 2 * j + b, o] += x[0, i, j, c] * weight[c, o, a, b]
    ours = bilinear.conv_transpose(
        jax.numpy.asarray(x), found["params/upscore2/kernel"], 2
    )
    np.testing.assert_allclose(ours[0], y, rtol=0, atol=1e-5)


@pytest.mark.parametrize("style", ("torchvision", "keras", "tensorflow", "caffe"))
def test_vgg16_starts_a_net(load, same, fcn8s, style):
    model, ours = fcn8s
    trunk = foreign.trunk(ours)
    write, file_format = {
        "torchvision": (foreign.torchvision, "pytorch"),
        "keras": (foreign.keras, "keras"),
        "tensorflow": (foreign.tensorflow, "npz"),
        "caffe": (lambda flat: foreign.by_name(foreign.caffe(flat)), "caffemodel"),
    }[style]
    start = cases.random_variables(model, seed=1)
    found, account = load(
        write(trunk), model, file_format, inputs="caffe", initial=start
    )
    same(found, foreign.flat(start) | trunk)
    unexpected = {"torchvision": 2, "keras": 1, "tensorflow": 2, "caffe": 0}[style]
    assert foreign.counts(account) == (30, 6, unexpected, 0)


def test_vgg16_without_a_start(load):
    """Scores start at zero, learned upsampling bilinear."""
    model = foreign.create("fcn16s", upsampling="learned")
    ours = foreign.drawn(model)
    found, _ = load(foreign.torchvision(foreign.trunk(ours)), model, inputs="caffe")
    for layer in ("score_fr", "score_pool4"):
        assert not found[f"params/{layer}/kernel"].any()
    for layer, size in (("upscore2", 4), ("upscore16", 32)):
        expected = bilinear.bilinear_kernel(size, 3)
        np.testing.assert_allclose(found[f"params/{layer}/kernel"], expected)
    np.testing.assert_array_equal(found["params/fc6/kernel"], ours["params/fc6/kernel"])


def test_vgg16_bn(load, same):
    model = foreign.create("fcn32s", batch_norm=True)
    ours = foreign.drawn(model)
    trunk = {n: x for n, x in ours.items() if "score" not in n}
    start = cases.random_variables(model, seed=1)
    arrays = foreign.torchvision(trunk, batch_norm=True)
    found, account = load(arrays, model, inputs="caffe", initial=start)
    same(found, foreign.flat(start) | trunk)
    assert foreign.counts(account) == (len(trunk), 2, 3, 0)
    plain = foreign.create("fcn32s")
    with pytest.raises(WeightsError, match=r"has no place for features.1.running_mean"):
        load(arrays, plain, inputs="caffe")
    # VGG-16 without BatchNorm starts a net with it: DeconvNet's own way.
    found, _ = load(foreign.torchvision(foreign.trunk(ours)), model, initial=start)
    np.testing.assert_array_equal(
        found["batch_stats/bn1_1/var"], start["batch_stats"]["bn1_1"]["var"]
    )


def activations(flat, photo, inputs):
    """conv1_1 in the interior of a photograph."""
    x = np.array(fcn_jax.preprocess(photo, inputs), np.float64)
    total = np.zeros((4, 5, flat["params/conv1_1/bias"].size))
    for r, c in np.ndindex(3, 3):
        total += x[r : r + 4, c : c + 5] @ flat["params/conv1_1/kernel"][r, c]
    return total + flat["params/conv1_1/bias"]


RGB = Preprocessing("RGB", "rgb", CAFFE.mean[::-1], CAFFE.std)


@pytest.mark.parametrize("target", (CAFFE, IMAGENET), ids=lambda r: r.name)
@pytest.mark.parametrize(
    ("style", "file_format", "theirs"),
    [
        ("torchvision", "pytorch", IMAGENET),
        ("tensorflow", "npz", RGB),
        ("keras", "keras", CAFFE),
        ("chainer", "npz", CAFFE),
        ("caffe", "caffemodel", CAFFE),
        ("recorded", "pytorch", CAFFE),
        ("pytorch", "pytorch", None),  # Nothing is known.
    ],
)
def test_inputs_are_known_by_the_names(load, fcn8s, style, file_format, theirs, target):
    model, ours = fcn8s
    arrays = {
        "torchvision": foreign.torchvision,
        "tensorflow": foreign.tensorflow,
        "keras": foreign.keras,
        "chainer": foreign.chainer,
        "caffe": lambda flat: foreign.by_name(foreign.caffe(flat)),
    }.get(style, foreign.pytorch)(foreign.trunk(ours))
    theirs = theirs or target
    metadata = {"preprocessing": "caffe"} if style == "recorded" else {}
    start = cases.random_variables(model, seed=1)
    found, account = load(
        arrays, model, file_format, metadata, preprocessing=target, initial=start
    )
    photo = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    expected = activations(ours, photo, theirs)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        activations(found, photo, target), expected, rtol=0, atol=1e-5 * scale
    )
    rewritten = f"conv1_1 rewritten from {theirs.name} to {target.name} images"
    assert (rewritten in account) == (theirs != target)


def test_inputs_that_are_given_win(load, same, fcn8s):
    model, ours = fcn8s
    metadata = {"preprocessing": "nonsense"}  # Not even read.
    found, account = load(
        foreign.pytorch(ours), model, metadata=metadata, inputs="caffe"
    )
    same(found, ours)
    assert "rewritten" not in account
    odd = Preprocessing("odd", "bgr", (1.0, 2.0, 3.0), (1.0, 1.0, 1.0))
    arrays = {n: x for n, x in foreign.pytorch(ours).items() if n != "conv1_1.bias"}
    start = cases.random_variables(model)
    found, account = load(arrays, model, inputs=odd, strict=False, initial=start)
    # What is added for the other mean stands in a bias that the file lacks.
    shift = np.einsum(
        "hwio,i->o",
        ours["params/conv1_1/kernel"],
        np.array(CAFFE.mean) - np.array(odd.mean),
    )
    np.testing.assert_allclose(found["params/conv1_1/bias"], shift, rtol=1e-5)
    with pytest.raises(ValueError, match=r"inputs='bgr' is not known; choose one of c"):
        load(arrays, model, inputs="bgr")
