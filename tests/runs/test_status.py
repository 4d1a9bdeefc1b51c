"""What the status of a run says of files that are odd."""

import errno
import json
import re
import shutil
import types

import pytest
from absl import flags
from PIL import Image

from fcn_jax import __main__
from fcn_jax.commands import status as command
from fcn_jax.config import workdir as workdirs
from fcn_jax.runs import status
from fcn_jax.storage import checkpoints, reading, trees
from fcn_jax.storage.scores import Scores
from tests.support.runs import tiny_config
from tests.support.states import train_state


@pytest.fixture
def workdir(tmp_path):
    workdirs.write_config(tiny_config("F"), tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    ("[]", "{}", '{"num_steps": null, "model": {"name": "fcn8s"}}', '{"model": 3}'),
)
def test_a_config_that_is_none(workdir, text):
    (workdir / "config.json").write_text(text)
    found = status.status(workdir)
    assert found["num_steps"] is None
    (problem,) = found["problems"]
    assert "config.json is damaged" in problem
    assert "A checkpoint holds the config too" in problem
    with pytest.raises(ValueError, match="is damaged .*start the run's own command ag"):
        workdirs.config_of_run(workdir)
    with pytest.raises(ValueError, match="is damaged .*delete it to begin this run an"):
        workdirs.check_workdir(tiny_config("F"), workdir)


