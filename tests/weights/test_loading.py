"""Files into nets: every framework's layout, strictness, folding, errors."""

import re
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import crf
from fcn_jax.ops import bilinear
from fcn_jax.preprocessing import CAFFE, IMAGENET, Preprocessing
from fcn_jax.weights import WeightsError, loading, variables

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))
import cases
import foreign


def drawn(model, seed=0):
    """Random flat variables; every kernel is asymmetric."""
    return foreign.flat(cases.random_variables(model, seed))


@pytest.fixture(scope="module")
def fcn8s():
    model = foreign.create()
    return model, drawn(model)


@pytest.fixture(scope="module")
def learned():
    model = foreign.create(upsampling="learned")
    return model, drawn(model)


def counts(account):
    """matched, missing, unused, mismatched, as they are printed."""
    lines = [line for line in account.splitlines() if " (" in line and "): " in line]
    found = {line.split(" (")[0]: line.split("(")[1].split(")")[0] for line in lines}
    titles = ("matched", "missing", "unused", "mismatched")
    return tuple(int(found[title]) for title in titles)


# Every layout.


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
    assert counts(account) == (len(ours), 0, 0, 0)
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
    unused = {"torchvision": 2, "keras": 1, "tensorflow": 2, "caffe": 0}[style]
    assert counts(account) == (30, 6, unused, 0)


def test_vgg16_without_a_start(load):
    """Scores start at zero, learned upsampling bilinear."""
    model = foreign.create("fcn16s", upsampling="learned")
    ours = drawn(model)
    found, _ = load(foreign.torchvision(foreign.trunk(ours)), model, inputs="caffe")
    for layer in ("score_fr", "score_pool4"):
        assert not found[f"params/{layer}/kernel"].any()
    for layer, size in (("upscore2", 4), ("upscore16", 32)):
        expected = bilinear.bilinear_kernel(size, 3)
        np.testing.assert_allclose(found[f"params/{layer}/kernel"], expected)
    np.testing.assert_array_equal(found["params/fc6/kernel"], ours["params/fc6/kernel"])


def test_vgg16_bn(load, same):
    model = foreign.create("fcn32s", batch_norm=True)
    ours = drawn(model)
    trunk = {n: x for n, x in ours.items() if "score" not in n}
    start = cases.random_variables(model, seed=1)
    arrays = foreign.torchvision(trunk, batch_norm=True)
    found, account = load(arrays, model, inputs="caffe", initial=start)
    same(found, foreign.flat(start) | trunk)
    assert counts(account) == (len(trunk), 2, 3, 0)
    plain = foreign.create("fcn32s")
    with pytest.raises(WeightsError, match=r"has no place for features.1.running_mean"):
        load(arrays, plain, inputs="caffe")
    # VGG-16 without BatchNorm starts a net with it: DeconvNet's own way.
    found, _ = load(foreign.torchvision(foreign.trunk(ours)), model, initial=start)
    np.testing.assert_array_equal(
        found["batch_stats/bn1_1/var"], start["batch_stats"]["bn1_1"]["var"]
    )


# Colours.


def activations(flat, photo, recipe):
    """conv1_1 in the interior of a photograph."""
    x = np.array(fcn_jax.preprocess(photo, recipe), np.float64)
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


# Stages and factors.


def test_32s_to_16s_to_8s(load, same):
    flats = {n: drawn(foreign.create(n), i) for i, n in enumerate(("fcn32s", "fcn16s"))}
    sixteen = foreign.create("fcn16s")
    start = cases.random_variables(sixteen, seed=2)
    arrays = foreign.pytorch(flats["fcn32s"])
    with pytest.raises(WeightsError, match=r"it is not this FCN16s: it lacks params/s"):
        load(arrays, sixteen)
    found, account = load(arrays, sixteen, strict=False, initial=start)
    same(found, foreign.flat(start) | flats["fcn32s"])
    assert counts(account) == (32, 2, 0, 0)
    eight = foreign.create("fcn8s")
    start = cases.random_variables(eight, seed=3)
    arrays = foreign.pytorch(flats["fcn16s"])
    arrays |= {"upscore16.weight": np.ones((3, 3, 32, 32))}
    found, account = load(arrays, eight, strict=False, initial=start)
    same(found, foreign.flat(start) | flats["fcn16s"])
    assert counts(account) == (34, 2, 1, 0)


