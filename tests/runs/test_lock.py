"""One process in a run's directory at a time."""

import json
import os
import subprocess
import sys

import pytest

from fcn_jax.runs import lock

HOLD = """
import sys
from fcn_jax.runs import lock
with lock.held(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_second_start_is_told_who_holds_it(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        message = rf"run is in use: process {process.pid} on .*, since 20.*, trains in"
        with pytest.raises(ValueError, match=message), lock.held(tmp_path / "run"):
            pass
        process.kill()  # A dead process holds nothing.
    with lock.held(tmp_path / "run"):
        holder = json.loads((tmp_path / "run/running.json").read_text())
        assert holder["pid"] == os.getpid()


def test_a_holder_that_is_not_known(tmp_path):
    with lock.held(tmp_path):
        (tmp_path / "running.json").write_text("{")
        message = "is in use: another process trains in it."
        with pytest.raises(ValueError, match=message), lock.held(tmp_path):
            pass


def test_what_was_not_used_is_not_left(tmp_path):
    with pytest.raises(KeyError), lock.held(tmp_path / "run"):
        raise KeyError
    assert not (tmp_path / "run").exists()
    with lock.held(tmp_path / "run"):
        (tmp_path / "run" / "file").touch()
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"file", ".lock"}
