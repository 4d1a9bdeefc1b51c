"""CFM from its config to scores of pasted segments."""

import importlib
import types

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax.commands import regions as command
from fcn_jax.config import datasets, examples
from fcn_jax.data import segment_examples
from fcn_jax.data.segments import Sampling
from fcn_jax.data.sources import shapes
from fcn_jax.proposals import cache
from fcn_jax.runs import logs, trained, trainer
from fcn_jax.runs.evaluation import Evaluation


@pytest.fixture(autouse=True)
def _promotion_as_in_optax():
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Two steps on four images."""
    monkeypatch.setattr(shapes, "SIZES", {"train": 4, "val": 2})
    found = importlib.import_module("configs.shapes_cfm").get_config("smoke")
    found.data.data_dir = str(tmp_path / "data")
    found.data.objects.cache_dir = str(tmp_path / "segments")
    found.num_pictures = 1
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("shallow_nets")
def test_a_run_is_trained_scored_and_asked(config, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
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
    precision, threshold, _ = command.score(run, 2)
    assert set(precision["mean_ap_r"]) == {"0.5", "0.7"}
    assert 0 < threshold < 1


def test_settings_reach_the_examples(config, monkeypatch):
    given = {}

    def record(source, candidates_of, cells, sampling, **options):
        given.update(options, cells=cells, sampling=sampling)
        return source

    monkeypatch.setattr(segment_examples, "SegmentExamples", record)
    config.data.objects.stuff = ("disc",)
    config.data.objects.negative_iou = (0.2, 0.4)
    datasets.open_source(config, "train")
    classes = datasets.open_split(config, "train").classes
    disc = classes.index("disc")
    assert given["sampling"] == Sampling(4, 4, (0.5, 1.0), (0.2, 0.4), (disc,))
    assert given["cells"].first == 7.5
    assert given["min_area"] == 100


def test_segments_are_made_ahead_and_taken(config, tmp_path, monkeypatch):
    """What `fcn_jax proposals` leaves is what training takes."""
    source = datasets.open_split(config, "train")
    made = examples.make_segment_cache(config, tmp_path / "segments")
    assert sum(cache.precompute(source, made, 1)) == sum(
        len(made.of_item(source[i])) for i in range(4)
    )
    monkeypatch.setattr("fcn_jax.proposals.segments.propose", None)
    example = datasets.open_source(config, "train")[0]
    assert (example["segments"].labels > 0).any()
    assert (example["segments"].labels == 0).any()


def test_photographs_leave_nothing_on_the_disk(config, monkeypatch):
    """Segments of a data set are kept in a directory, not those that `serve` sees."""

    def make(config, *rest):
        return config.data.objects.cache_dir, *rest

    monkeypatch.setattr(trained.predictors, "make_predictor", make)
    net = types.SimpleNamespace(
        config=config, model="net", preprocessing="given", scales=None, flip=False
    )
    found = trained._of_photographs(net)
    assert found == ("", "net", "given", (config.eval_scale,), False)
    assert config.data.objects.cache_dir.endswith("segments")
