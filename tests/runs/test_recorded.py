"""What a run records of its training: classes, options, and what is refused by them."""

import json
import os
import re
import shutil
import signal
import threading
import types

import jax
import numpy as np
import pytest
from PIL import Image

from fcn_jax.commands import status as command
from fcn_jax.config import workdir as workdirs
from fcn_jax.data.contracts import Head
from fcn_jax.data.label_sets import VOC
from fcn_jax.runs import lock, logs, recorded, results, status, trainer
from fcn_jax.storage import checkpoints
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


def heads(*names):
    return (Head("", names, VOC.palette),)


def test_classes_that_are_those_of_training():
    metadata = {"classes": {"": ["road", "car"]}}
    recorded.check_classes(heads("road", "car"), metadata, "W")
    recorded.check_classes(heads("car", "road"), {}, "W")  # Of an older run.
    recorded.check_classes(heads("road"), metadata, "W")  # A part of them.
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
    written = (workdir / "config.json").read_bytes()
    try:
        with pytest.raises(ValueError, match="class 1 is 'middle' in training and 'br"):
            trainer.train(config, workdir)
        assert (workdir / "config.json").read_bytes() == written
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


@pytest.mark.long
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


@pytest.mark.parametrize(
    ("write", "message"),
    [
        ("damaged", "its checkpoints were damaged, and lie in .*checkpoints_damaged"),
        ("saved", "its log says that step 2 was saved, and no .*; .* pass --restart"),
        ("log", "its log ends at step 4, and its checkpoints are gone; .* --restart"),
        ("result", "its log ends at step 0, and its checkpoints are gone"),
        ("scores", "step 3 was saved and scored, and no checkpoint is there"),
    ],
)
def test_a_run_does_not_begin_again_by_itself(tmp_path, write, message):
    config = tiny_config("F")  # A save every 2 steps, an evaluation every 3.
    store = checkpoints.CheckpointStore(tmp_path / "checkpoints")

    def lost():
        return recorded.lost_run(tmp_path, store, config)

    assert lost() == ""
    (tmp_path / "log.jsonl").write_text('{"kind": "train", "step": 3, "loss": 1}\n')
    assert lost() == ""  # Its first save was not awaited.
    config.checkpoint_every, config.eval_every = 3, 8  # Saves at 3 and 6.
    for step in (3, 6):  # Killed in its first save, or while the second waits for it.
        line = {"kind": "train", "step": step, "loss": 1}
        (tmp_path / "log.jsonl").write_text(json.dumps(line) + "\n")
        assert lost() == ""
    config = tiny_config("F")
    (tmp_path / "log.jsonl").unlink()
    if write == "damaged":
        (tmp_path / "checkpoints_damaged").mkdir()
    elif write == "saved":
        (tmp_path / "log.jsonl").write_text('{"kind": "saved", "step": 2}\n')
    elif write == "scores":
        store.scores.record(3, 0.5)
        assert lost() == ""  # Killed while it was being saved.
        store.scores.record(6, None)
    elif write == "log":
        (tmp_path / "log.jsonl").write_text('{"kind": "train", "step": 4, "loss": 1}\n')
    else:
        (tmp_path / "result.json").write_text("{}")
    recorded.check_restart("", tmp_path)
    with pytest.raises(ValueError, match=message):
        recorded.check_restart(lost(), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("steps", (1, 3))
def test_an_emptied_directory_of_checkpoints_is_no_fresh_run(run, tmp_path, steps):
    """However few steps were done: what was saved is missing."""
    workdir = tmp_path / "run"
    options = {"num_pictures": 0, "checkpoint_every": 2, "eval_every": 3}
    trainer.train(tiny_config(run[0], num_steps=steps, **options), workdir)
    for name in ("result.json", "curves.png", "checkpoints_scores.json"):
        (workdir / name).unlink()
    shutil.rmtree(workdir / "checkpoints")
    log = (workdir / "log.jsonl").read_bytes()
    config = tiny_config(run[0], **options)
    with pytest.raises(ValueError, match=f"step {min(steps, 2)} was saved, and no che"):
        trainer.train(config, workdir)
    assert (workdir / "log.jsonl").read_bytes() == log


def copied(run, tmp_path):
    shutil.copytree(run[1], tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.long
def test_all_checkpoints_damaged_twice(run, tmp_path):
    """A scheduler starts the same command again; the log must not be lost by it."""
    workdir = copied(run, tmp_path)
    config = tiny_config(run[0], num_steps=1, num_pictures=0)
    for path in (workdir / "checkpoints").rglob("*"):
        if path.is_file() and "state" in path.parts:
            path.write_bytes(b"")
    log = (workdir / "log.jsonl").read_bytes()
    with pytest.raises(ValueError, match="every checkpoint is damaged"):
        trainer.train(config, workdir)
    with pytest.raises(ValueError, match="checkpoints were damaged, .*pass --restart"):
        trainer.train(config, workdir)
    assert (workdir / "log.jsonl").read_bytes() == log
    with pytest.MonkeyPatch.context() as patch:  # A kill before the first checkpoint.
        patch.setattr(trainer.Trainer, "run", lambda self: None)
        trainer.train(config, workdir, restart=True)
    left = {path.name for path in (workdir / "before_restart").iterdir()}
    assert left >= {"checkpoints_damaged", "log.jsonl", "result.json"}
    assert (workdir / "before_restart/log.jsonl").read_bytes() == log
    config.num_steps = 2
    trainer.train(config, workdir)
    assert checkpoints.CheckpointStore(workdir / "checkpoints").steps() == [2]
    assert [e["step"] for e in logs.read(workdir / "log.jsonl")] == [1, 2, 2]


def test_a_config_that_was_lost_is_that_of_the_checkpoint(run, tmp_path):
    workdir = copied(run, tmp_path)
    (workdir / "config.json").unlink()
    config = tiny_config(run[0], num_steps=1, num_pictures=0)
    config.optim.learning_rate = 0.5
    with pytest.raises(ValueError, match="learning_rate: 0.01 there, 0.5 now"):
        trainer.train(config, workdir)
    (workdir / "config.json").write_text("{")
    config.optim.learning_rate = 0.01
    trainer.train(config, workdir)
    assert workdirs.config_of_run(workdir).optim.learning_rate == 0.01


def test_what_is_written_anew_is_named(run, tmp_path, capsys):
    workdir = copied(run, tmp_path)
    for name in ("config.json", "result.json"):
        (workdir / name).write_text("{")
    (workdir / "curves.png").write_bytes(b"\x89PNG")
    trainer.train(tiny_config(run[0], num_steps=1, num_pictures=0), workdir)
    said = capsys.readouterr().out
    for name in ("config.json", "result.json", "curves.png"):
        assert re.search(rf"note: .*{name} was damaged .*; it is written anew", said)
    assert status.status(workdir)["damaged"] == []


def test_a_damaged_config_alone_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json is damaged .* begin this run an"):
        workdirs.check_workdir(tiny_config("F"), tmp_path)
    with pytest.raises(ValueError, match="config.json is damaged .* writes it anew"):
        workdirs.config_of_run(tmp_path)


@pytest.mark.long
def test_a_step_is_saved_before_it_is_evaluated(run, tmp_path):
    """A wrong mask of the validation list ends the run; what was learned is kept."""
    folder = tmp_path / "data"
    shutil.copytree(run[0], folder)
    config = tiny_config(folder, num_steps=2, num_pictures=0)
    mask = folder / "SegmentationClass/im1.png"
    whole = mask.read_bytes()
    Image.fromarray(np.full((24, 32), 7, np.uint8)).save(mask)
    with pytest.raises(ValueError, match="im1.png: label 7"):
        trainer.train(config, tmp_path / "run")
    store = checkpoints.CheckpointStore(tmp_path / "run/checkpoints")
    assert (store.steps(), store.scores.read()) == ([2], {})
    mask.write_bytes(whole)
    trainer.train(config, tmp_path / "run")
    assert list(store.scores.read()) == [2]
    entries = logs.read(tmp_path / "run/log.jsonl")
    assert [e["step"] for e in entries if e["kind"] == "eval"] == [2]


@pytest.mark.long
def test_data_that_are_not_those_it_began_with(run, tmp_path):
    folder, workdir = tmp_path / "data", copied(run, tmp_path)
    shutil.copytree(run[0], folder)
    config = tiny_config(folder, num_steps=2, num_pictures=0)
    mask = folder / "SegmentationClass/im3.png"
    labels = np.array(Image.open(mask))
    labels[5, 5] = 0 if labels[5, 5] else 1
    Image.fromarray(labels).save(mask)
    with pytest.raises(ValueError, match="their masks differ. Restore them, .*=data t"):
        trainer.train(config, workdir)
    trainer.train(config, workdir, allow_changed=["data"])
    store = checkpoints.CheckpointStore(workdir / "checkpoints")
    assert store.steps()[-1] == 2


def test_an_older_run_recorded_no_data(tmp_path):
    recorded.check_data({"ids": "1"}, None, tmp_path)
    recorded.check_data({"ids": "1"}, {"ids": "1"}, tmp_path)
    with pytest.raises(ValueError, match="their ids, masks differ"):
        recorded.check_data({"ids": "1"}, {"ids": "2", "masks": "3"}, tmp_path)


def test_a_finished_run_without_its_log(run, tmp_path, capsys):
    """Its losses are lost; its parameters and its scores are not."""
    workdir = copied(run, tmp_path)
    config = tiny_config(run[0], num_steps=1, num_pictures=0)
    whole = json.loads((workdir / "result.json").read_text())
    for name in ("log.jsonl", "result.json"):
        (workdir / name).unlink()
    trainer.train(config, workdir)
    result = json.loads((workdir / "result.json").read_text())
    assert result["final_loss"] is None
    assert result["lowest_loss"] is None
    assert result["params_sha256"] == whole["params_sha256"]
    assert result["scores"]["mean_iu"] == whole["scores"]["mean_iu"]
    said = capsys.readouterr().out
    assert "log.jsonl has lost lines: it holds no losses" in said
    assert "done: its loss is lost; best" in said


@pytest.mark.long
def test_a_run_whose_log_was_torn_goes_on_and_says_so(run, tmp_path, capsys):
    workdir = copied(run, tmp_path)
    (workdir / "log.jsonl").write_text('{"kind": "trai')
    trainer.train(tiny_config(run[0], num_steps=2, num_pictures=0), workdir)
    said = capsys.readouterr().out
    assert "note: " in said
    assert "log.jsonl has lost lines: it holds no losses" in said
    assert [e["step"] for e in logs.read(workdir / "log.jsonl")] == [2, 2]


def test_the_status_of_a_run(run, tmp_path):
    workdir = copied(run, tmp_path)
    found = status.status(workdir)
    assert (found["state"], found["step"], found["num_steps"]) == ("ended", 1, 1)
    (checkpoint,) = found["checkpoints"]
    assert (checkpoint["step"], checkpoint["whole"]) == (1, True)
    assert checkpoint["mean_iu"] == found["best"]["mean_iu"]
    assert checkpoint["bytes"] > 10_000
    assert found["problems"] == []
    text = status.format_status(found)
    assert f"{workdir}: ended\nstep 1 of 1, " in text
    assert "whole" in text.splitlines()[-1]
    (workdir / "result.json").unlink()
    assert status.status(workdir, verify=False)["state"] == "stopped"
    assert "not verified" in status.format_status(status.status(workdir, verify=False))
    with lock.held(workdir):
        found = status.status(workdir)
    assert (found["state"], f"process {os.getpid()}" in found["holder"]) == (
        "running",
        True,
    )
    assert "running by process" in status.format_status(found)


def test_the_status_of_a_damaged_run(run, tmp_path):
    workdir = copied(run, tmp_path)
    (workdir / "log.jsonl").unlink()
    (workdir / "config.json").write_text("{")
    (workdir / "checkpoints_scores.json").write_text("{")
    (workdir / "checkpoints_damaged/3").mkdir(parents=True)
    for path in (workdir / "checkpoints/1/state").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    found = status.status(workdir)
    assert (found["state"], found["num_steps"], found["best"]) == (
        "damaged",
        None,
        None,
    )
    for text in (
        "config.json is damaged",
        "log.jsonl is missing",
        "checkpoints_scores.json is damaged",
        "it is torn or corrupt. Training goes back to the one before",
        "damaged checkpoints were moved to checkpoints_damaged: 3",
    ):
        assert text in status.format_status(found)
    with pytest.raises(SystemExit) as ended:
        command.COMMAND.run(types.SimpleNamespace(verify=True, json=True), workdir)
    assert ended.value.code == 1


def test_what_holds_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run: neither config.json no"):
        status.status(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere does not exist; give a run's"):
        status.status(tmp_path / "nowhere")
    with pytest.raises(command.flags.Error, match="give the directory of one run: .*n"):
        command.check_flags(types.SimpleNamespace(workdir=None), [])


def test_a_run_before_its_first_checkpoint(tmp_path):
    workdirs.write_config(tiny_config("F"), tmp_path)
    found = status.status(tmp_path)
    assert (found["state"], found["step"], found["best"]) == ("stopped", 0, None)
    assert "no checkpoint" in status.format_status(found)


@pytest.mark.long
def test_a_run_goes_on_with_its_own_config(run, tmp_path):
    """As where --config is left out; read from JSON, tuples are lists."""
    workdir = copied(run, tmp_path)
    config = workdirs.config_of_run(workdir)
    config.num_steps = 2
    trainer.train(config, workdir)
    assert checkpoints.CheckpointStore(workdir / "checkpoints").steps()[-1] == 2


@pytest.mark.long
def test_fewer_steps_than_were_done(run, tmp_path):
    workdir = copied(run, tmp_path)
    config = tiny_config(run[0], num_steps=2, num_pictures=0)
    trainer.train(config, workdir)
    config.num_steps = 1
    with pytest.raises(ValueError, match="has done 2 steps, more than config.num_step"):
        trainer.train(config, workdir)


def test_a_directory_in_which_another_trains_is_refused(run, tmp_path):
    workdir = copied(run, tmp_path)
    config = tiny_config(run[0], num_steps=2, num_pictures=0)
    log = (workdir / "log.jsonl").read_bytes()
    with (
        lock.held(workdir),
        pytest.raises(ValueError, match="is in use: process .* trains in it"),
    ):
        trainer.train(config, workdir)
    assert (workdir / "log.jsonl").read_bytes() == log


@pytest.mark.parametrize(
    ("steps", "there"), (((), "there is no checkpoint"), ((1,), "there is step 1"))
)
def test_a_last_step_that_is_not_read_back(run, tmp_path, steps, there):
    """No result is written of another step than the last."""
    directory = run[1] / "checkpoints" if steps else tmp_path / "checkpoints"
    store = checkpoints.CheckpointStore(directory)
    message = rf"step 2 was saved and cannot be read back; {there}. Run the same comma"
    with pytest.raises(OSError, match=message):
        results.write(tmp_path, 2, "", None, store)
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data.scale", (1, 0), "scale"),
        ("log_every", 0, "config.log_every=0 is not positive; give a whole nu"),
        ("checkpoint_every", 0, "config.checkpoint_every=0 is not positive"),
    ],
)
def test_a_mistake_in_the_config_leaves_nothing(run, tmp_path, key, value, message):
    config = tiny_config(run[0], num_steps=1, num_pictures=0, **{key: value})
    with pytest.raises(ValueError, match=message):
        trainer.train(config, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_names_and_colours_of_a_run():
    config = tiny_config("F")
    colours = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    metadata = {"classes": {"": ["x", "y", "z"]}, "colours": {"": colours}}
    (head,) = recorded.heads_of(config, metadata)
    assert head.classes == ("x", "y", "z")
    assert head.palette[:3].tolist() == colours
    (head,) = recorded.heads_of(config, {})  # Of an older run: nothing is recorded.
    assert head.classes == ("0", "1", "2")
    np.testing.assert_array_equal(head.palette, VOC.palette)


@pytest.mark.parametrize(
    ("count", "names"), [(7, ("background", "disc")), (21, ("0", "1"))]
)
def test_names_of_a_known_data_set_where_they_fit(count, names):
    """A config has a data set by default, whatever its net's classes."""
    config = tiny_config("F", **{"data.name": "shapes", "model.num_classes": count})
    (head,) = recorded.heads_of(config, {"config": {}})
    assert (head.num_classes, head.classes[:2]) == (count, names)
