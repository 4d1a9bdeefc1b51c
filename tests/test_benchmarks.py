"""Every measurement runs, at tiny sizes, and prints JSON that names the machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TINY = (
    "convolutions",
    "crf",
    "deconvnet",
    "device_parity",
    "eval_memory",
    "input_pipeline",
    "mixed_sizes",
    "networks",
    "pooling",
    "stages",
    "startup",
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", TINY)
def test_it_prints_json(name):
    answer = subprocess.run(
        [sys.executable, ROOT / f"benchmarks/{name}.py", "--smoke"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(answer.stdout)
    assert report["jax"]
    assert report["devices"]
    assert report["cores"] > 0
