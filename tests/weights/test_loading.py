"""Files into nets: DeconvNet's forms, strictness, precisions, errors."""

import functools
import re

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import fcn_jax
from fcn_jax.models import initializers
from fcn_jax.ops import bilinear
from fcn_jax.storage import trees
from fcn_jax.weights import WeightsError, loading, variables
from tests.support import cases
from tests.support import foreign_weights as foreign


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
        load(
            foreign.pytorch(foreign.drawn(deconvnet)) | {"upscore8.weight": kernel},
            deconvnet,
        )


def test_the_inference_form_of_deconvnet(load, deconvnet):
    model, ours = deconvnet
    arrays = foreign.by_name(foreign.caffe(foreign.folded(ours)))
    arrays["seg-score-voc/0"] = arrays.pop("seg-score/0")
    arrays["seg-score-voc/1"] = arrays.pop("seg-score/1")
    found, account = load(arrays, model, "caffemodel", bn=True)
    assert foreign.counts(account) == (len(ours), 0, 0, 0)
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
    theirs = run(trees.nested(ours), images)
    scale = np.abs(theirs).max()
    assert scale > 0.1
    np.testing.assert_allclose(
        run(trees.nested(found), images), theirs, rtol=0, atol=1e-3 * scale
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
        assert foreign.counts(account) == (len(params), len(ours) - len(params), 0, 0)
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


@pytest.mark.parametrize("dtype", ("float16", "float64", ">f4", ml_dtypes.bfloat16))
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
    assert "unexpected (" in text
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
    assert foreign.counts(account) == (30, 0, 0, 6)
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
    match = r"(?s)none of its arrays is one of the net's.*unexpected \(2\): layer.w"
    with pytest.raises(WeightsError, match=match):
        load(arrays, model, strict=False)


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
        found, _ = loading.load_weights(path, model)
        same(foreign.flat(found), ours)
    model, ours = deconvnet
    path.write_bytes(
        foreign.caffemodel(foreign.caffe(foreign.folded(ours)), True, True)
    )
    _, report = loading.load_weights(path, model)
    assert foreign.counts(str(report)) == (len(ours), 0, 0, 0)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist; expected"):
        fcn_jax.load_weights(tmp_path / "nowhere", model)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match=r"is no run with a checkpoint"):
        fcn_jax.load_weights(empty, model)


def ranks(logits):
    return np.argsort(np.asarray(logits), axis=-1)


@pytest.mark.long
@pytest.mark.parametrize(("padding", "side"), (("same", 64), ("valid", 224)))
def test_a_decoder_starts_with_the_scores_of_an_fcn(load, monkeypatch, padding, side):
    """Where fc7 and switches are the same, every pixel ranks classes as the FCN."""
    monkeypatch.setattr(initializers, "NOISE", 0)
    options = {"num_classes": 3, "width": 1 / 8, "fc_features": 64}
    fcn = foreign.create(
        "fcn32s", padding="same", batch_norm=True, batch_norm_fc=True, **options
    )
    ours = foreign.drawn(fcn)
    ours["params/fc7/kernel"] = np.zeros_like(ours["params/fc7/kernel"])
    ours["params/score_fr/kernel"] = 0.1 * ours["params/score_fr/kernel"]
    ours["params/score_fr/bias"] = np.zeros(3, np.float32)
    model = foreign.create(
        "deconvnet", padding=padding, decoder_start="upsampling", **options
    )
    found, account = load(foreign.pytorch(ours), model, strict=False)
    assert "the decoder starts with the scores of score_fr" in account
    assert "unexpected (1): score_fr.bias" in account
    images = cases.random_images((1, side, side))
    expected = jax.jit(fcn.apply)(trees.nested(ours), images)[0, side // 2, side // 2]
    assert np.diff(np.sort(expected)).min() > 0.01
    look = functools.partial(model.apply, mutable=["intermediates"])
    _, maps = jax.jit(look)(trees.nested(found), images)
    switches = {
        f"pool{i}": jnp.zeros_like(maps["intermediates"][f"pool{i}_mask"][0])
        for i in range(1, 6)
    }
    apply = jax.jit(model.apply)
    logits = apply(trees.nested(found), images, switches=switches)
    np.testing.assert_array_equal(
        ranks(logits), np.broadcast_to(ranks(expected), logits.shape)
    )
    with pytest.raises(WeightsError, match="it lacks batch_stats/debn1_1/mean"):
        load(foreign.pytorch(ours), model)


@pytest.mark.long
@pytest.mark.parametrize(
    "options", ({"width": 1 / 32}, {"num_classes": 2}, {"width": 0.3})
)
def test_scores_that_a_decoder_cannot_take(load, options):
    fcn = foreign.create("fcn32s", width=options.get("width", 1 / 8), batch_norm=True)
    model = foreign.create(
        "deconvnet",
        padding="same",
        decoder_start="upsampling",
        **({"width": 1 / 8} | options),
    )
    arrays = foreign.pytorch(foreign.drawn(fcn))
    found, account = load(arrays, model, strict=False)
    classes, channels = model.num_classes, round(64 * model.encoder.width)
    assert (
        f"must be of the net's {classes} classes, and at most half as many as the "
        f"{channels} channels of its last stage, which must divide the "
        f"{round(512 * model.encoder.width)} of fc6-deconv"
    ) in " ".join(account.split())
    started = variables.start(model, ["params/fc6-deconv/kernel"])
    np.testing.assert_array_equal(
        found["params/fc6-deconv/kernel"], started["params/fc6-deconv/kernel"]
    )


def test_a_call_prints_nothing_unless_it_is_asked_to(tmp_path, fcn8s, capsys):
    model, ours = fcn8s
    path = tmp_path / "weights"
    path.write_bytes(foreign.caffemodel(foreign.caffe(ours), False))
    _, report = loading.load_weights(path, model)
    assert capsys.readouterr().out == ""
    assert len(report.matched) == len(ours)
    assert str(report).startswith(f"weights from {path} (caffemodel, Caffe")
    _, again = loading.load_weights(path, model, verbose=True)
    assert capsys.readouterr().out == f"{again}\n"
