"""Hears signals while the main thread is in compiled code, where no handler runs."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Collection


class Hearing:
    """A thread that is told of signals when they come.

    Python runs handlers in the main thread, between two of its instructions: not while
    XLA compiles, or a step is awaited. What it writes into `signal.set_wakeup_fd` is
    written at once. Made and closed in the main thread.

    Args:
        numbers: The signals; of others, who listened before is told as before.
        heard: Called with the number of a signal, in that thread; it must not wait.
    """

    def __init__(self, numbers: Collection[int], heard: Callable[[int], object]):
        self._numbers, self._heard = frozenset(numbers), heard
        self._theirs, self._ours = socket.socketpair()
        self._ours.setblocking(False)
        self._before = signal.set_wakeup_fd(
            self._ours.fileno(), warn_on_full_buffer=False
        )
        self._thread = threading.Thread(
            target=self._listen, name="signals", daemon=True
        )
        self._thread.start()

    def _listen(self) -> None:
        while came := self._received():
            others = bytes(number for number in came if number not in self._numbers)
            if others and self._before >= 0:  # Such as an event loop's.
                with contextlib.suppress(OSError):
                    os.write(self._before, others)
            for number in came:
                if number in self._numbers:
                    self._heard(number)

    def _received(self) -> bytes:
        """Numbers of signals; none where it is over, and perhaps closed by now."""
        try:
            return self._theirs.recv(64)
        except OSError:
            return b""

    def close(self) -> None:
        """Let go of the signals, and wait for the thread."""
        try:
            signal.set_wakeup_fd(self._before)
        except (OSError, ValueError):  # Who listened before has gone.
            signal.set_wakeup_fd(-1)
        self._ours.shutdown(socket.SHUT_RDWR)
        self._thread.join(1)
        self._ours.close()
        self._theirs.close()
