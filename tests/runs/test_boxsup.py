"""Runs from boxes: masks are estimated before each epoch, and outlive any end."""

import json

import jax
import pytest

from fcn_jax.data.weak import boxsup as weak
from fcn_jax.runs import boxsup, trainer
from fcn_jax.storage import checkpoints
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only", "one_device")
NAMES = ("background", "a", "b")
OPTIONS = {"min_side": 4, "scales": (20, 60), "spaces": ("rgb",)}


@pytest.fixture(scope="module")
def one_device():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("folder"), names=NAMES)


def config_of(folder, **changes):
    """Epochs of two updates; the net has a say in the second and the third."""
    config = tiny_config(folder, **{"data.supervision": "boxsup", "eval_every": 6})
    config.checkpoint_every = 1
    config.data.flip = False
    with config.unlocked():
        config.data.boxsup.options.update(OPTIONS)
    config.update_from_flattened_dict(changes)
    return config


def masks_of(workdir, step):
    """What a checkpoint says of the masks."""
    store = checkpoints.CheckpointReader(workdir / "checkpoints")
    return store.read(step).metadata[boxsup.KEY]


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory, one_device):
    """A run that nobody interrupted, and the masks of its epochs."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    trainer.train(config_of(folder, keep_checkpoints=6), workdir)
    return workdir


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


def test_masks_change_with_the_epochs_and_stand_in_checkpoints(finished):
    masks = [masks_of(finished, step) for step in range(1, 7)]
    assert [each["epoch"] for each in masks] == [0, 0, 1, 1, 2, 2]
    assert masks[0] == masks[1]
    assert masks[1]["picks"] != masks[2]["picks"] != masks[4]["picks"]
    for each in masks:
        picks = weak.unpacked(each["picks"])
        assert {place: len(found) for place, found in picks.items()} == dict.fromkeys(
            range(4), 1
        )


def test_an_interrupted_run_ends_bit_identical(folder, finished, tmp_path, monkeypatch):
    """Ended within an epoch, and then while masks were estimated."""
    workdir = tmp_path / "run"
    trainer.train(config_of(folder, num_steps=3, eval_every=3), workdir)
    choose = weak.choose

    def killed(source, place, log_probs, epoch):
        if place == 2:
            raise ConnectionAbortedError("killed")
        return choose(source, place, log_probs, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(weak, "choose", killed)
        with pytest.raises(ConnectionAbortedError):
            trainer.train(config_of(folder), workdir)
    assert masks_of(workdir, 4) == masks_of(finished, 3)  # Those of before.
    trainer.train(config_of(folder), workdir)
    assert result_of(workdir)["params_sha256"] == result_of(finished)["params_sha256"]
    assert masks_of(workdir, 6) == masks_of(finished, 6)
