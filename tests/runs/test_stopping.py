"""SIGTERM and Ctrl-C: where they interrupt, and where they wait."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from fcn_jax.config import workdir as workdirs
from fcn_jax.runs import lock, stopping
from fcn_jax.runs.stopping import Stop, Stopping
from tests.support.compiled_code import IN_A_MUTEX
from tests.support.paths import ROOT
from tests.support.patience import SECONDS
from tests.support.runs import make_folder

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
said, say = threading.Event(), stopping._say
stopping._say = lambda *given: (say(*given), said.set())
with asked:
    if sys.argv[1] == "saving":
        with asked.saving():
            os.kill(os.getpid(), signal.SIGTERM)
            said.wait()
        print("saved", flush=True)
        sys.exit(asked.exit_code)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait()  # As compiled code that lets no handler raise.
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "output"),
    [
        ("compiling", "terminated: nothing is saved yet\n"),
        ("saving", "stopping: what was learned is being saved\nsaved\n"),
    ],
)
def test_a_process_that_is_busy_ends_by_itself_unless_it_saves(what, output):
    done = subprocess.run(
        [sys.executable, "-c", BUSY, what],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, output)


def test_what_begins_to_save_while_the_end_is_told_may_finish(monkeypatch):
    """Compiled code has returned at the last moment."""
    monkeypatch.setattr(stopping, "_GRACE", 0)
    ended, saves = [], contextlib.ExitStack()
    monkeypatch.setattr(os, "_exit", ended.append)
    asked = Stopping(lambda: f"terminated{saves.enter_context(asked.saving()) or ''}")
    asked._wait(signal.SIGTERM)
    assert ended == []
    saves.close()
    asked._describe = str
    asked._wait(signal.SIGTERM)
    assert ended == [128]


IN_C = (
    IN_A_MUTEX
    + """
stopping._GRACE = 0.3
if sys.argv[2] == "session":
    sys.ps1, say = ">>> ", stopping._say
    stopping._say = lambda *given: (say(*given), unlock(mutex))

asked = stopping.Stopping(lambda: "terminated: nothing is saved yet")
with asked:
    threading.Thread(target=ask, daemon=True).start()
    try:
        with asked.at_once():
            compiled()
    except stopping.Stop:
        print("stopped", flush=True)
        sys.exit(asked.exit_code)
"""
)


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="has no pthread_mutex_lock")
@pytest.mark.parametrize(
    ("number", "where", "output"),
    [
        (signal.SIGTERM, "process", "terminated: nothing is saved yet\n"),
        (signal.SIGINT, "process", "terminated: nothing is saved yet\n"),
        (
            signal.SIGINT,
            "session",
            "stopping: once what is computed now has ended\nstopped\n",
        ),
    ],
)
def test_compiled_code_that_does_not_return_is_ended(number, where, output):
    done = subprocess.run(
        [sys.executable, "-c", IN_C, str(int(number)), where],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, output, "")


COMPILING = """
import sys
import jax
import jax.numpy as jnp
from fcn_jax import __main__
from fcn_jax.runs import compilation


def slow(x):
    for i in range(3000):
        x = jnp.sin(x) + jnp.roll(x, i % 7 + 1)
    return x


def compile_step(*_):
    lowered = jax.jit(slow).lower(jnp.ones(64))
    print("compiling", flush=True)
    lowered.compile()
    print("compiled", flush=True)
    sys.exit(1)


compilation.compile_step = compile_step
__main__.start("train", ["fcn_jax train", *sys.argv[1:]])
"""

CONFIG = """
from tests.support.runs import tiny_config


def get_config(mode=""):
    return tiny_config({folder!r})
"""


@pytest.mark.long
def test_a_run_that_compiles_ends_within_seconds(tmp_path):
    """XLA has minutes to go, in the main thread, and lets no handler run."""
    config, workdir = tmp_path / "config.py", tmp_path / "run"
    folder = make_folder(tmp_path / "folder")
    config.write_text(CONFIG.format(folder=str(folder)))
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "",  # The tests' own have it compile with less care.
        "JAX_ENABLE_COMPILATION_CACHE": "false",
    }
    with subprocess.Popen(
        [sys.executable, "-c", COMPILING, f"--config={config}", f"--workdir={workdir}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        said = iter(process.stdout.readline, "")
        before = [line for line in iter(lambda: next(said), "compiling\n") if line]
        time.sleep(1)
        start = time.monotonic()
        process.terminate()
        rest, _ = process.communicate(timeout=SECONDS)
        seconds = time.monotonic() - start
    assert process.returncode == 128 + signal.SIGTERM, (before, rest)
    assert rest == "terminated: nothing is saved yet; run again to go on\n"
    # 4 until it ends itself; 5 is the promise, more a busy machine; XLA has minutes.
    assert seconds < 30
    assert workdirs.damage(workdir) == ""
    kept = [path for path in (workdir / "checkpoints").rglob("*") if path.is_file()]
    assert kept == []
    with lock.held(workdir):
        pass  # Nobody holds it any more.


def test_who_listened_before_goes_on_listening(soon):
    """As the event loop of a notebook; of other signals it is told meanwhile."""
    theirs, ours = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(SECONDS)
    before = signal.set_wakeup_fd(ours.fileno())
    handler = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with Stopping(str):
            send(signal.SIGTERM)
            send(signal.SIGUSR1)
            assert theirs.recv(8) == bytes([signal.SIGUSR1])
        assert signal.set_wakeup_fd(ours.fileno()) == ours.fileno()
    finally:
        theirs.close()
        ours.close()
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGUSR1, handler)


def test_who_listened_before_may_have_gone(soon):
    theirs, ours = socket.socketpair()
    ours.setblocking(False)
    before = signal.set_wakeup_fd(ours.fileno())
    with Stopping(str):
        ours.close()
        theirs.close()
    assert signal.set_wakeup_fd(before) == -1


FORKED = """
import os, signal
from fcn_jax.runs.stopping import Stopping
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with Stopping(str) as asked:
    ready, child = os.pipe(), os.fork()
    if not child:
        os.write(ready[1], b"1")
        signal.pause()
        os._exit(0)
    os.read(ready[0], 1)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    asked._hearing.close()  # All that has come is heard.
    asked._hearing = None
print(os.WTERMSIG(status), asked.asked)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_a_forked_process_is_ended_alone():
    """As the workers of somebody's data set, which are ended by SIGTERM."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=SECONDS
    )
    assert done.stdout.split() == [str(int(signal.SIGTERM)), "0"], done.stderr


IN_A_CALLBACK = """
import os, signal, sys, threading
from fcn_jax.runs import stopping
stopping._GRACE = 3600
went_on, again = threading.Event(), stopping.Stopping._send_again
stopping.Stopping._send_again = lambda self: (went_on.wait(), again(self))


class Callback:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass  # Here the handler raises, and Python drops what it raised.


with stopping.Stopping(str) as asked:
    try:
        with asked.at_once():
            callback = Callback()
            del callback
            print("went on", flush=True)
            went_on.set()
            threading.Event().wait()
    except stopping.Stop:
        print("stopped", flush=True)
"""


def test_a_stop_that_is_lost_in_a_callback_comes_again():
    """JAX has one at each garbage collection, also while XLA compiles."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CALLBACK],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.stdout, done.stderr) == ("went on\nstopped\n", "")
