"""train.py as a user meets it: resumed runs, kills, refusals."""

import json
import os
import signal
import subprocess
import sys
import time
import types

import jax
import numpy as np
import pytest
from PIL import Image

from fcn_jax import __main__
from fcn_jax.commands import train as train_command
from fcn_jax.config.base import base_config
from fcn_jax.evaluation import evaluate
from fcn_jax.runs import logs, trainer, watching
from fcn_jax.storage import checkpoints, trees
from fcn_jax.viz import plots
from tests.support import quick_runs
from tests.support.paths import ROOT
from tests.support.patience import SECONDS
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("folder"))


@pytest.fixture
def one_device(monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """The workdir of a run that nobody interrupted."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        patch.setattr(plots, "plot_curves", quick_runs.PLOT_CURVES)
        trainer.train(tiny_config(folder), workdir)
    return workdir


def test_a_run_leaves_what_it_promises(finished):
    names = {path.name for path in finished.iterdir()}
    assert names >= {
        "config.json",
        "checkpoints",
        "log.jsonl",
        "tensorboard",
        "curves.png",
        "result.json",
    }
    with Image.open(finished / "curves.png") as curves:
        assert curves.width > 500
    result = result_of(finished)
    assert result["step"] == 6
    assert result["lowest_loss"]["loss"] <= result["final_loss"]
    entries = logs.read(finished / "log.jsonl")
    assert [e["step"] for e in entries if e["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert [e["step"] for e in entries if e["kind"] == "eval"] == [3, 6]
    rates = [e["learning_rate"] for e in entries if e["kind"] == "train"]
    assert rates == pytest.approx([0.01] * 6)
    assert all(e["loss"] > 0 for e in entries if e["kind"] == "eval")
    assert result["ended_early"] is None
    newest = checkpoints.CheckpointStore(finished / "checkpoints").newest()
    assert newest.metadata["preprocessing"]["channels"] == "bgr"
    of_step = {e["step"]: e["mean_iu"] for e in entries if e["kind"] == "eval"}
    assert newest.metadata["best"] == {"mean_iu": of_step[3], "step": 3}  # Saved first.
    assert result["best"]["mean_iu"] == max(of_step.values())


def test_a_resumed_run_ends_bit_identical(folder, finished, tmp_path, one_device):
    whole = result_of(finished)
    stopped = tiny_config(folder, num_steps=3)  # Any number of steps goes on.
    trainer.train(stopped, tmp_path / "run")
    trainer.train(tiny_config(folder), tmp_path / "run")
    resumed = result_of(tmp_path / "run")
    assert resumed["params_sha256"] == whole["params_sha256"]
    assert resumed["final_loss"] == whole["final_loss"]
    steps = [e["step"] for e in logs.read(tmp_path / "run" / "log.jsonl")]
    assert steps == sorted(steps)


@pytest.mark.parametrize(("code", "status"), [(143, 143), (None, 0)])
def test_what_was_said_is_out_before_a_stopped_process_ends(monkeypatch, code, status):
    """It ends without Python's own end, which would wait for threads."""
    done = []

    def stop(*_):
        raise SystemExit(code)

    monkeypatch.setattr(train_command, "train", stop)
    monkeypatch.setattr(train_command.command_line, "config_of_flags", base_config)
    monkeypatch.setattr(sys.stdout, "flush", lambda: done.append("flushed"))
    monkeypatch.setattr(os, "_exit", done.append)
    alone = {"coordinator": None, "process": None, "processes": None}
    values = types.SimpleNamespace(
        workdir="W", restart=False, allow_changed=[], **alone
    )
    train_command.run_flags(values)
    assert done == ["flushed", status]


def test_a_finished_run_started_again_changes_nothing(folder, finished, one_device):
    before = result_of(finished)
    trainer.train(tiny_config(folder), finished)
    assert result_of(finished) == before


@pytest.mark.slow  # Of processes that are fewer: tests/hosts/test_two_are_one.py.
def test_a_run_goes_on_with_another_number_of_devices(
    folder, finished, tmp_path, monkeypatch
):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:2])
    trainer.train(tiny_config(folder, num_steps=2), tmp_path / "run")
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    trainer.train(tiny_config(folder), tmp_path / "run")
    ours = checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints").newest()
    theirs = checkpoints.CheckpointStore(finished / "checkpoints").newest()
    a, b = (trees.flatten(c.arrays["params"]) for c in (ours, theirs))
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=1e-4, err_msg=name)


SHALLOW = """
import sys
from fcn_jax import __main__
from tests.support import quick_runs
with quick_runs.shallow():
    __main__.start("train", sys.argv)
"""


