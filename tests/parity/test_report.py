"""The parity report runs at tiny sizes, meets its goals, and keeps what it has."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = [pytest.mark.parity, pytest.mark.slow]


def run(out, *options):
    command = [sys.executable, "-m", "benchmarks.parity", "--smoke"]
    answer = subprocess.run(
        [*command, "--threads", "1", "--out", out, *options],
        env=os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        check=True,  # Status 1 where a goal is missed.
    )
    return json.loads(answer.stdout)


def test_it_measures_both_parts_and_then_one(tmp_path):
    out = tmp_path / "parity.md"
    report = run(out)
    assert report["good"]
    assert [r["net"] for r in report["forward"]] == ["fcn8s", "deconvnet"]
    fcn8s = report["forward"][0]
    assert {"conv1_1", "fc7", "score_pool3", "upscore8"} < fcn8s["layers"].keys()
    assert fcn8s["logits"]["relative"] < 1e-4
    assert len(report["training"]) == 2
    page = out.read_text()
    assert "| upscore8 |" in page
    assert "**missed**" not in page

    again = run(out, "--only", "forward", "--nets", "fcn8s")
    assert [r["net"] for r in again["forward"]] == ["fcn8s"]
    assert again["training"] == report["training"]
    assert json.loads(out.with_suffix(".json").read_text()) == again
