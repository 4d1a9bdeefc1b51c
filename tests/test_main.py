"""Ctrl-C while the modules of a command are imported."""

import os
import signal
import subprocess
import sys

import pytest

from fcn_jax import __main__
from tests.support.patience import SECONDS


@pytest.mark.parametrize(
    ("name", "status", "answer"),
    (("SIGINT", 130, "interrupted\n"), ("SIGTERM", 143, "terminated\n")),
)
def test_a_signal_while_importing_ends_the_process(name, status, answer):
    """Even where a module takes it for a library that is not there."""
    code = (
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "from fcn_jax import __main__\n"
        "with __main__._interruptible():\n"
        "    try:\n"
        f"        os.kill(os.getpid(), signal.{name})\n"
        "        while True: pass\n"
        "    except BaseException:\n"
        "        print('went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (status, answer)
    assert done.stdout == ""


@pytest.fixture
def python_s_own():
    """The handler of a process in the foreground; others may ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_afterwards_it_is_what_it_was(python_s_own):
    before = signal.getsignal(signal.SIGINT)
    with __main__._interruptible():
        assert signal.getsignal(signal.SIGINT) is __main__._leave
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_handler_of_somebody_else_stays():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        with __main__._interruptible():
            os.kill(os.getpid(), signal.SIGINT)
        assert seen == [1]
    finally:
        signal.signal(signal.SIGINT, before)
