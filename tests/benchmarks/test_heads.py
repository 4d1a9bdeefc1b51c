"""The comparison of heads in slices: what is begun, stopped, taken up and told."""

import json
import signal
import subprocess
import sys
import time

import pytest

from benchmarks import heads
from fcn_jax.config import named
from fcn_jax.config.types import Config


class Process:
    """A training that takes so many seconds of a clock that stands still otherwise."""

    def __init__(self, clock, command, takes):
        self.clock, self.command, self.takes = clock, command, takes
        self.workdir = command[2].partition("=")[2]
        self.asked = []

    def wait(self, timeout=None):
        if not self.asked and timeout < self.takes:
            self.clock[0] += timeout
            raise subprocess.TimeoutExpired("train.py", timeout)
        self.clock[0] += 0 if self.asked else self.takes
        if not self.asked:
            write_result(self.workdir)
        return 143 if self.asked else 0

    def send_signal(self, number):
        self.asked.append(number)


def write_result(workdir, mean_iu=0.5):
    scores = {"mean_iu": mean_iu, "pixel_accuracy": 0.8, "loss": 0.7, "iu": {"sky": 1}}
    folder = heads.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps({"scores": scores}))
    (folder / "config.json").write_text(json.dumps({"batch_size": 8}))
    lines = [
        {"kind": "train", "step": n, "loss": 1, "mean_loss": n, "images_per_second": n}
        for n in (1, 2, 4)
    ]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """The command, and the trainings that it began."""
    begun, clock = [], [0.0]

    def popen(command, **_):
        begun.append(Process(clock, command, takes=600))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(heads.machine, "describe", dict)  # Which asks git.
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def called(*options):
        begun.clear()
        argv = ["heads", f"--out={tmp_path}", "--root=data", *options]
        monkeypatch.setattr(sys, "argv", argv)
        heads.main()
        return json.loads(capsys.readouterr().out), list(begun)

    return called


def test_a_slice_ends_in_time_and_the_next_goes_on(call, tmp_path):
    forms = list(heads.FORMS)
    report, begun = call("--minutes=20")  # One of 10 minutes, and half of another.
    assert list(report["rows"]) == forms[:1]
    assert [process.asked for process in begun] == [[], [signal.SIGTERM]]
    unfinished = begun[1].workdir
    report, begun = call("--minutes=30")
    assert begun[0].workdir == unfinished
    assert list(report["rows"]) == forms[:3]
    report, begun = call("--minutes=0")
    assert (begun, report["missing"]) == ([], forms[3:])
    call("--minutes=100")
    report, begun = call("--minutes=100")
    assert (begun, report["missing"]) == ([], [])


def test_paths_are_from_where_it_is_called(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, begun = call("--minutes=14", "--out=runs")
    assert f"--config.data.root={tmp_path}/data" in begun[0].command
    assert begun[0].workdir.startswith(f"{tmp_path}/runs/")


def test_what_is_told_of_a_row(call, tmp_path):
    report, _ = call("--minutes=14")
    (row,) = report["rows"].values()
    assert (row["mean_iu"], row["mean_loss"]) == (0.5, 4)
    assert row["seconds_per_step"] == 4.0  # 8 images, 2 a second in the median.
    lines = (tmp_path / "heads.md").read_text().splitlines()
    assert lines[2] == "| 7x7, 1,024 features | 0.500 | 0.800 | 4.000 | 0.700 | 4.0 |"
    assert lines[3].endswith("features | - | - | - | - | - |")
    assert len(lines) == 2 + len(heads.FORMS)


@pytest.mark.parametrize("form", heads.FORMS)
@pytest.mark.parametrize("smoke", (False, True))
def test_each_form_has_equal_steps_and_keys_that_are_there(form, smoke, tmp_path):
    found = list(heads.parts(tmp_path, form, "data", smoke))
    steps, before = 0, "vgg16-trunk-bsds"
    for workdir, command in found:
        mode = "smoke" if smoke else "full"
        config = named.load("camvid_fcn32s_vgg").get_config(mode)
        given = dict(x.removeprefix("--config.").split("=", 1) for x in command[4:])
        assert given.keys() <= set(keys(config))
        assert given.get("init_from", before) == before
        steps, before = steps + int(given["num_steps"]), str(workdir)
    assert steps == (2 * len(found) if smoke else heads.STEPS)


def keys(config, prefix=""):
    for name, value in config.items():
        yield f"{prefix}{name}"
        if isinstance(value, Config):
            yield from keys(value, f"{prefix}{name}.")


def test_a_training_that_fails_ends_it(call, monkeypatch):
    monkeypatch.setattr(Process, "wait", lambda self, timeout=None: 1)
    with pytest.raises(SystemExit, match="train.py ended with status 1: see above"):
        call("--minutes=30")
