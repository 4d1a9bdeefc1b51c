"""DeepLab from training to scores: its loss, branches from a finished net, a CRF."""

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import crf, runs
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.base import base_config
from fcn_jax.runs import logs, trainer
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.slow

HALF = {**crf.PARAMETERS["deeplab_4x4"], "iterations": 2}


def config_of(folder, name, **changes):
    config, small = base_config("deeplab"), tiny_config(folder)
    for part in ("data", "optim"):
        config[part] = small[part]
    for key in ("batch_size", "eval_batch_size", "log_every"):
        config[key] = small[key]
    config.data.crop = (17, 25)
    config.model.name, config.model.num_classes = name, 3
    config.model.width, config.model.fc_features = 1 / 32, 128
    config.loss.label_shrink = 8
    config.num_pictures = 0
    config.num_steps = config.eval_every = config.checkpoint_every = 1
    config.update_from_flattened_dict(changes)
    return config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of LargeFOV, and one of its branches that starts from it."""
    folder = make_folder(tmp_path_factory.mktemp("data"))
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        trainer.train(config_of(folder, "deeplab_largefov"), root / "plain")
        msc = {
            "init_from": str(root / "plain"),
            "optim.frozen": ("conv*", "fc6", "fc7", "fc8_score"),
        }
        trainer.train(config_of(folder, "deeplab_msc_largefov", **msc), root / "msc")
    return root


def test_only_the_branches_have_learned(trained):
    before, after = (
        fcn_jax.load(trained / name).variables["params"] for name in ("plain", "msc")
    )
    for layer, parts in before.items():
        for part, x in parts.items():
            np.testing.assert_array_equal(after[layer][part], x, err_msg=layer)
    assert {name.split("_")[1] for name in after.keys() - before.keys()} == {
        "conv", "fc", "ms"
    }  # fmt: skip
    assert np.any(after["pool3_ms"]["kernel"])  # It started at zero.
    for name in ("plain", "msc"):
        (entry,) = (
            x for x in logs.read(trained / name / "log.jsonl") if x["kind"] == "train"
        )
        assert 0 < entry["loss"] < 3


def test_predictions_have_the_size_of_the_photograph(trained):
    net = fcn_jax.load(trained / "msc")
    image = np.random.default_rng(0).integers(0, 256, (21, 30, 3), np.uint8)
    labels = net.predict(image)
    assert (labels.shape, labels.max() < 3) == ((21, 30), True)


def test_a_crf_behind_it_scores_every_pixel(trained, monkeypatch):
    monkeypatch.setitem(crf.PARAMETERS, "deeplab_4x4", HALF)
    config = workdirs.config_of_run(trained / "plain")
    config.crf.parameters = "deeplab_4x4"
    run = runs.Evaluation(config, trained / "plain", devices=jax.devices()[:1])
    assert run.score()["num_pixels"] == 2 * (24 - 1) * 32  # A void row each.


def test_the_config_of_a_run_is_of_its_family(trained):
    config = workdirs.config_of_run(trained / "msc")
    assert "padding" not in config.model
    assert config.loss.label_shrink == 8
