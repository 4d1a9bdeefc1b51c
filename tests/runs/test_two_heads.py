"""One net, two heads, the sum of their losses: the built-in landscapes from end to end.

And one head of them alone: predicted, and on the page of a report.
"""

import json
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from absl import app
from PIL import Image

from fcn_jax import __main__, crf, runs
from fcn_jax.commands import command
from fcn_jax.config import build, losses, named
from fcn_jax.config.base import base_config
from fcn_jax.data.photos import Photo
from fcn_jax.data.sources import landscapes
from fcn_jax.evaluation import metrics
from fcn_jax.runs import (
    examination,
    logs,
    looking,
    prediction,
    reports,
    trained,
    trainer,
)
from fcn_jax.runs.evaluation import look_at
from fcn_jax.runs.looking import Options
from tests.support.runs import saved_run, tiny_config

pytestmark = pytest.mark.long

STEPS = 50


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """The directory of a run, and what it printed."""
    config = base_config()
    config.data.name, config.data.eval_split = "landscapes", "test"
    with config.ignore_type():
        config.model.num_classes = {"sem": 7, "geo": 3}
    config.model.padding, config.model.batch_norm = "same", True
    config.model.width, config.model.fc_features = 1 / 16, 64
    config.optim.learning_rate = 0.05
    config.batch_size, config.eval_batch_size = 4, 8
    config.num_steps = config.log_every = STEPS
    config.model.dropout_rate = 0.0
    config.eval_every = config.checkpoint_every = STEPS
    config.num_pictures = 0
    workdir = tmp_path_factory.mktemp("scenes") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landscapes, "SIZES", {"train": 64, "test": 16})
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        trainer.train(config, workdir)
        yield workdir


@pytest.mark.slow
def test_both_heads_learn(scenes):
    last = logs.read(scenes / "log.jsonl")[-1]
    by_head = last["heads"]
    assert set(by_head) == {"sem", "geo"}
    assert by_head["geo"]["pixel_accuracy"] > 0.75
    assert by_head["sem"]["mean_iu"] > 0.3
    for name in metrics.HEADLINE_METRICS:  # The headline is the mean of both.
        of_both = [by_head[head][name] for head in by_head]
        assert last[name] == pytest.approx(np.mean(of_both))


def test_a_class_that_is_absent_from_test_is_told(scenes, tmp_path, capsys):
    run = runs.Evaluation(runs.load(scenes).config, scenes)
    found = reports.evaluate(run, tmp_path, labels=False, overlays=False)
    semantic = found["heads"]["sem"]
    assert semantic["left_out"] == ["moon"]
    assert semantic["iu"]["moon"] is None
    others = [v for name, v in semantic["iu"].items() if name != "moon"]
    assert len(others) == 6
    assert semantic["mean_iu"] == pytest.approx(np.mean(others))
    said = "left out of the means, as no pixel is theirs: moon"
    assert said in capsys.readouterr().out
    assert said in (tmp_path / "table.txt").read_text()
    assert found["loss"] == pytest.approx(
        found["heads"]["sem"]["loss"] + found["heads"]["geo"]["loss"]
    )


def test_one_head_is_predicted(scenes, tmp_path):
    net = runs.load(scenes)
    one = trained.with_head(net, "geo")
    assert [head.name for head in one.heads] == [""]
    image = landscapes.Landscapes("test")[0]["image"]
    both = net.predict(image)
    np.testing.assert_array_equal(one.predict(image), both["geo"])
    np.testing.assert_allclose(
        one.predict_probs(image), net.predict_probs(image)["geo"], atol=1e-6
    )
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    photo = Photo("a", path)
    # What is refused of several heads: probabilities, tiles.
    options = Options(probs="npz", tile=32)
    with pytest.raises(
        ValueError, match="one head; this one has .*sem.*: choose one with --h"
    ):
        looking.looked_at(net, image, options, lambda _: None)
    tally = prediction.predict(one, [photo], tmp_path / "out", options, False, None)
    assert (tally.done, tally.failed) == (1, [])
    with Image.open(tmp_path / "out/labels/a.png") as labels:
        assert labels.size == image.shape[1::-1]
    line = json.loads((tmp_path / "out/predictions.jsonl").read_text())
    assert set(line["classes"]) == set(landscapes.GEOMETRIC)
    with pytest.raises(
        ValueError, match="--head 'gee' is not known; .* There are: geo"
    ):
        trained.with_head(net, "gee")


@pytest.fixture
def untrained(tmp_path, shallow_nets):
    """The directory of a run that has learned nothing."""
    config = tiny_config("", **{"data.name": "landscapes", "data.eval_split": "test"})
    with config.ignore_type():
        config.model.num_classes = {"sem": 7, "geo": 3}
    saved_run(tmp_path / "run", config)
    return tmp_path / "run"