SCALES = {
    "run": {"config": {"model": {"name": "fcn8s_atonce", "skip_scales": []}}},
    "run with its own": {
        "config": {"model": {"name": "fcn8s", "skip_scales": [0.01, 1e-4]}}
    },
    "converted run": {"model": {"name": "fcn8s", "skip_scales": [0.01, 1e-4]}},
    "safetensors": {"model": "fcn8s_atonce", "skip_scales": "0.01,0.0001"},
    "safetensors by name": {"model": "fcn8s_atonce"},
    "npz": None,
    "caffemodel": None,
    "argument": {"skip_scales": "0.5,0.5"},
}


@pytest.mark.parametrize("kind", SCALES)
def test_factors_on_skips_are_folded(load, same, fcn8s, kind):
    model, ours = fcn8s
    arrays, file_format, options = dict(ours), "orbax", {}
    if kind == "npz":
        arrays["record/skip_scales"] = np.array((0.01, 1e-4))
        file_format = "npz"
    elif kind == "caffemodel":
        arrays, file_format = foreign.by_name(foreign.caffe(ours)), "caffemodel"
        arrays["scale_pool4/0"] = np.full(16, 0.01, np.float32)
        arrays["scale_pool3/0"] = np.full(8, 1e-4, np.float32)
    elif kind == "argument":
        options["skip_scales"] = (0.01, 1e-4)
    found, account = load(arrays, model, file_format, SCALES[kind], **options)
    expected = dict(ours)
    for layer, factor in (("score_pool4", 0.01), ("score_pool3", 1e-4)):
        name = f"params/{layer}/kernel"
        expected[name] = ours[name] * np.float32(factor)
        assert f"note: {layer} rescaled for the net's factor 1" in account
    same(found, expected, rtol=1e-6)
    # In the net whose factors they are, they stay.
    found, account = load(
        arrays,
        foreign.create("fcn8s_atonce"),
        file_format,
        SCALES[kind],
        **options,
    )
    same(found, ours)
    assert "rescaled" not in account


@pytest.mark.parametrize(
    ("file_format", "metadata"),
    [
        ("caffemodel", {}),  # No Scale layer: no factor.
        ("orbax", {"config": {"model": {"name": "fcn8s"}}}),
        ("orbax", {"config": {"model": {"name": "fcn8s", "skip_scales": []}}}),
    ],
)
def test_plain_scores_in_the_at_once_net(load, fcn8s, file_format, metadata):
    _, ours = fcn8s
    arrays = dict(ours)
    if file_format == "caffemodel":
        arrays = foreign.by_name(foreign.caffe(ours))
    found, account = load(arrays, foreign.create("fcn8s_atonce"), file_format, metadata)
    assert "score_pool3 rescaled for the net's factor 0.0001" in account
    np.testing.assert_allclose(
        found["params/score_pool3/kernel"],
        ours["params/score_pool3/kernel"] * 1e4,
        rtol=1e-6,
    )


def test_factors_that_are_given_win(load, same, fcn8s):
    """Over the layers of a Caffe net, and over what is recorded."""
    model, ours = fcn8s
    arrays = foreign.by_name(foreign.caffe(ours))
    arrays["scale_pool4/0"] = np.full(16, 0.01, np.float32)
    options = {"skip_scales": (1.0, 1.0)}
    same(load(arrays, model, "caffemodel", **options)[0], ours)
    recorded = {"skip_scales": "0.01,0.01"}
    same(load(foreign.pytorch(ours), model, metadata=recorded, **options)[0], ours)
    # Channels may have factors of their own.
    arrays["scale_pool4/0"] = np.linspace(1, 2, 16, dtype=np.float32)
    name = "params/score_pool4/kernel"
    found, _ = load(arrays, model, "caffemodel")
    factors = arrays["scale_pool4/0"][:, None]
    np.testing.assert_allclose(found[name], ours[name] * factors, rtol=1e-6)


def test_factors_that_nobody_tells_are_noted(load, same, fcn8s):
    model, ours = fcn8s
    found, account = load(foreign.pytorch(ours), model)
    same(found, ours)
    assert (
        "note: the file does not say by what factor its score_pool4 was trained: "
        "taken as the net's, 1" in account
    )


