"""Several heads, four channels, and a void label of 0: from training to an export.

What it takes to add such a data set: the source (tests/support/made_up.py here, a file
of fcn_jax/data/sources there), a line of `fcn_jax.data.DATASETS`, and a line of
`PREPROCESSING` for its channels.
"""

import json

import jax
import numpy as np
import pytest
from PIL import Image

import fcn_jax
from fcn_jax import data, preprocessing, runs
from fcn_jax.commands import export as export_command
from fcn_jax.config.base import base_config
from fcn_jax.evaluation import metrics
from fcn_jax.runs import logs, reports, trainer
from tests.support import made_up

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(scope="module", autouse=True)
def _registered():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.DATASETS, "rooms", made_up.ROOMS)
        patch.setitem(data.DATASETS, "outdoors", made_up.OUTDOORS)
        name = made_up.RGBD.name
        patch.setitem(preprocessing.PREPROCESSING, name, made_up.RGBD)
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        yield


def config_of(name, steps):
    config = base_config()
    config.data.name, config.data.flip = name, True
    config.data.scale = (0.8, 1.2)
    config.data.crop = (24, 24)
    config.model.padding, config.model.batch_norm = "same", True
    config.model.width, config.model.fc_features = 1 / 16, 64
    config.optim.learning_rate = 0.05
    config.batch_size = config.eval_batch_size = 2
    config.num_steps = steps
    config.log_every = config.eval_every = config.checkpoint_every = steps
    config.num_pictures = 1
    return config


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """The directory of a run on colour and depth with two heads."""
    config = config_of("rooms", 30)
    config.preprocessing = made_up.RGBD.name
    config.model.channels = 4
    with config.ignore_type():
        config.model.num_classes = {"semantic": 3, "geometric": 3}
    workdir = tmp_path_factory.mktemp("rooms") / "run"
    trainer.train(config, workdir)
    return workdir


@pytest.mark.long
def test_both_heads_are_trained(rooms):
    entries = logs.read(rooms / "log.jsonl")
    iu = entries[-1]["iu"]
    assert set(iu) == {
        "semantic/wall", "semantic/floor", "semantic/thing",
        "geometric/void", "geometric/flat", "geometric/upright",
    }  # fmt: skip
    assert entries[-1]["mean_iu"] > 0.5


def test_evaluation_by_head(rooms, tmp_path):
    run = runs.Evaluation(runs.load(rooms).config, rooms)
    scores = reports.evaluate(run, tmp_path)
    assert set(scores["heads"]) == {"semantic", "geometric"}
    # A void row of the one, two void columns of the other.
    assert scores["heads"]["semantic"]["num_pixels"] == 2 * 23 * 32
    assert scores["heads"]["geometric"]["num_pixels"] == 2 * 24 * 30
    of_heads = [scores["heads"][head]["mean_iu"] for head in scores["heads"]]
    assert scores["mean_iu"] == pytest.approx(np.mean(of_heads))
    assert sum(scores["confusion"]["geometric"][0]) == 0  # Void is no truth,
    assert scores["heads"]["geometric"]["accuracy"]["void"] is None
    table = (tmp_path / "table.txt").read_text()
    assert "semantic" in table
    assert "upright" in table
    assert json.loads((tmp_path / "metrics.json").read_text())["heads"]
    for head in ("semantic", "geometric"):
        with Image.open(tmp_path / "labels" / head / "room0.png") as labels:
            assert (labels.mode, labels.size) == ("P", (32, 24))
        with Image.open(tmp_path / "overlays" / head / "room0.png") as overlay:
            assert (overlay.mode, overlay.size) == ("RGB", (32, 24))
        assert (tmp_path / f"contact_sheet_{head}.png").exists()


@pytest.mark.long
def test_an_ensemble_by_head(rooms):
    config = runs.load(rooms).config
    both = runs.Evaluation(config, rooms, with_run=rooms)
    alone = both.score(members=both.members[:1])
    assert both.score()["confusion"] == alone["confusion"]


@pytest.mark.parametrize(
    ("changes", "what"),
    (
        ({"crf.parameters": "pydensecrf"}, "config.crf.parameters"),
        ({"inference.method": "tiles"}, "config.inference.method='tiles'"),
        ({"model.crf": "pydensecrf"}, "config.model.crf"),
    ),
)
def test_what_wants_one_head_says_so(rooms, changes, what):
    message = f"{what} is for networks with one head; this one scores geometric, sem"
    with pytest.raises(ValueError, match=message):
        runs.load(rooms, **changes).predict(made_up.Rooms("val", 2)[0]["image"])


@pytest.mark.long
def test_a_trained_net_predicts_by_head(rooms):
    net = runs.load(rooms)
    image = made_up.Rooms("val", 2)[0]["image"]
    labels, probs = net.predict(image), net.predict_probs(image)
    for head in ("semantic", "geometric"):
        assert (labels[head].shape, labels[head].dtype) == ((24, 32), np.uint8)
        np.testing.assert_array_equal(probs[head].argmax(-1), labels[head])
        np.testing.assert_allclose(probs[head].sum(-1), 1, rtol=1e-5)


@pytest.mark.long
def test_an_export_has_both_heads(rooms, tmp_path, monkeypatch):
    out = tmp_path / "net.zip"
    values = type("Values", (), {})()
    values.out, values.workdir, values.output = str(out), str(rooms), "labels"
    values.step = values.classes = values.palette = None
    values.format = values.opset = values.precision = None
    values.crf = True
    export_command.run_flags(values)
    network = fcn_jax.load_exported(out)
    assert network.channels == 4
    assert network.classes["geometric"] == ("void", "flat", "upright")
    image = made_up.Rooms("val", 2)[0]["image"]
    labels = network(image[None])
    expected = runs.load(rooms).predict(image)
    for head, found in labels.items():
        np.testing.assert_array_equal(found[0], expected[head])
    with pytest.raises(ValueError, match=r"expected \[N, H, W, 4\]"):
        network(image[None, ..., :3])


@pytest.mark.slow
def test_a_void_label_of_0_is_ignored(tmp_path):
    """Void is a label below the number of classes: not trained on, not scored."""
    config = config_of("outdoors", 20)
    config.model.num_classes = 3
    trainer.train(config, tmp_path / "run")
    run = runs.Evaluation(runs.load(tmp_path / "run").config, tmp_path / "run")
    scores = run.score()
    assert scores["num_pixels"] == 2 * 24 * 24  # Three quarters of each image.
    assert sum(scores["confusion"][0]) == 0
    assert scores["accuracy"]["void"] is None
    assert scores["iu"]["ground"] > 0.7
    # Its pixels have the colour of void, but no pixel is called so: never was a label.
    assert np.sum(scores["confusion"], axis=0)[0] == 0
    assert set(metrics.HEADLINE_METRICS) <= scores.keys()


@pytest.mark.parametrize("wrong", ({"semantic": 3}, {"semantic": 3, "other": 3}, 3))
def test_heads_that_are_not_those_of_the_data(tmp_path, wrong):
    config = config_of("rooms", 1)
    with config.ignore_type():
        config.model.num_classes = wrong
    with pytest.raises(ValueError, match=r"num_classes=.*, but rooms has {'semantic'"):
        trainer.train(config, tmp_path / "run")
