"""Runs with weak labels: they learn, go on bit for bit, and hold what was asked for."""

import json
import shutil

import chex
import jax
import numpy as np
import pytest

from fcn_jax.config import parts
from fcn_jax.data.weak import planes
from fcn_jax.runs import trainer, watching
from fcn_jax.storage import checkpoints
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")
NAMES = ("background", "middle", "bright")
KEYS = {
    "data.supervision": "crop_labels",
    "data.scale": (0.8, 1.2),
    "data.crop": (24, 24),
    "loss.estimation": "em_adapt",
    "loss.label_shrink": 4,
    "data.strong_images": 2,
    "data.strong_share": 0.5,
    "eval_every": 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("folder"), names=NAMES)


@pytest.mark.long
def test_em_adapt_goes_on_bit_for_bit_on_two_devices(
    folder, tmp_path, monkeypatch, capsys
):
    """The order of its classes is drawn anew in each step, and is that of the step."""

    def score(evaluator, variables, log, step, *_):
        log.write("eval", step, {"mean_iu": 0.5, "loss": 1.0})
        return {"mean_iu": 0.5}, f"step {step}"

    monkeypatch.setattr(watching, "score", score)  # Scoring is tested elsewhere.
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:2])

    def train(name, steps):
        config = tiny_config(folder, **KEYS, num_steps=steps)
        trainer.train(config, tmp_path / name)
        store = checkpoints.CheckpointStore(tmp_path / name / "checkpoints")
        result = json.loads((tmp_path / name / "result.json").read_text())
        return store.newest(), result["final_loss"]

    whole, loss = train("whole", 4)
    # As if it had been killed after step 2 was saved.
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    shutil.rmtree(tmp_path / "parts" / "checkpoints" / "4")
    (tmp_path / "parts" / "result.json").unlink()
    capsys.readouterr()
    resumed, its_loss = train("parts", 4)
    said = capsys.readouterr().out
    assert "step 2/4" not in said
    assert "step 3/4" in said
    assert whole.step == resumed.step == 4
    chex.assert_trees_all_equal(whole.arrays, resumed.arrays)
    assert 0 < loss == its_loss < np.inf


def test_a_batch_is_mixed_as_the_config_says(folder):
    config = tiny_config(folder, **KEYS)
    config.data.supervision, config.loss.estimation = "boxes", "em_boxes"
    of_run = parts.build_parts(config, jax.devices()[:1])
    batches = of_run.train_batches(0)
    batch = next(batches)
    batches.close()
    _, asked = planes.unpack(batch[planes.PLANES], 3)
    assert sorted(asked.any(axis=(1, 2)).tolist()) == [False, True]
