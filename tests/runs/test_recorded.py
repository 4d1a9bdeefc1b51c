"""What a run records of its training: classes, options, and what is refused by them."""

import signal
import threading
import types

import jax
import numpy as np
import pytest

from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.runs import recorded, trainer
from fcn_jax.storage import checkpoints
from tests.support.runs import make_folder, tiny_config


def heads(*names):
    return (Head("", names, VOC.palette),)


def test_classes_that_are_those_of_training():
    metadata = {"classes": {"": ["road", "car"]}}
    recorded.check_classes(heads("road", "car"), metadata, "W")
    recorded.check_classes(heads("car", "road"), {}, "W")  # Of an older run.
    with pytest.raises(ValueError, match="W: class 0 is 'road' in training and 'car' "):
        recorded.check_classes(heads("car", "road"), metadata, "W")


@pytest.fixture(scope="module", autouse=True)
def one_device():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = make_folder(tmp_path_factory.mktemp("data"))
    workdir = tmp_path_factory.mktemp("run") / "run"
    config = tiny_config(folder, num_steps=1, num_pictures=0)
    # In a thread, as services do; only the main thread may have handlers of signals.
    thread = threading.Thread(target=trainer.train, args=(config, workdir))
    before = signal.getsignal(signal.SIGTERM)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
    return folder, workdir


def test_a_checkpoint_records_its_classes(run):
    store = checkpoints.CheckpointStore(run[1] / "checkpoints")
    metadata = store.newest().metadata
    assert metadata["classes"] == {"": ["dark", "middle", "bright"]}


def test_a_run_does_not_go_on_with_other_classes(run):
    folder, workdir = run
    config = tiny_config(folder, num_steps=2, num_pictures=0)
    (folder / "classes.txt").write_text("dark\nbright\nmiddle\n")
    try:
        with pytest.raises(ValueError, match="class 1 is 'middle' in training and 'br"):
            trainer.train(config, workdir)
    finally:
        (folder / "classes.txt").write_text("dark\nmiddle\nbright\n")


def test_a_start_from_a_run_of_other_classes_is_told(run, tmp_path):
    source = types.SimpleNamespace(heads=heads("dark", "bright", "middle"))
    note = recorded.note_of_init(str(run[1]), source)
    assert "class 1 is 'middle' in training" in note
    assert note.endswith("Its scores start from those of other classes.")
    same = types.SimpleNamespace(heads=heads("dark", "middle", "bright"))
    assert recorded.note_of_init(str(run[1]), same) == ""
    assert recorded.note_of_init(str(tmp_path / "net.pth"), source) == ""


def test_frozen_batch_norm_keeps_its_averages(run, tmp_path):
    folder, workdir = run
    config = tiny_config(folder, num_steps=2, num_pictures=0, init_from=str(workdir))
    config.optim.frozen = ("conv1_*", "bn1_*")
    trainer.train(config, tmp_path / "frozen")
    before, after = (
        checkpoints.CheckpointStore(w / "checkpoints").newest().arrays["batch_stats"]
        for w in (workdir, tmp_path / "frozen")
    )
    for name, layer in before.items():
        same = np.array_equal(layer["mean"], after[name]["mean"])
        assert same == name.startswith("bn1_"), name
