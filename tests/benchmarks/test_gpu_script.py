"""benchmarks/gpu.sh from one end to the other, without a GPU and at tiny sizes."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks import tuning
from tests.support.paths import ROOT

ROWS = ("rates", "pooling", "fcn8s_training")


def gpu_sh(tmp_path, *modes, **environment):
    paths = {"OUT": f"{tmp_path}/out", "CACHE": f"{tmp_path}/cache"}
    return subprocess.run(
        ["bash", "benchmarks/gpu.sh", "--smoke", *modes],
        env=os.environ | paths | {"PYTHON": sys.executable} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.long
def test_all_modes_measure_and_say_what_they_found_no_time_for(tmp_path):
    some = {"ROWS": " ".join(ROWS), "NETS": "fcn8s"}
    answer = gpu_sh(tmp_path, "tuning", "measure", "try", "profile", **some)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stderr == ""
    path = tmp_path / "out" / "speed_gpu.json"
    found = json.loads(path.read_text())
    rows = {"tuning", *ROWS, "candidates_fcn8s", "operations_fcn8s"}
    assert set(found) == rows
    assert not [name for name, row in found.items() if "jax" not in row]
    # What tuning found best is taken up by what follows.
    best = found["tuning"]["best"]
    flags = found["tuning"]["ways"][best]["flags"]
    assert answer.stdout.count(f"flags of tuning, {best}: {flags or 'none'}\n") == 3
    assert tuning.found_best(path) == f"{best} {flags}".strip()
    assert flags in found["rates"]["xla_flags"]
    # And so are the programs that were compiled: by try for profile.
    assert "ms" in found["candidates_fcn8s"]["candidates"]["wide_scores"]
    assert found["operations_fcn8s"]["from_cache"]
    page = (tmp_path / "out" / "performance.md").read_text()
    assert "first step, cold | <= 30 s | unmeasured: not run (startup_fcn8s)" in page

    before = path.read_bytes()
    answer = gpu_sh(tmp_path, "measure", "try", "profile", LIMIT="1")
    assert answer.returncode == 4
    for step in ("setup", "measure", "try", "profile"):
        assert f"{step}: no time left\n" in answer.stdout
    assert "4 failed" in answer.stdout
    assert path.read_bytes() == before
    assert answer.stderr == ""


def test_modes_that_are_not_known_are_named(tmp_path):
    answer = gpu_sh(tmp_path, "speed")
    assert answer.returncode == 2
    assert "gpu.sh: speed is not known; there are tuning, measure" in answer.stderr
    assert not list(tmp_path.iterdir())
