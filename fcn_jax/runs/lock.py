"""One process in a run's directory at a time."""

import contextlib
import datetime
import json
import os
import socket
from collections.abc import Generator
from pathlib import Path

import filelock

from fcn_jax.storage import files, mirrors

LOCK, HOLDER = ".lock", "running.json"
_MOMENT = 0.5  # Seconds: who only looks whether it is held takes it for an instant.
_TRIES = 5


@contextlib.contextmanager
def held(workdir: str | Path) -> Generator[None, None, None]:
    """Hold the directory of a run; a process that dies lets go of it by that.

    Args:
        workdir: The directory; made if there is none, and taken away again if nothing
            was written into it.

    Raises:
        ValueError: If another process holds it, naming that; or it is an address.
        OSError: If it may not be written to.
    """
    mirrors.check_local(workdir, "--workdir")
    workdir = Path(workdir)
    try:
        with files.writing(workdir, "--workdir"):
            lock = _taken(workdir)
    except filelock.Timeout:
        raise ValueError(
            f"{workdir} is in use: {_described(workdir)} trains in it. Wait for it, "
            f"stop it, or give another --workdir."
        ) from None
    try:
        files.write_json(workdir / HOLDER, _ourselves())
        yield
    finally:
        # What cannot be tidied up (".", a link, a mount) hides no error of the run.
        with contextlib.suppress(OSError):
            (workdir / HOLDER).unlink(missing_ok=True)
            if [path.name for path in workdir.iterdir()] == [LOCK]:
                (workdir / LOCK).unlink()
                workdir.rmdir()
        lock.release()


def _taken(workdir: Path) -> filelock.BaseFileLock:
    """The lock of a directory, which is made if there is none.

    It is made again where one that wrote nothing takes it away meanwhile.

    Raises:
        filelock.Timeout: If another process has it.
        OSError: If it cannot be made.
    """
    for _ in range(_TRIES - 1):
        with contextlib.suppress(FileNotFoundError):
            return _taken_once(workdir)
    return _taken_once(workdir)


def _taken_once(workdir: Path) -> filelock.BaseFileLock:
    workdir.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(workdir / LOCK)
    lock.acquire(timeout=_MOMENT, poll_interval=0.05)
    return lock


def _ourselves() -> dict[str, object]:
    now = datetime.datetime.now(datetime.UTC)
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": now.isoformat(timespec="seconds"),
    }


def holder(workdir: str | Path) -> str:
    """Who holds a directory, as far as is known; "" if nobody does.

    Args:
        workdir: Of a run.
    """
    workdir = Path(workdir)
    if not (workdir / LOCK).exists() or not (workdir / HOLDER).exists():
        return ""  # Who holds it says so; a lock that nobody holds is not touched.
    lock = filelock.FileLock(workdir / LOCK)
    # Where the one that is named is dead, another may be looking as well.
    wait = 0 if _lives(workdir) else _MOMENT
    try:
        lock.acquire(timeout=wait, poll_interval=0.05)
    except filelock.Timeout:
        return _described(workdir)
    except OSError:  # Of a directory that may not be written to.
        return _described(workdir) if _lives(workdir) else ""
    lock.release()
    return ""


def _lives(workdir: Path) -> bool:
    """Whether the process that says that it holds a directory is there."""
    try:
        found = json.loads((workdir / HOLDER).read_text("utf-8"))
        if found["host"] != socket.gethostname() or os.name == "nt":
            return True  # As far as can be told from here.
        os.kill(int(found["pid"]), 0)
    except PermissionError:
        return True  # It is another user's.
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _described(workdir: Path) -> str:
    try:
        found = json.loads((workdir / HOLDER).read_text("utf-8"))
        return f"process {found['pid']} on {found['host']}, since {found['since']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