def test_the_crf_of_one_head(untrained, monkeypatch):
    """It sees the probabilities of that head, and is refused where none is chosen."""
    given = []

    def mean_field(unary, image, **options):
        given.append((unary.shape[-1], options["logits"]))
        return -unary[..., ::-1]

    monkeypatch.setattr(crf, "mean_field", mean_field)
    image = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    without = trained.load(untrained)
    with_it = trained.load(untrained, **{"crf.parameters": "pydensecrf"})
    refused = "one head; this one scores geo, sem: .* choose one with --head"
    with pytest.raises(ValueError, match=refused):
        with_it.predict(image)
    expected = without.predict_probs(image)["geo"][..., ::-1]
    one = trained.with_head(with_it, "geo")
    other = trained.with_crf(trained.with_head(without, "geo"), "deeplab")
    for net in (one, other):
        np.testing.assert_allclose(net.predict_probs(image), expected, atol=1e-6)
    assert given == [(3, True)] * 2
    # It is refused before anything is scored.
    run = SimpleNamespace(config=with_it.config, head="")
    with pytest.raises(ValueError, match=refused):
        reports.evaluate(run, untrained)


@pytest.mark.slow
def test_a_page_of_one_head(scenes, tmp_path):
    out = tmp_path / "page.html"
    examination.report([scenes], out, examination.Options(images=1, head="sem"))
    text = out.read_text()
    assert '"building"' in text
    assert '"vertical"' not in text
    run = runs.Evaluation(runs.load(scenes).config, scenes)
    options = examination.Options(images=1, head="geo")
    assert '"vertical"' in examination.report_of(run, out, options).read_text()


def test_one_head_is_compared(scenes, tmp_path, capsys):
    run = runs.Evaluation(runs.load(scenes).config, scenes)
    alone = run.score()["heads"]["geo"]
    look_at(run, "geo")
    found = reports.compare(run, tmp_path)["fcn8s"]
    assert set(found["iu"]) == set(landscapes.GEOMETRIC)
    assert found["mean_iu"] == pytest.approx(alone["mean_iu"])
    assert set(found["by_object_size"]) == {"small", "medium", "large"}
    assert "mean IU by object size" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    (
        (
            ("--compare",),
            r"several heads \(.*\), and --compare is of one: choose",
        ),
        (("--report",), r"several heads \(.*\), and --report is of one: choose"),
        (("--head=geo",), "--head=geo chooses a head for --report or --compare, and"),
        (("--compare", "--head=gee"), "--head 'gee' is not known; did you mean 'geo'"),
    ),
)
# ml_collections loads the file of a config in a way that is deprecated.
@pytest.mark.filterwarnings("ignore:.*load_module:DeprecationWarning")
def test_heads_on_the_command_line(scenes, tmp_path, monkeypatch, flags, message):
    """All before anything is scored."""
    monkeypatch.setattr(command.runtime, "prepare", lambda: None)
    monkeypatch.setattr(
        app, "run", lambda main, argv, flags_parser: main(flags_parser(argv))
    )
    argv = ["fcn_jax", "eval", f"--workdir={scenes}", f"--out={tmp_path / 'out'}"]
    monkeypatch.setattr(sys, "argv", [*argv, *flags])
    with pytest.raises(SystemExit, match=message):
        __main__.main([*argv, *flags])
    assert not (tmp_path / "out").exists()


def test_the_published_recipe():
    for name, rate in (
        ("siftflow_fcn32s", 1e-10),
        ("siftflow_fcn16s", 1e-12),
        ("siftflow_fcn8s", 1e-12),
    ):
        config = named.load(name).get_config()
        assert (config.optim.learning_rate, config.optim.momentum) == (rate, 0.99)
        assert (config.batch_size, config.num_steps) == (1, 100_000)
        assert config.loss.reduction == "sum"


def test_the_layers_are_those_of_the_release():
    """siftflow-fcn8s/trainval.prototxt: each head has its own score layers."""
    config = named.load("siftflow_fcn8s").get_config("smoke")
    image = np.zeros((1, 64, 64, 3), np.float32)
    params = jax.eval_shape(build.make_model(config).init, jax.random.key(0), image)[
        "params"
    ]
    scores = {name for name in params if name.startswith("score")}
    assert scores == {
        f"score_{layer}_{head}"
        for layer in ("fr", "pool4", "pool3")
        for head in ("sem", "geo")
    }


def test_the_loss_at_a_fresh_start():
    """Scores of zero: 65,536 pixels of SIFT Flow cost ln 33 + ln 3 each, 301,146."""
    config = named.load("siftflow_fcn32s").get_config()
    loss = losses.make_loss(config)
    logits = {"sem": np.zeros((1, 256, 256, 33)), "geo": np.zeros((1, 256, 256, 3))}
    outputs = {head: jax.numpy.asarray(x, "float32") for head, x in logits.items()}
    labels = {h: jax.numpy.zeros((1, 256, 256), "uint8") for h in outputs}
    parts = loss(outputs, {"labels": labels}, jax.random.split(jax.random.key(0), 1))
    assert len(parts) == 2
    total = float(sum(part.total for part in parts))
    assert total == pytest.approx(65536 * (np.log(33) + np.log(3)), rel=1e-5)
    assert total == pytest.approx(301_146, rel=1e-5)
