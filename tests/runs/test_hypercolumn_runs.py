"""A network of boxes from its config to scores of its regions, and what is refused."""

import importlib
import json

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import __main__
from fcn_jax.commands import regions as command
from fcn_jax.config import build, datasets, losses
from fcn_jax.config import predictor as predictors
from fcn_jax.data import regions
from fcn_jax.data.sources import shapes
from fcn_jax.inference import windows
from fcn_jax.preprocessing import IMAGENET
from fcn_jax.runs import logs, trainer
from fcn_jax.runs.evaluation import Evaluation, regions_of
from fcn_jax.training import optim


@pytest.fixture(autouse=True)
def _promotion_as_in_optax():
    with jax.numpy_dtype_promotion("standard"):
        yield


def load(name, mode="smoke", **changes):
    config = importlib.import_module(f"configs.{name}").get_config(mode)
    config.update_from_flattened_dict(changes)
    return config


def test_the_recipe_is_the_published_one():
    """solver.prototxt and hypercolumn_train_pydata.prototxt of bharath272/sds."""
    config = load("voc_hypercolumn", "full")
    assert (config.optim.learning_rate, config.optim.momentum) == (1e-3, 0.9)
    assert (config.optim.weight_decay, config.optim.bias_lr) == (1e-3, 2.0)
    assert (config.batch_size, config.accumulate, config.num_steps) == (20, 20, 10_000)
    assert (config.loss.name, config.loss.reduction) == ("box_masks", "sum")
    net = build.make_model(config)
    assert (net.grid, net.side, net.layer_scales) == (5, 50, (0.0027, 0.063))
    params = jax.eval_shape(net.init, jax.random.key(0), np.zeros((1, 32, 32, 3), "f"))
    build.make_optimizer(config, params["params"])
    learning = optim.learns(params["params"], config.optim.frozen)
    assert {name for name, x in learning.items() if any(x.values())} == {
        *("hyper_pool3", "hyper_pool4", "hyper_fc7")
    }
    assert config.optim.slow == ("hyper_fc7",)
    tuned = load("voc_hypercolumn", "tuned")
    learning = optim.learns(params["params"], tuned.optim.frozen)
    assert all(learning["conv5_3"].values())
    assert all(learning["cls_score"].values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
@pytest.mark.usefixtures("shallow_nets")
def test_a_run_is_trained_scored_and_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shapes, "SIZES", {"train": 4, "val": 2})
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    config = load("shapes_hypercolumn", num_pictures=1)
    config.data.data_dir = str(tmp_path / "data")
    config.data.objects.cache_dir = str(tmp_path / "proposals")
    trainer.train(config, tmp_path / "run")
    entries = logs.read(tmp_path / "run" / "log.jsonl")
    assert [e["kind"] for e in entries] == ["train", "train", "eval"]
    assert all(np.isfinite(e["loss"]) for e in entries)
    run = Evaluation(config, tmp_path / "run")
    assert run.score()["mean_iu"] == entries[-1]["mean_iu"]
    net = fcn_jax.load(tmp_path / "run", **{"inference.background": 0.01})
    image = run.source[0]["image"]
    labels = net.predict(image)
    assert labels.shape == image.shape[:2]
    assert labels.any()
    for place, found in regions_of(run):
        assert found.masks.shape[1:] == run.source[place]["labels"].shape
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        __main__.main(["fcn_jax", "regions", f"--workdir={tmp_path / 'run'}"])
    assert not ended.value.code
    written = json.loads((tmp_path / "run" / "regions.json").read_text())
    assert set(written["mean_ap_r"]) == {"0.5", "0.7"}
    assert 0 < written["background"] < 1
    said = f"--config.inference.background={written['background']:g}"
    assert said in capsys.readouterr().out


def test_a_table_of_classes_that_have_objects():
    found = {
        "ap_r": {"0.5": [None, 0.5, None], "0.7": [None, 0.25, None]},
        "mean_ap_r": {"0.5": 0.5, "0.7": 0.25},
        "num_objects": [0, 2, 0],
        "num_regions": [0, 3, 1],
    }
    table = command.table(found, ("background", "cat", "dog"))
    assert [line.split() for line in table.splitlines()] == [
        ["AP^r", "0.5", "AP^r", "0.7"],
        ["cat", "0.5000", "0.2500"],
        ["mean", "0.5000", "0.2500"],
    ]


@pytest.mark.parametrize(
    ("name", "changes"),
    (
        ("shapes_hypercolumn", {"loss.name": "cross_entropy"}),
        ("shapes_hypercolumn", {"loss.name": "box_masks+cross_entropy"}),
        ("shapes_hypercolumn", {"data.objects.stage": ""}),
        ("shapes_fcn8s", {"loss.name": "box_classes"}),
        ("shapes_fcn8s", {"data.objects.stage": "regions"}),
    ),
)
def test_a_loss_a_net_and_examples_that_do_not_fit(name, changes):
    with pytest.raises(ValueError, match="do not fit: a network of boxes .* with neit"):
        losses.check_loss(load(name, **changes))


def test_regions_are_asked_of_networks_of_boxes():
    config = load("shapes_fcn8s", **{"inference.method": "regions"})
    net = build.make_model(config)
    message = "method='regions' is for networks of boxes .* use 'proposals'"
    with pytest.raises(ValueError, match=message):
        predictors.make_predictor(config, net, IMAGENET)
    config = load("shapes_hypercolumn")
    net = build.make_model(config)
    for views in ({"scales": (1.0, 2.0)}, {"flip": True}):
        with pytest.raises(ValueError, match="regions are pasted from one view"):
            predictors.make_predictor(config, net, IMAGENET, **views)
    config.inference.method = "whole"
    with pytest.raises(ValueError, match="method='whole' finds no regions; set"):
        predictors.find_regions(config, net, IMAGENET)


def test_boxes_are_seen_as_they_are_proposed():
    """The network itself adds their context, to those of training as well."""
    config = load("shapes_hypercolumn", **{"data.objects.cache_dir": ""})
    net = build.make_model(config)
    found = predictors.make_predictor(config, net, IMAGENET).windows
    assert isinstance(found, windows.ProposalWindows)
    assert (found.extension, found.num) == (1.0, 4)


def test_examples_are_those_of_the_network(tmp_path, monkeypatch):
    given = {}

    def record(source, boxes_of, drawing, **options):
        given.update(options, drawing=drawing)
        return source

    monkeypatch.setattr(regions, "RegionExamples", record)
    monkeypatch.setattr(shapes, "SIZES", {"train": 4, "val": 2})
    config = load("shapes_hypercolumn", **{"model.side": 20, "model.extension": 1.5})
    config.data.data_dir = str(tmp_path / "data")
    config.data.objects.cache_dir = str(tmp_path / "proposals")
    datasets.open_source(config, "train")
    assert given["drawing"] == regions.Drawing(2, 4, 20, 1.5)
    assert given["min_iou"] == 0.7
    config.data.objects.cache_dir = ""
    with pytest.raises(ValueError, match="stage='regions' needs a place for the propo"):
        datasets.open_source(config, "train")
