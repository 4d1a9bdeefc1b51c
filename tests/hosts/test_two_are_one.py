"""Two processes with a device each train as one process with two, and as with one."""

import json

import jax
import numpy as np
import pytest

from fcn_jax.runs import trainer
from fcn_jax.storage import checkpoints, trees
from tests.support import processes
from tests.support.runs import deconvnet_config, make_folder, tiny_config

CHANGES = {
    "num_steps": 20,
    "batch_size": 4,
    "accumulate": 2,
    "eval_every": 10,
    "checkpoint_every": 10,
    "log_every": 1,
    "data.flip": True,
    "data.crop": (16, 16),
    "model.dropout_rate": 0.2,
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Workdirs by net and by who trained it."""
    root = tmp_path_factory.mktemp("runs")
    folder = make_folder(tmp_path_factory.mktemp("data"), images=9)
    configs = {
        "fcn8s": tiny_config(folder, **CHANGES),
        "deconvnet": deconvnet_config(folder, **CHANGES),
    }
    processes.train_all(
        2, [(config, root / f"{name}_two") for name, config in configs.items()], root
    )
    with pytest.MonkeyPatch.context() as patch:
        for count, who in ((2, "devices"), (1, "one")):
            patch.setattr(jax, "local_devices", lambda n=count: jax.devices()[:n])
            for name, config in configs.items():
                trainer.train(config, root / f"{name}_{who}")
    return root


def arrays(workdir, step=20):
    store = checkpoints.CheckpointReader(workdir / "checkpoints")
    return trees.flatten(store.read(step).arrays)


def log(workdir):
    lines = (workdir / "log.jsonl").read_text().splitlines()
    unlike = ("seconds", "images_per_second", "waiting", "eta")
    return [
        {k: v for k, v in json.loads(line).items() if k not in unlike} for line in lines
    ]


@pytest.mark.parametrize("net", ("fcn8s", "deconvnet"))
def test_two_processes_are_two_devices(runs, net):
    ours, theirs = arrays(runs / f"{net}_two"), arrays(runs / f"{net}_devices")
    assert ours.keys() == theirs.keys()
    assert any("batch_stats" in name for name in ours)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, name)
    assert log(runs / f"{net}_two") == log(runs / f"{net}_devices")


@pytest.mark.parametrize("net", ("fcn8s", "deconvnet"))
def test_two_processes_are_nearly_one(runs, net):
    ours, theirs = arrays(runs / f"{net}_two"), arrays(runs / f"{net}_one")
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-5, err_msg=name)