def command(folder, workdir, *options, program=("-c", SHALLOW)):
    config = tiny_config(folder).to_dict()
    overrides = []
    for name in ("num_steps", "log_every", "eval_every", "checkpoint_every"):
        overrides.append(f"--config.{name}={config[name]}")
    for group in ("data", "model"):
        for name, value in config[group].items():
            if value not in ((), ""):
                overrides.append(f"--config.{group}.{name}={value}")
    return [
        sys.executable,
        *program,
        f"--config={ROOT / 'configs' / 'shapes_fcn8s.py'}:smoke",
        f"--workdir={workdir}",
        "--config.data.crop=()",
        "--config.batch_size=2",
        "--config.num_pictures=1",
        *overrides,
        *options,
    ]


# It is killed in the step of that number, as soon as that is logged.
KILLED = """
import os, signal, sys
from fcn_jax import __main__
from fcn_jax.runs import logs
from tests.support import quick_runs
write = logs.RunLog.write

def last_words(log, kind, step, values):
    write(log, kind, step, values)
    if step == {step}:
        os.kill(os.getpid(), signal.SIGKILL)

logs.RunLog.write = last_words
with quick_runs.shallow():
    __main__.start("train", sys.argv)
"""

# No image is ever read.
BLOCKED = """
import sys, threading
from pathlib import Path
from fcn_jax import __main__
from fcn_jax.data.sources.voc_folder import VocFolder

def read(source, index):
    Path({reads!r}).touch()
    threading.Event().wait()

VocFolder.__getitem__ = read
__main__.start("train", sys.argv)
"""

TRAIN_PY = (str(ROOT / "train.py"),)


def start(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        arguments[0],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def wait_until(holds, process):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if holds():
            return
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"it did not come: {process.communicate()[0]}")


# In the midst of saves; and before the first checkpoint too.
@pytest.mark.long
@pytest.mark.parametrize("kills", ((9,), pytest.param((1, 9), marks=pytest.mark.slow)))
def test_killed_at_any_moment_it_ends_bit_identical(folder, tmp_path, kills):
    options = ("--config.num_steps=20", "--config.eval_every=20")
    whole = start(command(folder, tmp_path / "whole", *options))
    output, _ = whole.communicate(timeout=SECONDS)
    assert whole.returncode == 0, output
    workdir = tmp_path / "killed"
    for step in kills:
        program = ("-c", KILLED.format(step=step))
        process = start(command(folder, workdir, *options, program=program))
        output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == -signal.SIGKILL, output
    process = start(command(folder, workdir, *options))
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    assert "going on from step" in output
    a, b = result_of(tmp_path / "whole"), result_of(workdir)
    assert a["params_sha256"] == b["params_sha256"]
    steps = [
        e["step"] for e in logs.read(workdir / "log.jsonl") if e["kind"] == "train"
    ]
    assert steps == list(range(1, 21))


