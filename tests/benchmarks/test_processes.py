"""Measurements end with all that they started."""

import os
import signal
import subprocess
import sys
import time

from benchmarks.common import processes
from tests.support.paths import ROOT
from tests.support.patience import SECONDS

# A child that starts a sleeper, says who it is, and waits for it.
FAMILY = """
import subprocess, sys
sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
open(sys.argv[1], "w").write(str(sleeper.pid))
print("began", flush=True)
sleeper.wait()
"""


def alive(pid):
    """Whether it runs; one that waits to be counted by its parent does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid):
    end = time.monotonic() + 60  # A busy machine's; who is killed needs no time.
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def test_the_children_of_what_is_stopped_are_stopped(tmp_path):
    note = tmp_path / "pid"
    command, seconds = [sys.executable, "-c", FAMILY, str(note)], 1
    answer = processes.run(command, os.environ, seconds)
    while not answer.stdout and seconds < SECONDS:  # It was stopped before it began.
        seconds *= 4
        answer = processes.run(command, os.environ, seconds)
    assert answer.status is None
    assert answer.stdout == "began\n"
    assert ends(int(note.read_text()))


def test_what_a_process_left_behind_is_stopped(tmp_path):
    note = tmp_path / "pid"
    script = FAMILY.replace("sleeper.wait()", "")
    answer = processes.run([sys.executable, "-c", script, str(note)], os.environ, None)
    assert answer.status == 0
    assert ends(int(note.read_text()))


def test_who_is_told_to_end_ends_them_first(tmp_path):
    """As `timeout` does, which reaches no session but its own."""
    note = tmp_path / "pid"
    script = (
        "import os, sys; from benchmarks.common import processes; "
        "processes.run([sys.executable, '-c', *sys.argv[1:]], os.environ, None)"
    )
    outer = subprocess.Popen(
        [sys.executable, "-c", script, FAMILY, str(note)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    end = time.monotonic() + SECONDS
    while not (note.exists() and note.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    outer.terminate()
    assert outer.wait(SECONDS) == 128 + signal.SIGTERM
    assert ends(int(note.read_text()))


def test_status_and_messages_are_handed_on():
    script = "import sys; print(1); sys.exit('no')"
    answer = processes.run([sys.executable, "-c", script], os.environ, SECONDS)
    assert answer == (1, "1\n", "no\n")


def test_a_signal_means_again_what_it_meant():
    before = signal.getsignal(signal.SIGTERM)
    processes.run(["sleep", "5"], os.environ, 0.2)
    assert signal.getsignal(signal.SIGTERM) == before
