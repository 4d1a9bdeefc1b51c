"""Two processes with a device each train as one process with two, and as with one."""

import json
import shutil

import jax
import numpy as np
import pytest

from fcn_jax.runs import trainer
from fcn_jax.storage import checkpoints, trees
from tests.support import processes
from tests.support.runs import deconvnet_config, make_folder, tiny_config

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quick_runs_only")]

STEPS, STOPPED = 20, 7
RATE = "optim.learning_rate"
# Sums of two devices differ from those of one in their last bits, and BatchNorm over
# few values makes much of that: hence as many as are quick, and small steps.
CHANGES = {
    "num_steps": STEPS,
    "batch_size": 8,
    "accumulate": 2,
    "eval_every": STEPS,
    "checkpoint_every": STEPS,
    "log_every": 1,
    "data.flip": True,
    "data.crop": (24, 32),
    "model.dropout_rate": 0.2,
    "preprocessing": "imagenet",
    RATE: 1e-4,
}
NETS = ("fcn8s", "deconvnet")


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    folder = make_folder(tmp_path_factory.mktemp("data"), images=9)
    return {
        "fcn8s": tiny_config(folder, **CHANGES),
        "deconvnet": deconvnet_config(folder, **CHANGES | {RATE: 1e-5}),
    }


@pytest.fixture(scope="module")
def two(configs, tmp_path_factory):
    """Workdirs by net, of two processes; what they say of the FCN, which was stopped.

    The second got SIGTERM; both were started again.
    """
    root = tmp_path_factory.mktemp("two")
    found = {name: root / name for name in reversed(configs)}
    runs = [(configs[name], workdir) for name, workdir in found.items()]
    codes, said = processes.train_all(2, runs, root, stop_at=STOPPED)
    assert codes == [143, 143], "\n".join(said)
    shutil.copytree(found["fcn8s"], root / "stopped")
    codes, again = processes.train_all(2, runs[1:], root)
    assert codes == [0, 0], "\n".join(again)
    return found | {"stopped": root / "stopped", "said": said[0] + again[0]}


def train_here(config, workdir, devices):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:devices])
        trainer.train(config, workdir)
    return arrays(workdir)


def arrays(workdir):
    store = checkpoints.CheckpointReader(workdir / "checkpoints")
    return trees.flatten(store.read(STEPS).arrays)


def log(workdir):
    lines = (workdir / "log.jsonl").read_text().splitlines()
    unlike = ("seconds", "images_per_second", "waiting", "eta")
    every = [json.loads(line) for line in lines]
    return [
        {k: v for k, v in line.items() if k not in unlike}
        for line in every
        if line["kind"] != "saved"
    ]


@pytest.mark.parametrize("net", NETS)
def test_two_processes_are_two_devices(configs, two, tmp_path, net):
    theirs, ours = train_here(configs[net], tmp_path / "run", 2), arrays(two[net])
    assert ours.keys() == theirs.keys()
    assert any("batch_stats" in name for name in ours)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, name)
    assert log(two[net]) == log(tmp_path / "run")  # Losses and scores, each once.


@pytest.mark.parametrize(
    "net", ("fcn8s", pytest.param("deconvnet", marks=pytest.mark.slow))
)
def test_two_processes_are_nearly_one(configs, two, tmp_path, net):
    theirs, ours = train_here(configs[net], tmp_path / "run", 1), arrays(two[net])
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, 1e-5, 1e-5, err_msg=name)


def test_a_signal_to_the_second_stops_both_at_a_saved_step(two):
    store = checkpoints.CheckpointReader(two["stopped"] / "checkpoints")
    (step,) = store.steps()
    assert STOPPED - 1 <= step < STEPS
    assert f"terminated: step {step} is saved; run again to go on" in two["said"]
    assert f"going on from step {step} in" in two["said"]


def test_one_process_goes_on_where_two_were_stopped(configs, two):
    theirs = arrays(two["fcn8s"])
    for name, value in train_here(configs["fcn8s"], two["stopped"], 1).items():
        np.testing.assert_allclose(value, theirs[name], 1e-5, 1e-5, err_msg=name)