@pytest.mark.long
def test_sigterm_saves_first(folder, tmp_path):
    workdir = tmp_path / "run"
    keys = ("num_steps", "checkpoint_every", "eval_every")
    never = [f"--config.{key}=1000000" for key in keys]
    process = start(command(folder, workdir, *never))
    log = workdir / "log.jsonl"
    wait_until(lambda: any(e["step"] >= 2 for e in logs.read(log)), process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM, output
    (step,) = checkpoints.CheckpointStore(workdir / "checkpoints").steps()
    assert step >= 2
    assert f"terminated: step {step} is saved; run again to go on" in output


@pytest.mark.long
def test_ctrl_c_while_a_batch_is_made(folder, tmp_path):
    """However long that takes; nothing is lost by breaking it off."""
    workdir, reads = tmp_path / "run", tmp_path / "reads"
    program = ("-c", BLOCKED.format(reads=str(reads)))
    process = start(command(folder, workdir, program=program))
    wait_until(reads.exists, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGINT, output
    assert output.endswith("terminated: nothing is saved yet; run again to go on\n")
    assert "Traceback" not in output


def interrupting(real, number=signal.SIGINT):
    """A function that is called when the signal has come."""

    def call(*arguments, **options):
        os.kill(os.getpid(), number)
        return real(*arguments, **options)

    return call


@pytest.mark.long
@pytest.mark.parametrize(
    "moment",
    (
        (evaluate, "to_devices"),
        pytest.param((watching.viz, "prediction_row"), marks=pytest.mark.slow),
    ),
)
def test_ctrl_c_in_an_evaluation(
    folder, tmp_path, one_device, monkeypatch, capfd, moment
):
    """While images are scored, or drawn; what was saved is scored by the next start."""
    config = tiny_config(folder, num_steps=2, eval_every=1)
    with monkeypatch.context() as patch:
        patch.setattr(*moment, interrupting(getattr(*moment)))
        with pytest.raises(SystemExit) as ended:
            trainer.train(config, tmp_path / "run")
    assert ended.value.code == 128 + signal.SIGINT
    said = capfd.readouterr()
    assert said.out.endswith("\nterminated: step 1 is saved; run again to go on\n")
    assert "Traceback" not in said.out + said.err
    trainer.train(config, tmp_path / "run")
    entries = logs.read(tmp_path / "run/log.jsonl")
    assert [e["step"] for e in entries if e["kind"] == "eval"] == [1, 2]


@pytest.mark.parametrize(
    ("number", "session", "error", "text"),
    [
        (signal.SIGINT, False, SystemExit, "130"),
        (signal.SIGTERM, True, SystemExit, "143"),
        (signal.SIGINT, True, KeyboardInterrupt, "terminated: nothing is saved yet; r"),
    ],
)
def test_a_session_goes_on_where_a_process_ends(
    tmp_path, monkeypatch, number, session, error, text
):
    """As in a notebook's cell, whose variables are there after Ctrl-C."""
    monkeypatch.delattr(sys, "ps1", raising=False)
    if session:
        monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    stopping = trainer.Stopping(str)
    stopping.asked = number
    with pytest.raises(error, match=text):
        trainer._stop(None, tmp_path, stopping)


@pytest.mark.long
@pytest.mark.parametrize("log_every", (1, 1000))
def test_divergence_stops_with_the_last_good_checkpoint(
    folder, tmp_path, one_device, log_every
):
    """The loss is looked at before every save, whether it is logged then or not."""
    config = tiny_config(folder, num_steps=40, log_every=log_every, eval_every=1000)
    config.optim.learning_rate = 1e30
    config.checkpoint_every = 1
    with pytest.raises(FloatingPointError, match=r"step \d+: loss .*has diverged"):
        trainer.train(config, tmp_path / "run")
    store = checkpoints.CheckpointStore(tmp_path / "run" / "checkpoints")
    for array in trees.flatten(store.newest().arrays["params"]).values():
        assert np.isfinite(array).all()


def test_a_workdir_of_another_config_is_refused(folder, finished, one_device):
    config = tiny_config(folder)
    config.optim.learning_rate = 0.5
    match = "holds a run of another config .optim.learning_rate: 0.01 there, 0.5 now"
    with pytest.raises(ValueError, match=match):
        trainer.train(config, finished)


def test_a_batch_that_does_not_split_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:3])
    with pytest.raises(ValueError, match=r"batch of 2 images .* over 3 device\(s\)"):
        trainer.train(tiny_config(folder), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_staged_training_starts_from_a_run(
    folder, finished, tmp_path, capsys, one_device
):
    config = tiny_config(folder, num_steps=1, init_from=str(finished))
    config.model.batch_norm = False
    trainer.train(config, tmp_path / "run")
    printed = capsys.readouterr().out
    account = {
        line.split(" (")[0]: line
        for line in printed.splitlines()
        if line.startswith(("matched (", "missing (", "unexpected (", "mismatched ("))
    }
    # 5 + 2 layers of the encoder and 3 of scores, kernel and bias each.
    assert account["matched"].startswith("matched (20): params/conv1_1/bias")
    assert account["missing"] == "missing (0): -"
    assert "params/bn1_1/scale" in account["unexpected"]
    assert account["mismatched"] == "mismatched (0): -"


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--config.num_stesp=3", "no key 'num_stesp'; did you mean 'num_steps'?"),
        ("--config.learning_rate=3", "did you mean 'optim.learning_rate'? All keys"),
        ("--config.gpus=3", "config has no key 'gpus'. All keys stand in"),
        ("--config.num_steps=many", "num_steps=many"),
        ("--wrkdir=x", "Unknown command line flag 'wrkdir'"),
        ("stray", "cannot make sense of ['stray']"),
        ("--workdir=", "--workdir is missing; usage: train.py"),
    ],
)
def test_mistakes_on_the_command_line_are_one_message(
    folder, tmp_path, option, message
):
    _, *arguments = command(folder, tmp_path / "run", option, program=TRAIN_PY)
    with pytest.raises(SystemExit) as ended:
        __main__.start("train", arguments)
    assert message in ended.value.code  # A text, of which the status is 1.
    assert not (tmp_path / "run").exists()


def test_a_mistake_ends_the_process_with_one_message(folder, tmp_path):
    option = "--config.num_stesp=3"
    process = start(command(folder, tmp_path / "run", option, program=TRAIN_PY))
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "no key 'num_stesp'; did you mean 'num_steps'?" in output
    assert "Traceback" not in output
    assert not (tmp_path / "run").exists()