def test_at_once_logits_in_a_plain_net(load):
    """The same logits, from a net that multiplies skips and one that does not."""
    options = {"padding": "same"}
    once = foreign.create("fcn8s_atonce", **options)
    ours = cases.random_variables(once)
    for layer, factor in (("score_pool4", 0.01), ("score_pool3", 1e-4)):
        ours["params"][layer]["kernel"] /= factor  # Else they would not count.
    metadata = {"config": {"model": {"name": "fcn8s_atonce", "skip_scales": ()}}}
    plain = foreign.create("fcn8s", **options)
    found, _ = load(foreign.flat(ours), plain, "orbax", metadata)
    images = cases.random_images((1, 33, 40))
    theirs = cases.quick_jit(once.apply)(ours, images)
    logits = cases.quick_jit(plain.apply)(variables.nested(found), images)
    scale = np.abs(theirs).max()
    assert scale > 0.1
    np.testing.assert_allclose(logits, theirs, rtol=0, atol=1e-5 * scale)
    bare = cases.quick_jit(plain.apply)(ours, images)
    assert np.abs(bare - theirs).max() > 0.1 * scale


def test_a_crf_behind_the_net_changes_nothing(load, same):
    """Factors, inputs and fixed upsampling are those of the network within."""
    network = foreign.create("fcn8s_atonce", padding="same")
    ours = drawn(network)
    layer = crf.CRF(3, **crf.parameters_named("deeplab"))
    model = crf.WithCRF(network, layer)
    start = cases.random_variables(model, seed=1)
    arrays = foreign.pytorch(ours)
    kernel = bilinear.bilinear_kernel(16, 3).transpose(2, 3, 0, 1)
    arrays["upscore8.weight"] = np.ascontiguousarray(kernel)
    metadata = {"skip_scales": "0.01,0.0001"}
    found, account = load(arrays, model, metadata=metadata, strict=False, initial=start)
    same(found, foreign.flat(start) | ours)
    assert "upscore8.weight is bilinear" in account
    assert "rescaled" not in account


def test_scales_that_have_no_place_are_told(load):
    model = foreign.create("fcn32s")
    arrays = foreign.by_name(foreign.caffe(drawn(model)))
    arrays["scale_pool4/0"] = np.full(16, 0.01, np.float32)
    arrays["score2/1"] = np.ones(3, np.float32)
    match = r"has no place for scale_pool4, upscore2/bias"
    with pytest.raises(WeightsError, match=match):
        load(arrays, model, "caffemodel")


def test_the_bias_of_upscore2(load, same, learned):
    """Of the CVPR net: its upsampled scores meet those of pool4 in a sum."""
    model, ours = learned
    blobs = foreign.caffe(ours)
    renamed = {
        "score_fr": "score-fr",
        "score_pool4": "score-pool4",
        "score_pool3": "score-pool3",
        "upscore2": "score2",
        "upscore_pool4": "score4",
        "upscore8": "upsample",
    }
    blobs = {renamed.get(name, name): x for name, x in blobs.items()}
    bias = np.array((1.0, 2.0, 4.0), np.float16)
    blobs["score2"] = (*blobs["score2"], bias)
    found, account = load(foreign.by_name(blobs), model, "caffemodel")
    name = "params/score_pool4/bias"
    same(found, ours | {name: ours[name] + bias.astype(np.float32)})
    assert "the bias of upscore2 is added to that of score_pool4" in account
    blobs["score2"] = (blobs["score2"][0], np.ones(2, np.float32))
    with pytest.raises(WeightsError, match=r"upscore2/bias is 2, in the net 3"):
        load(foreign.by_name(blobs), model, "caffemodel")


# Upsampling.


def test_fixed_upsampling_must_be_what_the_file_has(load, same, fcn8s):
    model, ours = fcn8s
    arrays = foreign.pytorch(ours)
    kernel = bilinear.bilinear_kernel(16, 3).transpose(2, 3, 0, 1)
    good = arrays | {"upscore8.weight": kernel.astype(np.float16)}
    found, account = load(good, model)
    same(found, ours)
    assert "upscore8.weight is bilinear, as the net's fixed upscore8" in account
    bad = arrays | {"upscore8.weight": kernel + 0.01}
    with pytest.raises(
        WeightsError,
        match=r"(?s)no place for upscore8.weight.*not the bilinear kernel of upscore8, "
        r'which the net has fixed: create it with upsampling="learned"',
    ):
        load(bad, model)
    small = bilinear.bilinear_kernel(4, 3).transpose(2, 3, 0, 1)
    with pytest.raises(
        WeightsError, match=r"upscore8/kernel is 3x3x4x4, in the net 16x16x3x3"
    ):
        load(arrays | {"upscore8.weight": small}, model)
    with pytest.raises(WeightsError, match=r"has no place for upscore16.weight"):
        load(arrays | {"upscore16.weight": kernel}, model)
    # DeconvNet has none.
    deconvnet = foreign.create("deconvnet", padding="same")
    with pytest.raises(WeightsError, match=r"has no place for upscore8.weight"):
        load(foreign.pytorch(drawn(deconvnet)) | {"upscore8.weight": kernel}, deconvnet)


