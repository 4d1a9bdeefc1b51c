"""A measurement's process, ended with all that it started."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from typing import NamedTuple


class Answer(NamedTuple):
    """What came of a process.

    Attributes:
        status: Its exit status; None: its time was up.
        stdout: What it printed.
        stderr: Its messages.
    """

    status: int | None
    stdout: str
    stderr: str


def run(
    command: Sequence[str], environment: Mapping[str, str], seconds: float | None
) -> Answer:
    """Run a command; when its time is up, or ours, end its children too.

    It leads a session of its own, which is ended as a whole. Where this process is
    told to end (SIGTERM) while it waits, it ends the session first.

    Args:
        command: With its arguments.
        environment: Variables of the process.
        seconds: It may take; None: as many as it likes.
    """
    # Files, no pipes: what outlives the command could keep a pipe open.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as messages:
        with _ending_by_an_exception():
            process = subprocess.Popen(
                command,
                env=environment,
                stdout=out,
                stderr=messages,
                start_new_session=True,
            )
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _end_session(process)
        out.seek(0)
        messages.seek(0)
        return Answer(status, out.read(), messages.read())


def _end_session(process):
    """Also when it has ended well: what it left behind would disturb the next."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def _ending_by_an_exception() -> Generator[None]:
    """SIGTERM, which would end us at once, is a SystemExit, which tidies up."""

    def end(number, frame):
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
