"""One process in a run's directory at a time."""

import contextlib
import datetime
import json
import os
import socket
from collections.abc import Generator
from pathlib import Path

import filelock

from fcn_jax.storage import files

LOCK, HOLDER = ".lock", "running.json"


@contextlib.contextmanager
def held(workdir: str | Path) -> Generator[None, None, None]:
    """Hold the directory of a run; a process that dies lets go of it by that.

    Args:
        workdir: The directory; made if there is none, and taken away again if nothing
            was written into it.

    Raises:
        ValueError: If another process holds it; naming that.
    """
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(workdir / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ValueError(
            f"{workdir} is in use: {_described(workdir)} trains in it. Wait for it, "
            f"stop it, or give another --workdir."
        ) from None
    try:
        files.write_json(workdir / HOLDER, _ourselves())
        yield
    finally:
        (workdir / HOLDER).unlink(missing_ok=True)
        if [path.name for path in workdir.iterdir()] == [LOCK]:
            (workdir / LOCK).unlink()
            workdir.rmdir()
        lock.release()


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
    path = Path(workdir) / LOCK
    if not path.exists():
        return ""
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return _described(Path(workdir))
    except OSError:
        return ""  # A directory that may not be written to is held by nobody.
    lock.release()
    return ""


def _described(workdir: Path) -> str:
    try:
        found = json.loads((workdir / HOLDER).read_text("utf-8"))
        return f"process {found['pid']} on {found['host']}, since {found['since']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