# DeconvNet.


@pytest.fixture(scope="module")
def deconvnet():
    model = foreign.create("deconvnet", padding="same")
    return model, drawn(model)


def folded(flat):
    """The inference form: scale / sqrt(var + eps), shift - scale mean / sqrt(...)."""
    found = {}
    for name, x in flat.items():
        collection, layer, part = name.split("/")
        if collection == "batch_stats":
            continue
        if f"batch_stats/{layer}/var" in flat:
            mean, var, scale = (
                flat[f"{kind}"].astype(np.float64)
                for kind in (
                    f"batch_stats/{layer}/mean",
                    f"batch_stats/{layer}/var",
                    f"params/{layer}/scale",
                )
            )
            root = np.sqrt(var + 1e-9)
            x = scale / root if part == "scale" else x - scale * mean / root
        found[name] = np.asarray(x, np.float32)
    return found


def test_the_inference_form_of_deconvnet(load, deconvnet):
    model, ours = deconvnet
    arrays = foreign.by_name(foreign.caffe(folded(ours)))
    arrays["seg-score-voc/0"] = arrays.pop("seg-score/0")
    arrays["seg-score-voc/1"] = arrays.pop("seg-score/1")
    found, account = load(arrays, model, "caffemodel", bn=True)
    assert counts(account) == (len(ours), 0, 0, 0)
    assert "the statistics of BatchNorm are folded into its scale and shift" in account
    # By the formula, layer by layer...
    x = np.linspace(-3, 3, 7)[:, None]
    for layer in ("bn1_1", "bnfc6", "fc6-deconv-bn", "debn1_2"):

        def normalise(flat, layer=layer):
            mean, var = (flat[f"batch_stats/{layer}/{n}"] for n in ("mean", "var"))
            scale, bias = (flat[f"params/{layer}/{n}"] for n in ("scale", "bias"))
            return (x - mean) / np.sqrt(var + 1e-9) * scale + bias

        np.testing.assert_allclose(
            normalise(found), normalise(ours), rtol=1e-4, atol=1e-5
        )
    # ... and as a whole.
    run = cases.quick_jit(lambda v, x: model.apply(v, x))
    images = cases.random_images((1, 32, 33))
    theirs = run(variables.nested(ours), images)
    scale = np.abs(theirs).max()
    assert scale > 0.1
    np.testing.assert_allclose(
        run(variables.nested(found), images), theirs, rtol=0, atol=1e-3 * scale
    )


def test_the_training_form_of_deconvnet(load, same, deconvnet):
    model, ours = deconvnet
    arrays = foreign.by_name(foreign.caffe(ours))
    start = cases.random_variables(model, seed=1)
    params = {n: x for n, x in ours.items() if n.startswith("params/")}
    for form, bn in ((None, False), ("training", True)):
        found, account = load(
            arrays, model, "caffemodel", bn=bn, bn_form=form, initial=start
        )
        same(found, foreign.flat(start) | params)
        assert counts(account) == (len(params), len(ours) - len(params), 0, 0)
        assert "without statistics: take them over training batches" in account
    found, _ = load(arrays, model, "caffemodel", bn=False, bn_form="inference")
    assert not found["batch_stats/bn1_1/mean"].any()
    with pytest.raises(
        ValueError, match=r"bn_form='train' is not known; choose one of"
    ):
        load(arrays, model, bn_form="train")
    # Another framework's must come with their statistics.
    arrays = foreign.pytorch(params)
    with pytest.raises(
        WeightsError, match="it lacks batch_stats/bn1_1/mean, .* and 54"
    ):
        load(arrays, model)


# Precisions, gaps and mistakes.


@pytest.mark.parametrize("dtype", ("float16", "float64", ">f4"))
def test_precisions(load, same, fcn8s, dtype):
    model, ours = fcn8s
    arrays = {n: x.astype(dtype) for n, x in foreign.pytorch(ours).items()}
    found, _ = load(arrays, model)
    same(found, {n: x.astype(dtype).astype(np.float32) for n, x in ours.items()})


