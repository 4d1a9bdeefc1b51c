"""Weights of nets with two streams: their own, one for both, one for each."""

import numpy as np
import pytest

from fcn_jax import preprocessing
from fcn_jax.ops import bilinear
from fcn_jax.storage import trees
from fcn_jax.weights import WeightsError, fetching, load_weights, saving, streams
from tests.support import foreign_weights as foreign

RGB, RGBD, HHA, BOTH = preprocessing.NYUD
STREAMS = ("color", "hha")


@pytest.fixture(scope="module")
def fused():
    """A net of two streams and its flat variables."""
    model = foreign.create("fcn32s_late_fusion")
    return model, foreign.drawn(model)


@pytest.fixture(scope="module")
def single():
    """Two nets of one stream: their kind, and their flat variables."""
    model = foreign.create("fcn32s")
    return model, [foreign.drawn(model, seed) for seed in (1, 2)]


def with_stream(ours, stream):
    return {
        f"{name.rpartition('/')[0]}{stream}/{name.rpartition('/')[2]}": x
        for name, x in ours.items()
    }


def test_the_released_net(fused, tmp_path):
    """Names with streams behind, a bilinear upscore, images as they are there."""
    model, ours = fused
    kernel = bilinear.bilinear_kernel(64, 3).astype(np.float32)
    blobs = foreign.caffe(ours) | {"upscore": (foreign.iohw(kernel),)}
    path = tmp_path / "nyud-fcn32s-color-hha-heavy.caffemodel"
    path.write_bytes(foreign.caffemodel(blobs))
    found, report = load_weights(path, model, preprocessing=BOTH, inputs=BOTH)
    foreign_is_same(trees.flatten(found), ours)
    assert not report.missing
    assert not report.unexpected


