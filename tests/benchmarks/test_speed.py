"""Measurements end in time, and lose nothing that was known."""

import argparse
import json
import sys
import time

import pytest

from benchmarks import run_log, speed, startup

# A script that keeps what it knows, and is then in the middle of something.
KNOWS = """
import json, sys, time
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
report = {"candidates": {"as_is": {"ms": 3.0}}, "limit": float(options["--limit"])}
open(options["--out"], "w").write(json.dumps(report))
time.sleep(60)
"""


def arguments(tmp_path, **others):
    known = {"device": "cpu", "smoke": False, "dtype": None, "only": None}
    return argparse.Namespace(out=tmp_path, **known | others)


def test_what_a_script_knows_stays_when_it_is_ended(tmp_path):
    command = [sys.executable, "-c", KNOWS]
    start = time.monotonic()
    report = speed._known_by(command, arguments(tmp_path), own=100, left=6)
    assert time.monotonic() - start < 50  # Else it has slept to its end.
    assert report["candidates"] == {"as_is": {"ms": 3.0}}
    assert report["stopped"] == "stopped after 6 s"
    assert report["limit"] == 5.4  # It was to stop before it was ended.


def test_a_script_has_its_share_and_is_ended_later(tmp_path, monkeypatch):
    """Where others leave it the time: compiling may take longer than the share."""
    given = []
    monkeypatch.setattr(
        speed, "_printed_by", lambda *options: given.append(options) or {}
    )
    speed._known_by(["x"], arguments(tmp_path), own=100, left=1000)
    command, _, seconds = given[0]
    assert (command[-2:], seconds) == (["--limit", "100.0"], 160)


def test_a_script_that_knows_nothing_says_how_long_it_had(tmp_path):
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    report = speed._known_by(sleeper, arguments(tmp_path), own=100, left=1)
    assert report == {"unmeasured": "stopped after 1 s"}
    failing = [sys.executable, "-c", "raise ValueError('no device')"]
    report = speed._printed_by(failing, arguments(tmp_path), 60)
    assert report == {"unmeasured": "status 1: ValueError: no device"}


def test_rows_that_find_no_time_stay_and_are_told(tmp_path, capsys):
    found = {"pooling": {"stages": []}}
    given = arguments(tmp_path, only=["pooling", "crf"])
    speed.measure_all(given, found, end=time.monotonic())
    assert found["pooling"] == {"stages": []}
    assert found["crf"]["unmeasured"] == "no time was left for it"
    assert json.loads((tmp_path / "speed_cpu.json").read_text()) == found
    told = capsys.readouterr().err.splitlines()
    assert told[2:] == [
        "in whole: 0 of 2 rows",
        "not in whole: pooling: unmeasured: no time was left for it; what was "
        "measured before stays",
        "not in whole: crf: unmeasured: no time was left for it",
    ]


def test_by_default_everything_is_over_after_25_minutes(tmp_path, monkeypatch):
    ends = []
    monkeypatch.setattr(
        speed, "measure_all", lambda arguments, found, end: ends.append(end)
    )
    monkeypatch.setattr(sys, "argv", ["speed", f"--out={tmp_path}", "--device=cpu"])
    start = time.monotonic()
    speed.main()
    assert start + 1499 < ends[0] < start + 1501


def test_sides_of_a_gpu_share_the_time_of_their_row(tmp_path, monkeypatch):
    asked = []

    def printed_by(command, arguments, seconds):
        asked.append((command[-1], round(seconds)))
        return {"unmeasured": "stopped"}

    monkeypatch.setattr(speed, "_printed_by", printed_by)
    given = arguments(tmp_path, device="gpu")
    report = speed.measure("fcn8s_training", given, left=150)
    assert asked == [(side, 150) for side in speed.SIDES]
    assert report["unmeasured"] == "ours: stopped"


@pytest.mark.parametrize("device", ("cpu", "gpu"))
def test_options_of_all_rows_are_those_of_their_scripts(tmp_path, device):
    given = arguments(tmp_path, device=device)
    for name, what in speed.MEASUREMENTS.items():
        options = speed._options(name, what, given)
        assert ("--dtype" in options) == what.takes_dtype
    small = arguments(tmp_path, device=device, smoke=True)
    what = speed.MEASUREMENTS["startup_deconvnet"]
    options = speed._options("startup_deconvnet", what, small)
    assert options == ["--smoke", "--net", "deconvnet"]


def test_a_log_says_how_long_steps_waited():
    lines = [
        {"step": step, "images_per_second": 10.0 * step, "waiting": 0.5 / step}
        for step in (1, 2, 3, 4)
    ]
    lines.append({"kind": "eval", "step": 4, "mean_iu": 0.4})
    assert run_log.speed(lines) == {
        "step": 4,
        "images_per_second": 35.0,
        "waiting": pytest.approx(0.1458, abs=1e-4),
        "best_mean_iu": 0.4,
    }
    nothing = {"unmeasured": "the log has no line with a speed"}
    assert run_log.speed([{"step": 1}]) == nothing


def test_a_first_step_that_is_too_slow_says_how_long_it_took(monkeypatch):
    def slow(arguments, cache):
        raise startup.subprocess.TimeoutExpired("startup", 5)

    given = argparse.Namespace(limit=9.0, started=None, out=None, repeats=2)
    given.started = time.time()
    monkeypatch.setattr(startup, "first_step_apart", slow)
    report = {}
    startup.first_steps(given, "", report)
    assert report == {"cold": {"unmeasured": "not done after 0 s"}}
    assert startup.held_against({"cold": 30.0}, report) == {}


def test_warm_starts_are_as_many_as_the_time_allows(monkeypatch):
    run = {"total": 2.0, "stages": {"compile": 1.0}}

    def quick(arguments, cache):
        given.limit -= 10
        return run

    given = argparse.Namespace(limit=25.0, started=time.time(), out=None, repeats=5)
    monkeypatch.setattr(startup, "first_step_apart", quick)
    report = {}
    startup.first_steps(given, "", report)
    assert report["cold"]["runs"] == [2.0]
    assert report["warm"]["runs"] == [2.0, 2.0]
    goals = startup.held_against({"cold": 30.0, "warm": 1.0}, report)
    assert goals["cold"] == {"seconds": 30.0, "met": True}
    assert not goals["warm"]["met"]