def test_a_net_in_float64(load, fcn8s):
    _, ours = fcn8s
    with jax.enable_x64(True):
        model = foreign.create(param_dtype="float64")
        exact = {n: x.astype(np.float64) + 1e-12 for n, x in ours.items()}
        found, _ = load(foreign.pytorch(exact), model)
    for name, x in exact.items():
        np.testing.assert_array_equal(found[name], x)


@pytest.mark.parametrize(
    ("value", "dtype"), ((np.nan, "float32"), (np.inf, "float16"), (1e300, "float64"))
)
def test_numbers_that_are_none(load, fcn8s, value, dtype):
    model, ours = fcn8s
    arrays = foreign.pytorch(ours)
    arrays["fc7.bias"] = np.full(2, value, dtype)
    with pytest.raises(
        WeightsError, match=r"fc7/bias holds NaN or numbers beyond float32; expected"
    ):
        load(arrays, model)


def test_missing_biases(load, same, fcn8s):
    model, ours = fcn8s
    arrays = foreign.pytorch(ours)
    for name in ("conv2_1.bias", "fc7.bias"):
        del arrays[name]
    match = r"not this FCN8s: it lacks params/conv2_1/bias, params/fc7/bias; create"
    with pytest.raises(WeightsError, match=match):
        load(arrays, model)
    start = cases.random_variables(model, seed=1)
    found, account = load(arrays, model, strict=False, initial=start)
    np.testing.assert_array_equal(
        found["params/fc7/bias"], start["params"]["fc7"]["bias"]
    )
    assert "missing (2): params/conv2_1/bias, params/fc7/bias" in account
    # Nor does VGG-16 alone do without.
    trunk = {n: x for n, x in foreign.trunk(ours).items() if n != "params/fc6/bias"}
    with pytest.raises(WeightsError, match=r"it lacks params/fc6/bias"):
        load(foreign.torchvision(trunk), model)


def test_another_architecture(load, fcn8s, deconvnet):
    model, ours = fcn8s
    with pytest.raises(WeightsError) as caught:
        load(foreign.pytorch(deconvnet[1]), model)
    text = str(caught.value)
    assert "file: it is not this FCN8s: it lacks params/score_fr/bias" in text
    assert re.search(r"; the net has no place for bn1_1.run.*, .* and \d+ more", text)
    assert "create the net that the file holds, or pass strict=False" in text
    assert "unused (" in text
    with pytest.raises(WeightsError, match=r"it is not this DeconvNet: it lacks"):
        load(foreign.pytorch(ours), deconvnet[0])
    wide = foreign.create(width=1 / 16)
    with pytest.raises(
        WeightsError,
        match=r"conv1_1/bias is 2, in the net 4; .*; 30 more shapes differ; create the",
    ):
        load(dict(sorted(ours.items())), wide, "npz")


def test_another_number_of_classes(load, same, fcn8s, deconvnet):
    _, ours = fcn8s
    model = foreign.create(num_classes=4)
    arrays = foreign.by_name(foreign.caffe(ours))
    arrays["score_fr/1"] = arrays["score_fr/1"].reshape(1, 1, 1, 3)
    with pytest.raises(
        WeightsError,
        match=r"score_fr/kernel is 3x2x1x1, in the net 1x1x2x4; .*; create the net "
        r"with num_classes=3, or pass strict=False to start its scores anew",
    ):
        load(arrays, model, "caffemodel")
    start = cases.random_variables(model, seed=1)
    found, account = load(arrays, model, "caffemodel", strict=False, initial=start)
    same(found, foreign.flat(start) | foreign.trunk(ours))
    assert counts(account) == (30, 0, 0, 6)
    assert "params/score_fr/bias: (1, 1, 1, 3) -> (4,)" in account
    arrays["score_fr/1"] = np.float32(1)  # A scalar.
    with pytest.raises(WeightsError, match=r"with num_classes=1"):
        load(arrays, model, "caffemodel")
    model = foreign.create("deconvnet", padding="same", num_classes=4)
    with pytest.raises(WeightsError, match=r"create the net with num_classes=3"):
        load(foreign.pytorch(deconvnet[1]), model)


def test_two_arrays_for_one_parameter(load, fcn8s):
    model, ours = fcn8s
    arrays = foreign.pytorch(ours)
    arrays["module.conv1_1.weight"] = arrays["conv1_1.weight"]
    with pytest.raises(
        WeightsError,
        match=r"'conv1_1.weight' and 'module.conv1_1.weight' are both "
        r"params/conv1_1/kernel; expected every layer once",
    ):
        load(arrays, model)


