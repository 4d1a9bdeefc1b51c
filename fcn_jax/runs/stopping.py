"""Answers SIGTERM and Ctrl-C: soon, with one line, and with what was learned saved."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_GRACE = 4.0  # Seconds after which a process that is busy elsewhere is ended.


class Stop(BaseException):
    """Raised where the process was asked to stop, and nothing is lost by it."""


class Stopping:
    """Whether the process was asked to stop; a context that listens.

    In the main thread alone: Python lets no other have handlers of signals. A signal
    raises `Stop` inside `at_once()`, and is noted otherwise. Compiled code lets no
    handler run: where nothing has been done about a signal after some seconds, the
    process ends by itself, as if it were killed, which a run survives.

    Args:
        describe: What a user is told when the process ends, in a line.

    Attributes:
        asked: The number of the signal; 0: none came.
    """

    def __init__(self, describe: Callable[[], str]):
        self.asked = 0
        self._describe = describe
        self._at_once = self._saving = False
        self._before: dict[int, object] = {}

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as shells have it."""
        return 128 + self.asked

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
        self._before = {}

    @contextlib.contextmanager
    def at_once(self) -> Generator[None, None, None]:
        """What may be broken off anywhere.

        Raises:
            Stop: If a signal has come, or comes.
        """
        if self.asked:
            raise Stop
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    @contextlib.contextmanager
    def saving(self) -> Generator[None, None, None]:
        """What takes as long as it takes."""
        self._saving = True
        try:
            yield
        finally:
            self._saving = False

    def _heard(self, number: int, frame: FrameType | None) -> None:
        del frame
        first, self.asked = not self.asked, number
        if first:
            timer = threading.Timer(_GRACE, self._late)
            timer.daemon = True
            timer.start()
        if self._at_once:
            self._at_once = False
            raise Stop

    def _late(self) -> None:
        """End a process that does not come to it, unless it is saving."""
        if not self._before:
            return  # It has come to it.
        if self._saving:
            print("stopping: what was learned is being saved", flush=True)
            return
        print(self._describe(), flush=True)
        sys.stdout.flush()
        os._exit(self.exit_code)
