"""Nets that see depth, from training to evaluation: RGB, RGB-D, HHA, RGB-HHA."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image

import benchmarks.depth
from fcn_jax import runs
from fcn_jax.commands import predict as predict_command
from fcn_jax.config import build, datasets, named
from fcn_jax.config import predictor as predictors
from fcn_jax.data import channels, photos, transforms
from fcn_jax.data import depth as depths
from fcn_jax.data.photo_depth import DepthFolder
from fcn_jax.data.photos import Photo
from fcn_jax.data.sources import indoor, indoor_scenes
from fcn_jax.inference.predictor import Predictor
from fcn_jax.models.late_fusion import LateFusion
from fcn_jax.runs import logs, looking, prediction, trainer
from tests.support import cases, folders, predicting
from tests.support.runs import saved_run

MODES = ("color", "color_d", "hha", "full")


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(indoor, "SIZES", {"train": 4, "val": 2})
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    with jax.numpy_dtype_promotion("standard"):  # AdamW of optax mixes types.
        yield


def config_of(mode, steps=2):
    config = benchmarks.depth.config_of(mode, steps, 0)
    config.model.width, config.model.fc_features = 1 / 32, 64
    config.batch_size = config.eval_batch_size = 2
    config.data.crop = (32, 32)
    return config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directories of the runs that are trained, each when it is asked for."""
    folder, there = tmp_path_factory.mktemp("depth"), {}

    def of(mode, init_from=""):
        if mode not in there:
            config = config_of(mode)
            config.init_from = init_from
            trainer.train(config, folder / mode)
            there[mode] = folder / mode
        return there[mode]

    return of


@pytest.mark.long
@pytest.mark.parametrize("mode", (*MODES[:1], *(
    pytest.param(mode, marks=pytest.mark.slow) for mode in MODES[1:3])))  # fmt: skip
def test_each_alone_trains(trained, mode):
    entries = logs.read(trained(mode) / "log.jsonl")
    assert [e["step"] for e in entries if e["kind"] == "train"] == [1, 2]
    assert all(np.isfinite(e["loss"]) for e in entries if "loss" in e)


@pytest.mark.slow
def test_both_start_from_two_runs_and_train(trained):
    """Late fusion from the nets of color and of HHA; it is scored, asked, refused."""
    start = f"color={trained('color')},hha={trained('hha')}"
    workdir = trained("full", start)
    entries = logs.read(workdir / "log.jsonl")
    assert any("mean_iu" in e for e in entries)
    net = runs.load(workdir)
    assert isinstance(net.model, LateFusion)
    item = indoor.Indoor("val", "rgbhha")[0]
    labels = net.predict(item["image"])
    assert labels.shape == (96, 128)
    with pytest.raises(ValueError, match=r"expected \[H, W, 6\]"):
        net.predict(item["image"][..., :3])


@pytest.mark.slow
def test_a_crf_behind_both_compares_their_colours(trained):
    """The bandwidths are of red, green and blue; the rest is for the nets."""
    start = f"color={trained('color')},hha={trained('hha')}"
    net = runs.load(trained("full", start), **{"crf.parameters": "deeplab"})
    image = indoor.Indoor("val", "rgbhha")[0]["image"]
    assert net.predict(image).shape == (96, 128)


@pytest.mark.slow
def test_depth_is_worth_more_than_colours_alone(tmp_path, monkeypatch):
    """RGB-HHA above RGB by 0.05 mean IU at least; docs/data_sets.md has a whole run."""
    monkeypatch.undo()
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    found = benchmarks.depth.measure(tmp_path, steps=160)
    for other in ("color", "color, longer"):
        assert found["color_hha"]["mean_iu"] > found[other]["mean_iu"] + 0.05


def test_photographs_do_not_suffice(tmp_path):
    """Of a net for HHA neither, though a photograph has as many channels."""
    for name, given in (("nyud_rgbd", "RGBD"), ("nyud_hha", "HHA")):
        config = named.load("indoor_fcn32s").get_config()
        config.preprocessing = name
        net = type("Net", (), {})()
        net.preprocessing, net.workdir = build.make_preprocessing(config), "runs/x"
        with pytest.raises(
            ValueError, match=f"runs/x sees {given}, and images here are read as RGB; f"
        ):
            prediction.predict(net, [], tmp_path / "out")
    assert predict_command.COMMAND.run
    assert not (tmp_path / "out").exists()