def test_lines_of_a_log_that_are_none(workdir):
    lines = [
        {"kind": "train", "step": 1, "loss": 0.5, "images_per_second": 2.0},
        {"kind": "train", "step": 2},
        {"kind": "train", "step": True, "loss": 0.5},
        {"kind": "eval", "step": 3},
        {"kind": "other", "step": 4, "loss": 0.5},
        [],
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (workdir / "log.jsonl").write_text(text)
    found = status.status(workdir)
    assert (found["step"], found["images_per_second"]) == (1, 2.0)


def test_the_best_is_that_which_is_kept(workdir):
    scores = Scores(workdir / "checkpoints")
    for step in (1, 2):
        scores.record(step, 0.5)
    assert status.status(workdir)["best"] == {"mean_iu": 0.5, "step": 2}
    assert scores.best([1, 2]) == [2]


@pytest.mark.parametrize("as_flag", (True, False))
def test_the_directory_as_a_flag_or_alone(workdir, capsys, as_flag):
    given = f"--workdir={workdir}" if as_flag else str(workdir)
    with pytest.raises(SystemExit) as ended:
        __main__.main(["fcn_jax", "status", given])
    assert not ended.value.code
    assert f"{workdir}: stopped\nstep 0 of 6\n" in capsys.readouterr().out
    assert "workdir" not in flags.FLAGS


def test_two_directories_are_refused(workdir):
    message = rf"the directory of one run: .*given were \['a', '{workdir}'\]"
    with pytest.raises(SystemExit, match=message):
        __main__.main(["fcn_jax", "status", "a", f"--workdir={workdir}"])


@pytest.fixture
def saved(workdir):
    """A run with two checkpoints, scores and a log."""
    store = checkpoints.CheckpointStore(workdir / "checkpoints")
    for step in (1, 2):
        metadata = {"config": {}, "losses": []}
        store.save(trees.to_arrays(train_state(step)), metadata=metadata)
        store.scores.record(step, 0.5)
    store.close()
    lines = [{"kind": "train", "step": n, "loss": 0.5} for n in (1, 2)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (workdir / "log.jsonl").write_text(text)
    (workdir / "result.json").write_text(
        '{"step": 2, "params_sha256": "0", "scores": {"mean_iu": 0.5}}'
    )
    return workdir


def exit_status(workdir):
    try:
        command.run_flags(types.SimpleNamespace(verify=True, json=False), workdir)
    except SystemExit as ended:
        return ended.code
    return 0


def test_a_whole_run(saved):
    assert status.status(saved)["damaged"] == []
    assert exit_status(saved) == 0


@pytest.mark.parametrize(
    ("name", "content", "follows"),
    [
        ("config.json", "{", "config.json is damaged .*A checkpoint holds the config"),
        ("checkpoints_scores.json", "{", "not known which checkpoint is best"),
        (
            "log.jsonl",
            '{"kind": "tra\n{"kind": "train", "step": 2, "loss": 1}\n',
            "log.jsonl is damaged: 1 of its lines are none, the first at line 1; curve",
        ),
        (
            "log.jsonl",
            '{"kind": "train", "step": 1, "loss": 1}\n',
            "log.jsonl has lost lines: it ends with step 1",
        ),
        ("log.jsonl", None, "log.jsonl is missing or holds no losses; curves lack th"),
        ("result.json", "{", "result.json is damaged .JSON.*started again, writes it"),
        ("result.json", "{}", "result.json is damaged .KeyError: .*; the run's own c"),
        ("curves.png", "", "curves.png is damaged .Unident.*; the run's own command"),
    ],
)
def test_a_damaged_file_is_named(saved, name, content, follows):
    Image.new("L", (2, 2)).save(saved / "curves.png")
    path = saved / name
    path.unlink() if content is None else path.write_text(content)
    found = status.status(saved)
    assert found["damaged"] == [name]
    (problem,) = found["problems"]
    assert re.search(follows, problem)
    assert exit_status(saved) == 1


def test_scores_that_are_missing_are_named(saved):
    with (saved / "log.jsonl").open("a") as log:
        log.write('{"kind": "eval", "step": 2, "mean_iu": 0.5}\n')
    (saved / "checkpoints_scores.json").unlink()
    found = status.status(saved)
    assert found["damaged"] == ["checkpoints_scores.json"]
    assert found["best"] == {"mean_iu": 0.5, "step": 2}
    (problem,) = found["problems"]
    assert "is missing: which checkpoint is best is known from the newest al" in problem


@pytest.mark.parametrize("moment", ("sizes", "reads"))
def test_a_checkpoint_that_is_deleted_meanwhile_is_left_out(saved, monkeypatch, moment):
    """As a run does that goes on; it is no damage."""
    owner, name = {"sizes": (Scores, "of"), "reads": (reading, "_read")}[moment]
    real = getattr(owner, name)

    def gone(*arguments):
        value = real(*arguments)
        shutil.rmtree(saved / "checkpoints/1", ignore_errors=True)
        if moment == "reads":
            raise ValueError("the file is cut off")
        return value

    monkeypatch.setattr(owner, name, gone)
    found = status.status(saved)
    steps = [each["step"] for each in found["checkpoints"]]
    assert steps == [2]
    assert (found["damaged"] == ["checkpoints/2"]) == (moment == "reads")


def test_a_checkpoint_that_is_being_deleted_is_left_out(saved):
    """File by file: the step that is neither of the newest nor the best."""
    shutil.copytree(saved / "checkpoints/2", saved / "checkpoints/3")
    (saved / "checkpoints/1/metadata/metadata").unlink()
    found = status.status(saved)
    assert [each["step"] for each in found["checkpoints"]] == [2, 3]
    assert "checkpoints/1" not in found["damaged"]
    Scores(saved / "checkpoints").record(1, 0.9)  # The best stays.
    assert "checkpoints/1" in status.status(saved)["damaged"]


def test_what_cannot_be_read_now_is_said(saved, monkeypatch):
    def fail(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(reading, "_read", fail)
    found = status.status(saved)
    assert [each["whole"] for each in found["checkpoints"]] == [None, None]
    assert all("could not be read now" in text for text in found["problems"])
    assert exit_status(saved) == 0


def test_a_checkpoint_of_an_older_version_is_not_called_whole(saved):
    path = saved / "checkpoints/1/metadata/metadata"
    metadata = json.loads(path.read_text())
    del metadata["metadata_sha256"]
    path.write_text(json.dumps(metadata))
    one, two = status.format_status(status.status(saved)).splitlines()[-2:]
    assert one.endswith("MiB  arrays whole, the rest not checked (an older version)")
    assert two.endswith("MiB  whole")


def test_a_young_run_has_no_line_of_the_log_yet(workdir):
    """What its checkpoint remembers of losses is not due before `log_every`."""
    store = checkpoints.CheckpointStore(workdir / "checkpoints")
    metadata = {"config": {}, "losses": [0.5, 0.4]}
    store.save(trees.to_arrays(train_state(2)), metadata=metadata)
    store.close()
    (workdir / "log.jsonl").write_text('{"kind": "saved", "step": 2}\n')
    assert status.status(workdir)["damaged"] == []


def test_a_run_that_went_on_beyond_its_result_is_not_ended(saved):
    assert status.status(saved)["state"] == "ended"
    result = saved / "result.json"
    result.write_text(result.read_text().replace('"step": 2', '"step": 1', 1))
    assert status.status(saved)["state"] == "stopped"
