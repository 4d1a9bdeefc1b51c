"""One process in a run's directory at a time."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import filelock
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
        assert lock.holder(tmp_path / "run").startswith(f"process {process.pid} on ")
        process.kill()  # A dead process holds nothing.
    assert (tmp_path / "run/running.json").exists()
    assert lock.holder(tmp_path / "run") == ""
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


def test_a_look_does_not_make_a_start_fail(tmp_path, monkeypatch):
    """Who looks takes the lock for an instant; and not at all where none is held."""
    monkeypatch.setattr(lock, "_MOMENT", 30)
    (tmp_path / "file").touch()
    look = filelock.FileLock(tmp_path / ".lock", thread_local=False)
    look.acquire()
    timer = threading.Timer(0.1, look.release)
    timer.start()
    with lock.held(tmp_path):
        pass
    timer.join()
    assert (tmp_path / ".lock").exists()
    monkeypatch.delattr(filelock, "FileLock")
    assert lock.holder(tmp_path) == ""


def test_two_that_look_at_once_see_nobody(tmp_path, monkeypatch):
    """At what a process has left that was killed: one of them has the lock."""
    monkeypatch.setattr(lock, "_MOMENT", 30)
    said = {"pid": 2**22 + 1, "host": socket.gethostname(), "since": "2026"}
    (tmp_path / "running.json").write_text(json.dumps(said))
    look = filelock.FileLock(tmp_path / ".lock", thread_local=False)
    look.acquire()
    timer = threading.Timer(0.1, look.release)
    timer.start()
    assert lock.holder(tmp_path) == ""
    timer.join()


def test_a_directory_is_made_again_that_its_holder_takes_away(tmp_path, monkeypatch):
    """It wrote nothing into it, and ends while another one waits for it."""
    monkeypatch.setattr(lock, "_MOMENT", 30)
    workdir = tmp_path / "run"
    held = filelock.FileLock(workdir / ".lock", thread_local=False)
    held.acquire()

    def leave():
        shutil.rmtree(workdir)
        held.release()

    timer = threading.Timer(0.2, leave)
    timer.start()
    with lock.held(workdir):
        timer.join()
        (workdir / "file").touch()
    assert (workdir / "file").exists()


def test_a_directory_that_is_always_taken_away_is_an_error(tmp_path, monkeypatch):
    def gone(self, *_, **__):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(filelock.FileLock, "acquire", gone)
    with pytest.raises(FileNotFoundError), lock.held(tmp_path / "run"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="has no flock")
def test_what_is_held_is_the_file_that_others_see(tmp_path, monkeypatch):
    """Its holder removes the file after it was opened here, and before it is locked."""
    fcntl, removed = pytest.importorskip("fcntl"), []
    flock = fcntl.flock

    def late(file, operation):
        if not removed:
            removed.append((tmp_path / ".lock").unlink())
        return flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with lock.held(tmp_path):
        other = filelock.FileLock(tmp_path / ".lock", thread_local=False)
        with pytest.raises(filelock.Timeout):
            other.acquire(timeout=0)
    assert removed == [None]


@pytest.mark.parametrize(
    ("host", "pid", "held"),
    (("", "own", True), ("", "none", False), ("elsewhere", 1, True)),
)
def test_the_holder_of_a_directory_that_may_not_be_written_to(
    tmp_path, monkeypatch, host, pid, held
):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / ".lock").touch()
    pid = os.getpid() if pid == "own" else pid
    said = {"pid": pid, "host": host or socket.gethostname(), "since": "2026"}
    (tmp_path / "running.json").write_text(json.dumps(said))
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    expected = f"process {pid} on {said['host']}, since 2026," if held else ""
    assert lock.holder(tmp_path) == expected


@pytest.mark.parametrize("owner", (Path, filelock.FileLock))
def test_a_directory_that_may_not_be_written_to_is_named(tmp_path, monkeypatch, owner):
    """That it is held by nobody does not make it writable."""

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    name = "mkdir" if owner is Path else "acquire"
    monkeypatch.setattr(owner, name, refuse)
    message = r"run could not be written .Read-only file .*for writing or .* --workdir"
    with pytest.raises(OSError, match=message), lock.held(tmp_path / "run"):
        pass


def test_a_directory_that_cannot_be_removed_hides_no_error(tmp_path, monkeypatch):
    """Such as ".": what went wrong in it is told."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no data"), lock.held("."):
        raise ValueError("no data")
    with lock.held("."):
        pass  # It was let go of.