@pytest.fixture
def rooms(tmp_path):
    """Photographs of two rooms, and their depth."""
    for number in range(2):
        scene = indoor_scenes.draw(np.random.default_rng(number))
        folders.save(tmp_path / "photos" / f"{number}.png", scene.image)
        (tmp_path / "depth").mkdir(exist_ok=True)
        depths.write(scene.depth, tmp_path / "depth" / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("mode", "size"),
    (("color_d", 0), ("color_d", 64), pytest.param("hha", 0, marks=pytest.mark.long)),
)
def test_photographs_with_depth_beside_them(rooms, mode, size):
    """As the network says of the arrays; drawn over the colours."""
    config = config_of(mode)
    saved_run(rooms / "run", config)
    net = runs.load(rooms / "run")
    depth = DepthFolder(
        str(rooms / "depth"), config.data.channels, camera=indoor_scenes.CAMERA
    )
    options = looking.Options(depth=depth, size=size)
    listed = predicting.listed(rooms / "photos")
    tally = prediction.predict(net, listed, rooms / "out", options)
    assert (tally.done, tally.failed) == (2, [])
    photo = Photo("1", rooms / "photos" / "1.png")
    image = depth.beside(photo, photos.read(photo))
    asked = image
    if size:
        of = channels.of(config.data.channels)
        asked = transforms.resize_image(image, (48, 64), channels=of)
    probs = net.predict_probs(asked)
    if size:
        probs = np.asarray(jax.image.resize(probs, (96, 128, 6), "linear"))
    with Image.open(rooms / "out" / "labels" / "1.png") as found:
        agree = np.mean(np.asarray(found) == probs.argmax(-1))
    assert agree > (0.98 if size else 0.999)
    assert (rooms / "out" / "overlays" / "1.png").exists()
    # Other depth is another way to predict.
    with pytest.raises(ValueError, match="made otherwise .depth: "):
        prediction.predict(
            net,
            listed,
            rooms / "out",
            looking.Options(depth=dataclasses.replace(depth, steps=2000), size=size),
        )


def test_depth_for_a_network_that_sees_something_else(rooms):
    saved_run(rooms / "run", config_of("color_d"))
    net = runs.load(rooms / "run")
    depth = DepthFolder(str(rooms / "depth"), "hha")
    with pytest.raises(ValueError, match="run sees RGBD, and would be given HHA"):
        prediction.predict(net, [], rooms / "out", looking.Options(depth=depth))
    nowhere = DepthFolder(str(rooms / "nowhere"), "rgbd")
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        prediction.predict(net, [], rooms / "out", looking.Options(depth=nowhere))
    assert not (rooms / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    (
        ({"preprocessing": "nyud_rgb"}, "indoor has images of hha and config.preproce"),
        ({"preprocessing": "caffe"}, "'caffe' takes rgb; set --config.preprocessing"),
        ({"data.channels": "rgbd"}, "images of rgbd and .* takes hha"),
        (
            {"model.channels": 4},
            "images of 3 channels, hha, and the network takes 4",
        ),
    ),
)
def test_images_that_do_not_fit_the_net(tmp_path, changes, message):
    config = config_of("hha")
    config.update_from_flattened_dict(changes)
    with pytest.raises(ValueError, match=message):
        trainer.train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_an_unknown_kind_of_channels():
    config = config_of("hha")
    config.data.channels = "depth"
    with pytest.raises(ValueError, match="'indoor' has no channels 'depth'; set"):
        datasets.open_source(config, "train")
    config.data.name, config.data.channels = "shapes", "hha"
    with pytest.raises(ValueError, match="'shapes' has no channels 'hha'; .* of rgb,"):
        datasets.open_source(config, "train")


def test_the_recipes_are_those_of_the_release():
    """solver.prototxt and solve.py of nyud-fcn32s-*; what conv1_1 starts from."""
    rates = {"color": 1e-10, "color_d": 1e-10, "hha": 1e-10, "color_hha": 1e-12}
    for name, rate in rates.items():
        config = named.load(f"nyud_fcn32s_{name}").get_config()
        settings = config.optim
        assert (settings.learning_rate, settings.momentum) == (rate, 0.99)
        assert (settings.weight_decay, config.num_steps) == (5e-4, 100_000)
        assert (config.loss.reduction, config.batch_size) == ("sum", 1)
        assert (config.data.train_split, config.data.eval_split) == ("trainval", "test")
        model = build.make_model(config)
        given = build.make_preprocessing(config)
        assert given.channels_given.lower() == config.data.channels
        assert given.num_channels == model.channels
        shapes = cases.variable_shapes(model)["params"]
        assert {f"score_fr{s}" for s in getattr(model, "streams", ("",))} <= set(shapes)


def test_the_crf_compares_colours_alone(monkeypatch):
    """Of RGB-HHA the first three channels; HHA alone would be taken for colours."""
    seen = []
    monkeypatch.setattr(
        predictors.crf, "mean_field", lambda unary, image, **_: seen.append(image)
    )
    net = Predictor(lambda variables, batch: variables)
    config = config_of("full")
    config.crf.parameters = "pydensecrf"
    image = np.arange(24.0).reshape(1, 2, 2, 6)
    predictors.with_crf(net, config).scores(np.ones((1, 2, 2, 6)), {"image": image})
    np.testing.assert_array_equal(seen[0], image[..., :3])
    config = config_of("hha")
    config.crf.parameters = "pydensecrf"
    with pytest.raises(ValueError, match="compares colours, and this network sees HHA"):
        predictors.with_crf(net, config)
