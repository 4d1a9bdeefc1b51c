"""Signals that a thread hears, and the end of that."""

import os
import signal
import threading

import pytest

from fcn_jax.runs.hearing import Hearing
from tests.support.patience import SECONDS


@pytest.fixture
def handled():
    """A signal that nobody answers but who hears it."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_a_thread_that_comes_to_its_end_late_says_nothing(handled, monkeypatch):
    """As on a busy machine: what it listens to is closed before it looks again."""
    begun, go, failed = threading.Event(), threading.Event(), []

    def heard(number):
        begun.set()
        assert go.wait(SECONDS)

    monkeypatch.setattr(threading, "excepthook", failed.append)
    hearing = Hearing([signal.SIGUSR1], heard)
    thread = hearing._thread
    os.kill(os.getpid(), signal.SIGUSR1)
    assert begun.wait(SECONDS)
    hearing.close()
    go.set()
    thread.join(SECONDS)
    assert (thread.is_alive(), failed) == (False, [])