def test_nothing_that_fits(load, fcn8s):
    model, _ = fcn8s
    arrays = {"layer.weight": np.ones((2, 2)), "mean_file": np.ones(3)}
    match = r"(?s)none of its arrays is one of the net's.*unused \(2\): layer.weight, m"
    with pytest.raises(WeightsError, match=match):
        load(arrays, model, strict=False)


def test_factors_that_cannot_be(load, fcn8s):
    model, ours = fcn8s
    arrays = foreign.by_name(foreign.caffe(ours))
    arrays["scale_pool4/0"] = np.ones(5, np.float32)
    with pytest.raises(
        WeightsError, match=r"scale_pool4 has 5 values; expected 16, one for each chan"
    ):
        load(arrays, model, "caffemodel")
    for scales in ((), (0.0, 1.0), (1.0, np.nan), (1.0, 1.0, 1.0)):
        with pytest.raises(
            ValueError, match=r"skip_scales=.* is not understood; pass "
        ):
            load(arrays, model, skip_scales=scales)


@pytest.mark.parametrize("recorded", ("a,b", "1,2,3", "0,1", 5, [None], "inf"))
def test_factors_that_are_recorded_wrongly(load, fcn8s, recorded):
    model, ours = fcn8s
    with pytest.raises(
        WeightsError, match=r"records skip_scales=.*; expected one or two positive num"
    ):
        load(foreign.pytorch(ours), model, metadata={"skip_scales": recorded})
    load(
        foreign.pytorch(ours),
        model,
        metadata={"skip_scales": recorded},
        skip_scales=(1.0, 1.0),
    )


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        ("nonsense", "it is no recipe"),
        ("[1]", "it is no recipe"),
        ('{"name": "x"}', "'channels' is missing"),
        ({"name": "x", "channels": "bgr", "mean": 1, "std": 2}, "not iterable"),
        ({"name": "x", "channels": "bgr", "mean": [1], "std": [2]}, "expected three"),
    ],
)
def test_preprocessing_that_is_recorded_wrongly(load, fcn8s, recorded, reason):
    model, ours = fcn8s
    with pytest.raises(
        WeightsError,
        match=rf"records preprocessing=.*{reason}.*expected caffe, imagenet, or name, "
        r"channels, mean and std; pass inputs=",
    ):
        load(foreign.pytorch(ours), model, metadata={"preprocessing": recorded})


def test_a_damaged_record_of_our_archive(load, fcn8s):
    model, ours = fcn8s
    record = {"record/mean": np.ones(3), "record/std": np.ones(3)}
    with pytest.raises(WeightsError, match=r"channels='record/rgb \(\)' is not known"):
        load(ours | record, model, "npz")
    record["record/rgb"] = np.ones(())
    found, _ = load(ours | record, model, "npz")
    assert not np.array_equal(found["params/conv1_1/bias"], ours["params/conv1_1/bias"])
    record["record/mean"] = np.ones(2)
    with pytest.raises(WeightsError, match=r"mean=\(1.0, 1.0\).* expected three numbe"):
        load(ours | record, model, "npz")
    with pytest.raises(WeightsError, match=r"skip_scales=\[-1.0\]; expected one or tw"):
        load(ours | {"record/skip_scales": -np.ones(1)}, model, "npz")


def test_a_start_of_another_net(load, fcn8s):
    model, ours = fcn8s
    arrays = foreign.torchvision(foreign.trunk(ours))
    start = cases.random_variables(foreign.create("fcn16s"))
    with pytest.raises(
        ValueError, match=r"initial has params/score_pool3/bias of shape None; expected"
    ):
        load(arrays, model, initial=start)


def test_files_from_end_to_end(tmp_path, same, fcn8s, deconvnet):
    """Bytes of both forms of Caffe, through detection and reader."""
    model, ours = fcn8s
    path = tmp_path / "weights"
    for v1 in (False, True):
        path.write_bytes(foreign.caffemodel(foreign.caffe(ours), v1))
        found = loading.load_weights(path, model, say=lambda account: None)
        same(foreign.flat(found), ours)
    model, ours = deconvnet
    said = []
    path.write_bytes(foreign.caffemodel(foreign.caffe(folded(ours)), True, True))
    loading.load_weights(path, model, say=said.append)
    assert counts(said[0]) == (len(ours), 0, 0, 0)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist; expected"):
        fcn_jax.load_weights(tmp_path / "nowhere", model)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match=r"is no run with a checkpoint"):
        fcn_jax.load_weights(empty, model)