def foreign_is_same(found, expected):
    assert found.keys() == expected.keys()
    for name, x in expected.items():
        np.testing.assert_allclose(found[name], x, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("suffix", (".safetensors", ".npz", ""))
def test_what_is_saved_is_read(fused, tmp_path, suffix):
    model, ours = fused
    path = tmp_path / f"net{suffix}"
    saving.save_weights(path, trees.nested(ours), model, preprocessing=BOTH)
    found, report = load_weights(path, model, preprocessing=BOTH)
    foreign_is_same(trees.flatten(found), ours)
    assert not [note for note in report.notes if "conv1_1" in note]


def test_colours_of_another_mean_are_folded_into_one_stream(fused, tmp_path):
    model, ours = fused
    path = tmp_path / "net.safetensors"
    saving.save_weights(path, trees.nested(ours), model, preprocessing=BOTH)
    moved = preprocessing.Preprocessing(
        "moved", "bgrhha", (*(np.array(BOTH.mean[:3]) + 1), *BOTH.mean[3:]), BOTH.std
    )
    found = trees.flatten(load_weights(path, model, preprocessing=moved)[0])
    shift = ours["params/conv1_1color/kernel"].sum(axis=(0, 1, 2))
    np.testing.assert_allclose(
        found["params/conv1_1color/bias"],
        ours["params/conv1_1color/bias"] + shift,
        rtol=1e-5,
        atol=1e-5,
    )
    name = "params/conv1_1hha/bias"
    np.testing.assert_array_equal(found[name], ours[name])


def test_one_vgg_starts_both_streams(fused, single, tmp_path):
    """The release copies them as they are; all that VGG-16 lacks starts at zero."""
    model, (_, (ours, _)) = fused[0], single
    path = tmp_path / "vgg16.caffemodel"
    blobs = foreign.caffe(foreign.trunk(ours))
    blobs["fc8"] = (np.ones((10, 2), np.float32), np.ones(10, np.float32))
    path.write_bytes(foreign.caffemodel(blobs))
    found, report = load_weights(path, model, preprocessing=BOTH, inputs=BOTH)
    found = trees.flatten(found)
    for stream in STREAMS:
        for name, x in with_stream(foreign.trunk(ours), stream).items():
            np.testing.assert_array_equal(found[name], x)
        assert not found[f"params/score_fr{stream}/kernel"].any()
    assert len(report.matched) == 2 * 2 * 15
    # Unless it is told otherwise, it was given Caffe's images: of colours they are made
    # the net's, and HHA stays what it is.
    other, report = load_weights(path, model, preprocessing=BOTH)
    assert [note.split(": ")[0] for note in report.notes] == ["color", "hha"]
    assert "rewritten from caffe to nyud_rgbhha" in report.notes[0]
    assert (
        "conv1_1 stays as it is: caffe and nyud_rgbhha images are not both of"
        in (report.notes[1])
    )
    other = trees.flatten(other)
    name = "params/conv1_1hha/bias"
    np.testing.assert_array_equal(other[name], found[name])
    assert (
        other["params/conv1_1color/bias"] != found["params/conv1_1color/bias"]
    ).any()


def test_the_nets_of_two_streams_become_one(fused, single, tmp_path):
    """As the release starts: that of color, that of hha, their scores too."""
    model, (net, (color, hha)) = fused[0], single
    for name, ours, given in (("color", color, RGB), ("hha", hha, HHA)):
        variables = trees.nested(ours)
        saving.save_weights(tmp_path / name, variables, net, preprocessing=given)
    paths = {name: tmp_path / name for name in STREAMS}
    found, report = load_weights(paths, model, preprocessing=BOTH)
    expected = with_stream(color, "color") | with_stream(hha, "hha")
    foreign_is_same(trees.flatten(found), expected)
    assert f"weights from {tmp_path / 'color'} and {tmp_path / 'hha'}" in report.source


def test_a_net_with_depth_is_recorded_and_read(tmp_path):
    model = foreign.create("fcn32s", channels=4)
    ours = foreign.drawn(model)
    for suffix in (".npz", ".safetensors"):
        path = tmp_path / f"net{suffix}"
        saving.save_weights(path, trees.nested(ours), model, preprocessing=RGBD)
        found, report = load_weights(path, model, preprocessing=RGBD)
        foreign_is_same(trees.flatten(found), ours)
        assert not [note for note in report.notes if "conv1_1" in note]


def test_depth_starts_as_the_mean_of_the_colours(single, tmp_path):
    """nyud-fcn32s-color-d: conv1_1_bgrd, whose fourth channel is such a mean."""
    ours = single[1][0]
    path = tmp_path / "vgg16.caffemodel"
    path.write_bytes(foreign.caffemodel(foreign.caffe(foreign.trunk(ours))))
    model = foreign.create("fcn32s", channels=4)
    found, _ = load_weights(path, model, preprocessing=RGBD, inputs=RGBD)
    kernel = ours["params/conv1_1/kernel"]
    first = trees.flatten(found)["params/conv1_1/kernel"]
    np.testing.assert_array_equal(first[:, :, :3], kernel)
    np.testing.assert_allclose(first[:, :, 3], kernel.mean(axis=2), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    (
        (lambda ours: ours.pop("params/fc7hha/bias"), "it lacks params/fc7/bias"),
        (
            lambda ours: ours.update({"params/fc9/bias": np.ones(2, np.float32)}),
            "the net has no place for",
        ),
        (
            lambda ours: ours.update(
                {"params/score_frcolor/bias": np.ones(7, np.float32)}
            ),
            "params/score_fr/bias is 7, in the net 3",
        ),
    ),
)
def test_a_file_that_is_not_this_net(fused, tmp_path, change, message):
    model, ours = fused
    ours = dict(ours)
    change(ours)
    path = tmp_path / "net.npz"
    np.savez(path, **ours)
    with pytest.raises(WeightsError, match=message):
        load_weights(path, model, preprocessing=BOTH)


def test_streams_that_a_net_does_not_have(fused, single):
    with pytest.raises(ValueError, match="files for color, depth; the streams of FCN3"):
        load_weights({"color": "a", "depth": "b"}, fused[0], preprocessing=BOTH)
    with pytest.raises(ValueError, match="files for color; FCN32s has no streams: pas"):
        load_weights({"color": "a"}, single[0])


@pytest.mark.parametrize(
    ("given", "names", "expected"),
    (
        ("color=runs/a,hha=runs/b", STREAMS, {"color": "runs/a", "hha": "runs/b"}),
        ("color=runs/a=1", STREAMS, {"color": "runs/a=1"}),
        ("runs/a", STREAMS, "runs/a"),
        ("runs/lr=1,hha=2", STREAMS, "runs/lr=1,hha=2"),
        ("color=runs/a,hha=runs/b", (), "color=runs/a,hha=runs/b"),
    ),
)
def test_what_init_from_names(given, names, expected):
    assert streams.parsed(given, names) == expected
    assert fetching.starts_of(given, names) == (expected, None)


def test_nets_that_were_given_different_images(tmp_path, monkeypatch):
    places = {"a": ("a", "caffe"), "b": ("b", None)}
    monkeypatch.setattr(fetching, "start_of", places.__getitem__)
    with pytest.raises(ValueError, match=r"were given different images \(None, caffe"):
        fetching.starts_of("color=a,hha=b", STREAMS)
    assert fetching.starts_of("color=a,hha=a", STREAMS)[1] == "caffe"


def test_the_record_of_channels_is_text(tmp_path):
    """What an older version wrote of three channels is written as before."""
    model = foreign.create("fcn32s")
    path = tmp_path / "net.npz"
    variables = trees.nested(foreign.drawn(model))
    saving.save_weights(path, variables, model, preprocessing=RGB)
    assert "record/channels" not in np.load(path)
