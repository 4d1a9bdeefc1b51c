"""Runs on as little as there may be: one image, smaller than the network's steps."""

import json

import jax
import numpy as np
import pytest

from fcn_jax.evaluation import metrics
from fcn_jax.runs import logs, results, trainer
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.mark.long
@pytest.mark.parametrize("batch_size", (1, pytest.param(3, marks=pytest.mark.slow)))
def test_one_image_smaller_than_32_pixels(tmp_path, batch_size, capsys, monkeypatch):
    """Its first half is void in one of the steps; a class has no weight."""
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    monkeypatch.setattr(metrics, "never_predicted", lambda scores: "\nnever: x")
    folder = make_folder(tmp_path / "data", images=3, size=(11, 20))
    config = tiny_config(
        folder, num_steps=2, num_pictures=0, batch_size=batch_size, eval_batch_size=1
    )
    config.loss.class_weights = (1.0, 1.0, 0.0)
    trainer.train(config, tmp_path / "run")
    entries = logs.read(tmp_path / "run/log.jsonl")
    losses = [e["loss"] for e in entries if e["kind"] == "train"]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert min(losses) > 0
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["lowest_loss"]["loss"] == min(losses)
    assert "never: x" in capsys.readouterr().out


def test_the_lowest_loss_is_not_that_of_void(tmp_path, monkeypatch):
    log = [{"kind": "train", "step": n, "loss": x} for n, x in ((1, 0.0), (2, 3.0))]
    log.append({"kind": "eval", "step": 2})
    monkeypatch.setattr(logs, "read", lambda path: log)
    monkeypatch.setattr(results.plots, "plot_curves", lambda *_: None)
    monkeypatch.setattr(results.trees, "content_hash", lambda arrays: "")
    newest = trainer.checkpoints.Checkpoint(2, {"params": {}}, {})

    class Store:
        @staticmethod
        def newest():
            return newest

    results.write(tmp_path, 2, "", None, Store())
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["lowest_loss"] == {"loss": 3.0, "step": 2}
