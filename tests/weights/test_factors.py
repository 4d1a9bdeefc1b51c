"""Stages, the factors on skips, and what files record of them."""

import numpy as np
import pytest

from fcn_jax import crf
from fcn_jax.ops import bilinear
from fcn_jax.storage import trees
from fcn_jax.weights import WeightsError
from tests.support import cases
from tests.support import foreign_weights as foreign


def test_32s_to_16s_to_8s(load, same):
    flats = {
        n: foreign.drawn(foreign.create(n), i)
        for i, n in enumerate(("fcn32s", "fcn16s"))
    }
    sixteen = foreign.create("fcn16s")
    start = cases.random_variables(sixteen, seed=2)
    arrays = foreign.pytorch(flats["fcn32s"])
    with pytest.raises(WeightsError, match=r"it is not this FCN16s: it lacks params/s"):
        load(arrays, sixteen)
    found, account = load(arrays, sixteen, strict=False, initial=start)
    same(found, foreign.flat(start) | flats["fcn32s"])
    assert foreign.counts(account) == (32, 2, 0, 0)
    eight = foreign.create("fcn8s")
    start = cases.random_variables(eight, seed=3)
    arrays = foreign.pytorch(flats["fcn16s"])
    arrays |= {"upscore16.weight": np.ones((3, 3, 32, 32))}
    found, account = load(arrays, eight, strict=False, initial=start)
    same(found, foreign.flat(start) | flats["fcn16s"])
    assert foreign.counts(account) == (34, 2, 1, 0)


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
    logits = cases.quick_jit(plain.apply)(trees.nested(found), images)
    scale = np.abs(theirs).max()
    assert scale > 0.1
    np.testing.assert_allclose(logits, theirs, rtol=0, atol=1e-5 * scale)
    bare = cases.quick_jit(plain.apply)(ours, images)
    assert np.abs(bare - theirs).max() > 0.1 * scale


def test_every_head_is_rescaled(load):
    model = foreign.create("fcn8s", num_classes={"sem": 3, "geo": 2})
    ours = foreign.drawn(model)
    factors = {"score_pool4": 0.01, "score_pool3": 1e-4}
    theirs = {
        name: x / factors.get(name.split("/")[1][:-4], 1) if "kernel" in name else x
        for name, x in ours.items()
    }
    metadata = {"config": {"model": {"name": "fcn8s_atonce", "skip_scales": ()}}}
    found, account = load(theirs, model, "orbax", metadata)
    for name, x in ours.items():
        np.testing.assert_allclose(found[name], x, rtol=1e-6)
    assert "score_pool3_geo rescaled for the net's factor 1" in account


def test_a_crf_behind_the_net_changes_nothing(load, same):
    """Factors, inputs and fixed upsampling are those of the network within."""
    network = foreign.create("fcn8s_atonce", padding="same")
    ours = foreign.drawn(network)
    layer = crf.CRF(3, **crf.get_parameters("deeplab"))
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
    arrays = foreign.by_name(foreign.caffe(foreign.drawn(model)))
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


@pytest.mark.parametrize(
    "recorded", ("a,b", "1,2,3", "0,1", 5, [None], "inf", [10**400, 1])
)
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
        ("nonsense", "it is no preprocessing"),
        ("[1]", "it is no preprocessing"),
        ('{"name": "x"}', "'channels' is missing"),
        ("[" * 100_000, "it is no preprocessing"),
        ({"name": 1, "channels": "bgr", "mean": [10**400], "std": []}, "too large"),
        ({"name": "x", "channels": "bgr", "mean": 1, "std": 2}, "not iterable"),
        ({"name": "x", "channels": "bgr", "mean": [1], "std": [2]}, "expected three"),
    ],
)
def test_preprocessing_that_is_recorded_wrongly(load, fcn8s, recorded, reason):
    model, ours = fcn8s
    with pytest.raises(
        WeightsError,
        match=rf"records preprocessing=.*{reason}.*expected caffe, imagenet, .*or nam"
        r"e, channels, mean and std; pass inputs=",
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
    with pytest.raises(
        WeightsError, match=r"skip_scales='\[-1.0\]'; expected one or tw"
    ):
        load(ours | {"record/skip_scales": -np.ones(1)}, model, "npz")
