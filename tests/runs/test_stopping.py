"""SIGTERM and Ctrl-C: where they interrupt, and where they wait."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from fcn_jax.runs import stopping
from fcn_jax.runs.stopping import Stop, Stopping

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def soon(monkeypatch):
    """No process is ended late."""
    monkeypatch.setattr(stopping, "_GRACE", 3600)


def send(number):
    os.kill(os.getpid(), number)
    time.sleep(0.01)  # Python runs handlers between two instructions.


@pytest.mark.parametrize("number", SIGNALS)
def test_what_may_be_broken_off_is(soon, number):
    with Stopping(str) as asked:
        with pytest.raises(Stop), asked.at_once():
            send(number)
        assert (asked.asked, asked.exit_code) == (number, 128 + number)
        with pytest.raises(Stop):
            asked.at_once().__enter__()


def test_elsewhere_it_is_noted(soon):
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stopping(str) as asked:
        send(signal.SIGTERM)
        assert asked.asked == signal.SIGTERM
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_other_threads_have_no_handlers():
    before = [signal.getsignal(number) for number in SIGNALS]
    seen = []

    def run():
        with Stopping(str):
            seen.extend(signal.getsignal(number) for number in SIGNALS)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == before


BUSY = """
import os, signal, sys, threading, time
from fcn_jax.runs import stopping
stopping._GRACE = 0.3
asked = stopping.Stopping(lambda: "terminated: nothing is saved yet")
with asked:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    if sys.argv[1] == "saving":
        with asked.saving():
            time.sleep(1)
        print("saved", flush=True)
        sys.exit(asked.exit_code)
    time.sleep(60)  # As compiled code that lets no handler raise.
"""


@pytest.mark.parametrize(
    ("what", "output"),
    [
        ("compiling", "terminated: nothing is saved yet\n"),
        ("saving", "stopping: what was learned is being saved\nsaved\n"),
    ],
)
def test_a_process_that_is_busy_ends_by_itself_unless_it_saves(what, output):
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", BUSY, what], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, output)
    assert time.monotonic() - start < 30
