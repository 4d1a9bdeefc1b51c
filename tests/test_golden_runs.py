"""What commit 5508d41 wrote is read as it was meant: runs, an export, weights.

The files are those of tests/golden/record_runs.py; whoever has one like them must be
able to go on with it.
"""

import json
import shutil

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import runs
from fcn_jax.config import build
from fcn_jax.config import workdir as workdirs
from fcn_jax.evaluation import metrics
from fcn_jax.preprocessing import CAFFE, preprocess
from fcn_jax.storage import checkpoints, trees
from tests.support.paths import GOLDEN
from tests.support.runs import make_folder

TRAINED = GOLDEN / "trained"
RUNS = ("fcn8s", "deconvnet_stage1", "fcn8s_crf")
# Rounding differs between processors.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def expected():
    with np.load(TRAINED / "expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy, and the data set beside it that the configs name."""
    shutil.copytree(TRAINED, tmp_path / "trained")
    make_folder(tmp_path / "folder")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "trained"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name.endswith("_crf") else name
        for name in RUNS
    ],
)
def test_a_run_predicts_and_scores_as_it_did(copied, expected, name):
    config = workdirs.config_of_run(copied / name)
    run = runs.Evaluation(config, copied / name, devices=jax.devices()[:1])
    log_probs = np.stack([found for _, _, found in run.log_probs()])
    np.testing.assert_allclose(log_probs, expected[f"{name}/log_probs"], **CLOSE)
    scores = run.score()
    before = json.loads((TRAINED / "scores.json").read_text())[name]
    assert scores["confusion"] == before["confusion"]
    for metric in metrics.HEADLINE_METRICS:
        assert scores[metric] == before[metric]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_that_of_its_config_still(copied, name):
    """It would go on: neither the config nor the state is refused."""
    config = workdirs.config_of_run(copied / name)
    workdirs.check_workdir(config, copied / name)
    saved = checkpoints.CheckpointStore(copied / name / "checkpoints").newest()
    net = runs.load(copied / name)
    optimizer = build.make_optimizer(config, net.variables["params"])
    state = fcn_jax.training.create_state(net.variables, optimizer)
    state = trees.into_state(saved.arrays, state)
    result = json.loads((copied / name / "result.json").read_text())
    arrays = trees.to_arrays(state)["params"]
    assert trees.content_hash(arrays) == result["params_sha256"]


@pytest.mark.long
@pytest.mark.parametrize(
    "name", ("fcn8s.npz", "fcn8s.safetensors", "fcn8s_converted", "fcn8s")
)
def test_weights_of_every_form_load(copied, expected, name):
    model = build.make_model(workdirs.config_of_run(copied / "fcn8s"))
    variables, _ = fcn_jax.load_weights(copied / name, model)
    logits = jax.jit(model.apply)(variables, preprocess(expected["images"], CAFFE))
    log_probs = jax.nn.log_softmax(logits)
    np.testing.assert_allclose(log_probs, expected["fcn8s/log_probs"], **CLOSE)


def test_an_export_predicts_as_it_did(expected):
    network = fcn_jax.load_exported(TRAINED / "fcn8s.zip")
    assert network.classes == ("dark", "middle", "bright")
    log_probs = jax.nn.log_softmax(network(expected["images"]))
    np.testing.assert_allclose(log_probs, expected["fcn8s/log_probs"], **CLOSE)
