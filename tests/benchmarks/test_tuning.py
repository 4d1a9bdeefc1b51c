"""Flags are compared each in a process of its own, and the best are taken up."""

import argparse
import json
import subprocess
import time

import pytest

from benchmarks import tuning

REPORT = {
    "seconds": {"ours": 0.03},
    "prepared_s": {"ours": 20.0},
    "device_peak_mib": 100,
}


def arguments(limit=60.0, each=100.0):
    return argparse.Namespace(
        limit=limit, each=each, started=time.time(), smoke=False, dtype="bfloat16"
    )


def test_of_the_fast_ones_the_first_that_was_ready_is_best():
    ways = {
        "a": {"ms": 30.0, "prepared_s": 90.0},
        "b": {"ms": 31.0, "prepared_s": 20.0},
        "c": {"ms": 40.0, "prepared_s": 5.0},
        "d": {"unmeasured": "stopped after 100 s"},
    }
    assert tuning.best(ways) == "b"
    assert tuning.described(ways) == {"ways": ways, "best": "b"}
    nothing = tuning.described({"d": ways["d"]})
    assert nothing["unmeasured"] == "d: stopped after 100 s"
    assert nothing["best"] is None


def test_a_way_begins_with_an_empty_cache_of_its_own(tmp_path, monkeypatch):
    cache = tmp_path / "unchecked"
    (cache / "of_before").mkdir(parents=True)
    given = []

    def run(flags, cache, arguments, seconds):
        given.append((flags, cache.exists(), seconds))
        return REPORT

    monkeypatch.setattr(tuning, "run", run)
    found = tuning.of_way("--level=1", cache, arguments(limit=50))
    assert found == {
        "flags": "--level=1",
        "ms": 30.0,
        "prepared_s": 20.0,
        "device_peak_mib": 100,
    }
    assert given[0][:2] == ("--level=1", False)
    assert 40 < given[0][2] <= 50


@pytest.mark.parametrize(
    ("error", "why"),
    (
        (subprocess.TimeoutExpired("networks", 7), "stopped after 50 s"),
        (
            subprocess.CalledProcessError(1, "networks", "", "first\nno such flag\n"),
            "status 1: no such flag",
        ),
    ),
)
def test_a_way_without_a_figure_says_why(tmp_path, monkeypatch, error, why):
    def run(*_):
        raise error

    monkeypatch.setattr(tuning, "run", run)
    found = tuning.of_way("--level=1", tmp_path / "way", arguments(each=50))
    assert found == {"flags": "--level=1", "unmeasured": why}
    found = tuning.of_way("--level=1", tmp_path / "way", arguments(limit=0))
    assert found["unmeasured"] == "no time was left for it"


def test_flags_go_beside_those_that_are_set(tmp_path, monkeypatch):
    given = {}

    def run(command, env, **_):
        given.update(env)
        return argparse.Namespace(stdout=json.dumps(REPORT))

    monkeypatch.setenv("XLA_FLAGS", "--of_the_user")
    monkeypatch.setattr(subprocess, "run", run)
    assert tuning.run("--level=1", tmp_path, arguments(), 9) == REPORT
    assert given["XLA_FLAGS"] == "--of_the_user --level=1"
    assert given["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path)


def test_what_a_run_before_found_best_is_a_line(tmp_path):
    path = tmp_path / "speed_gpu.json"
    assert tuning.found_best(path) == ""
    path.write_text("{}")
    assert tuning.found_best(path) == ""
    ways = {"both": {"flags": "--a=1 --b=2"}, "as_is": {"flags": ""}}
    path.write_text(json.dumps({"tuning": {"best": "both", "ways": ways}}))
    assert tuning.found_best(path) == "both --a=1 --b=2"
    path.write_text(json.dumps({"tuning": {"best": "as_is", "ways": ways}}))
    assert tuning.found_best(path) == "as_is"
    path.write_text(json.dumps({"tuning": {"unmeasured": "stopped", "best": None}}))
    assert tuning.found_best(path) == ""
