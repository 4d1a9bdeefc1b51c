"""Candidates are compared one after the other, and each is known when it is done."""

import argparse
import json
import time

import jax
import jax.numpy as jnp
import pytest

from benchmarks import candidates
from benchmarks.common import compiling, time_limits

COMPILATION = {"compile_s": 0.1, "from_cache": False, "tuned": 3}
NAMES = ["as_is", "channels_8", "rbg"]


def arguments(limit=60.0, **others):
    known = {"out": None, "started": time.time(), "repeats": 3}
    return argparse.Namespace(
        limit=limit, task="training", dtype="float32", **known | others
    )


@pytest.fixture
def prepared(monkeypatch):
    """What is prepared takes no compiling; those in `failing` cannot be."""
    failing = set()
    seconds = {"as_is": 0.05, "channels_8": 0.1, "rbg": 0.05}

    def prepare(candidate, case, task, dtype):
        name = next(n for n, c in candidates.CANDIDATES.items() if c is candidate)
        if name in failing:
            raise RuntimeError(f"{name} is not for this device")
        return COMPILATION, lambda: time.sleep(seconds[name])

    monkeypatch.setattr(candidates, "prepare", prepare)
    return failing


def test_each_is_told_and_kept_when_it_is_done(prepared, capsys):
    states = []
    found = candidates.compare(
        NAMES, None, arguments(), lambda found: states.append(dict(found))
    )
    assert [["ms" in state[name] for name in NAMES] for state in states[1::2]] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
    assert states[2]["channels_8"]["unmeasured"].startswith("was being compiled")
    assert states[2]["rbg"] == {"unmeasured": "was not come to"}
    assert 1.1 < found["channels_8"]["ratio"] < 4
    assert "ratio" not in found["as_is"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("as_is: ")
    assert lines[1].endswith("of as it is, compiled in 0.1 s (3 tuned)")


def test_what_fails_costs_itself_alone(prepared):
    prepared.add("channels_8")
    found = candidates.compare(NAMES, None, arguments(), lambda found: None)
    why = "RuntimeError: channels_8 is not for this device"
    assert found["channels_8"] == {"unmeasured": why}
    assert found["rbg"]["ms"] > 0


def test_none_is_begun_when_the_time_is_up(prepared):
    """What took too long is timed once all the same."""
    late = arguments(limit=1.0, started=time.time() - 0.98, repeats=50)
    found = candidates.compare(NAMES, None, late, lambda found: None)
    assert found["as_is"]["ms"] > 0
    assert found["channels_8"] == found["rbg"] == {"unmeasured": "was not come to"}
    report = candidates.report(found)
    assert "unmeasured" not in report


def test_where_none_was_measured_the_first_says_why(prepared):
    prepared.update(NAMES)
    found = candidates.compare(NAMES, None, arguments(), lambda found: None)
    why = "as_is: RuntimeError: as_is is not for this device"
    assert candidates.report(found)["unmeasured"] == why


def test_the_time_counts_from_the_start_of_the_process(tmp_path):
    parser = argparse.ArgumentParser()
    time_limits.add_arguments(parser, 280)
    started = time.time() - 100
    given = parser.parse_args(["--started", str(started), "--limit", "120"])
    assert 19 < time_limits.left(given) <= 20
    assert time_limits.left(parser.parse_args([])) <= 280
    time_limits.keep(given, {})  # Nowhere.
    given = parser.parse_args([f"--out={tmp_path}/known.json"])
    time_limits.keep(given, time_limits.told(given))
    assert json.loads((tmp_path / "known.json").read_text()) == {"limit": 280}


def test_programs_of_another_run_are_told_from_new_ones(monkeypatch):
    """In the same process too: JAX looks into its folder whenever it compiles."""
    least = "jax_persistent_cache_min_compile_time_secs"
    before = jax.config.jax_persistent_cache_min_compile_time_secs
    unknown = time.time_ns() % 10**9  # To any cache that runs of before have left.

    def compiled():
        lowered = jax.jit(lambda x: jnp.sin(x) @ x.T * unknown).lower(jnp.ones((7, 5)))
        return compiling.compiled(lowered, {})[1]

    try:
        jax.config.update(least, 0.0)
        new, kept = compiled(), compiled()
    finally:
        jax.config.update(least, before)
    assert (new["from_cache"], kept["from_cache"]) == (False, True)
    assert new["compile_s"] >= 0


def test_what_xla_tuned_anew_is_counted(monkeypatch, tmp_path):
    """It leaves a file for each operation."""
    tuned = tmp_path / "xla_gpu_per_fusion_autotune_cache_dir"
    tuned.mkdir()
    (tuned / "of_another_run").touch()
    config = argparse.Namespace(jax_compilation_cache_dir=str(tmp_path))
    monkeypatch.setattr(compiling.jax, "config", config)

    def compile_it(options):
        assert options == {"a": 1}
        for name in ("convolution", "product"):
            (tuned / name).touch()

    lowered = argparse.Namespace(compile=compile_it)
    assert compiling.compiled(lowered, {"a": 1})[1]["tuned"] == 2
    config.jax_compilation_cache_dir = None
    assert compiling._tuned() == 0
