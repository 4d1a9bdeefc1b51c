"""What the status of a run says of files that are odd."""

import json

import pytest
from absl import flags

from fcn_jax import __main__
from fcn_jax.config import workdir as workdirs
from fcn_jax.runs import status
from fcn_jax.storage.scores import Scores
from tests.support.runs import tiny_config


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
