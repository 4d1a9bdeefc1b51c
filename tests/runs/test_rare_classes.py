"""A run with a loss of several terms, computed weights and every augmentation."""

import chex
import jax
import numpy as np
import pytest
from PIL import Image

from fcn_jax.config import datasets
from fcn_jax.config import workdir as workdirs
from fcn_jax.data import frequencies
from fcn_jax.runs import recorded, trainer
from fcn_jax.storage import checkpoints
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")

KEYS = {
    "loss.name": "cross_entropy+0.5*dice+0.1*lovasz",
    "loss.balance": "median_frequency",
    "data.scale": (0.8, 1.2),
    "data.crop": (24, 32),
    "data.jitter": 2,
    "data.brightness": 0.2,
    "data.contrast": 0.2,
    "data.saturation": 0.3,
    "data.hue": 20.0,
    "data.blur": 1.0,
    "data.rotation": 10.0,
    "data.cutout": (6, 8),
    "data.class_mix": 0.5,
    "eval_every": 4,
}


@pytest.mark.slow
def test_it_goes_on_bit_for_bit_on_two_devices(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:2])
    folder = make_folder(tmp_path / "data")
    labels = np.zeros((24, 32), np.uint8)
    labels[:6] = 1
    Image.fromarray(labels).save(folder / "SegmentationClass/im2.png")

    def train(name, steps):
        config = tiny_config(folder, **KEYS, num_steps=steps)
        trainer.train(config, tmp_path / name)
        store = checkpoints.CheckpointStore(tmp_path / name / "checkpoints")
        return store.newest(), config

    whole, config = train("whole", 4)
    train("parts", 2)
    parts, _ = train("parts", 4)
    assert whole.step == parts.step == 4
    chex.assert_trees_all_equal(whole.arrays, parts.arrays)
    assert whole.metadata["losses"] == parts.metadata["losses"]
    assert np.isfinite(whole.metadata["losses"]).all()
    source = datasets.open_source(config, "train")
    weights = frequencies.median_frequency_weights(
        frequencies.class_frequencies(source)
    )
    assert whole.metadata["class_weights"] == list(weights)
    assert len({*weights}) > 1
    assert "the class weights were" not in capsys.readouterr().out
    assert workdirs.config_of_run(tmp_path / "whole").loss.name == KEYS["loss.name"]


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        ((1.0, 2.5), [1.0, 2.0], "the class weights were 1, 2, and are 1, 2.5 from"),
        ((1.0, 2.5), [1.0, 2.5], ""),
        ((1.0, 2.5), None, ""),
        ((), [1.0, 2.5], ""),
    ],
)
def test_weights_that_have_changed_are_told(now, then, expected):
    found = recorded.note_of_weights(now, {"class_weights": then})
    assert found.startswith(expected)
    assert bool(found) == bool(expected)
