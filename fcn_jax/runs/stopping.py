"""Answers SIGTERM and Ctrl-C: soon, with one line, and with what was learned saved."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from types import FrameType

from fcn_jax import hosts
from fcn_jax.hosts.stops import Stop
from fcn_jax.runs.hearing import Hearing

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_GRACE = 4.0  # Seconds after which a process that is busy elsewhere is ended.
_GRACE_TOGETHER = 25.0  # The same of several processes, which first agree.
_AGAIN = 0.05  # Seconds until a signal is sent again whose `Stop` was lost.
_SAVING = "stopping: what was learned is being saved"
_COMPUTING = "stopping: once what is computed now has ended"
_SAYING = 0.5  # Seconds for that line: who reads it may have stopped reading.


class Stopping:
    """Whether the process was asked to stop; a context that listens.

    In the main thread alone: Python lets no other have handlers of signals. A signal
    raises `Stop` inside `at_once()`, and is noted otherwise. While the main thread is
    in compiled code no handler runs; a thread hears the signal nevertheless, and where
    nothing has been done about it after some seconds, the process ends by that thread,
    as if it were killed, which a run survives. An interactive session is not ended by
    Ctrl-C: it holds more than this.

    Args:
        describe: What a user is told when the process ends, in a line.
        to_stderr: Whether it is told on the standard error: the output is data.
        crew: The processes that stop together: of several, none by itself.

    Attributes:
        asked: The number of the signal; 0: none came.
    """

    def __init__(
        self,
        describe: Callable[[], str],
        to_stderr: bool = False,
        crew: hosts.Crew = hosts.ALONE,
    ):
        self.asked, self._crew = 0, crew
        crew.listen(lambda: self.asked)
        self._describe, self._to_stderr = describe, to_stderr
        self._at_once = self._saving = False
        self._turn = threading.Lock()  # Of who begins to save, or ends the process.
        self._over = threading.Event()
        self._before: dict[int, object] = {}
        self._hearing: Hearing | None = None
        self._waiting: threading.Thread | None = None
        self._unraisable = sys.unraisablehook

    @property
    def exit_code(self) -> int:
        """128 and the number of the signal, as shells have it."""
        return 128 + self.asked

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():
            self._over.clear()
            self._hearing = Hearing(_SIGNALS, self._told)
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._swallowed
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._heard)
            _listening.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self.restore()
        if self._hearing is not None:
            if sys.unraisablehook == self._swallowed:
                sys.unraisablehook = self._unraisable
            self._hearing.close()
            self._hearing = None
            _listening.remove(self)

    def restore(self) -> None:
        """Give the handlers back that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
        self._before = {}

    @contextlib.contextmanager
    def at_once(self) -> Generator[None, None, None]:
        """What may be broken off anywhere.

        Raises:
            Stop: If a signal has come, or comes.
        """
        if self._crew.count == 1:
            if self.asked:
                raise Stop(self.asked)
            self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def check(self) -> None:
        """Between two steps, or two batches of an evaluation.

        Raises:
            Stop: If a signal has come; of several processes, if all stop here.
        """
        agreed = self._crew.tick()
        if self._crew.count > 1:
            if agreed:
                self.asked = agreed
                raise Stop(self.asked)
        elif self.asked:
            raise Stop(self.asked)

    @contextlib.contextmanager
    def saving(self) -> Generator[None, None, None]:
        """What takes as long as it takes."""
        with self._turn:
            before, self._saving = self._saving, True
        try:
            yield
        finally:
            self._saving = before

    def _heard(self, number: int, frame: FrameType | None) -> None:
        """The handler: in the main thread, between two instructions of Python."""
        del frame
        self.asked = number
        if self._at_once:
            self._at_once = False
            raise Stop(self.asked)

    def _swallowed(self, failed: "sys.UnraisableHookArgs") -> None:
        """A hook: what was raised in a callback, as of the garbage collector, is lost.

        Then the signal is sent again, to meet the main thread elsewhere.
        """
        if failed.exc_type is not Stop:
            self._unraisable(failed)
            return
        self._at_once = True
        _begun(threading.Timer(_AGAIN, self._send_again))

    def _send_again(self) -> None:
        if not self._over.is_set():
            os.kill(os.getpid(), self.asked)

    def _told(self, number: int) -> None:
        """In the thread that hears, whatever the main thread does."""
        self.asked = self.asked or number
        if self._waiting is None:
            self._waiting = _begun(threading.Thread(target=self._wait, args=(number,)))

    def _wait(self, number: int) -> None:
        """End a process that does not come to it, unless it is saving."""
        if self._over.wait(_GRACE if self._crew.count == 1 else _GRACE_TOGETHER):
            return
        if self._saving:
            _say(lambda: _SAVING, self._to_stderr)
        elif number == signal.SIGINT and hasattr(sys, "ps1"):
            _say(lambda: _COMPUTING, self._to_stderr)
        else:
            _say(self._describe, self._to_stderr)
            with self._turn:
                if not self._saving:  # It may have come to it meanwhile.
                    os._exit(self.exit_code)


def _say(describe: Callable[[], str], to_stderr: bool) -> None:
    """Print a line, if it can be done soon."""

    def say() -> None:
        with contextlib.suppress(OSError, ValueError):
            stream = sys.stderr if to_stderr else sys.stdout
            print(describe(), file=stream, flush=True)

    _begun(threading.Thread(target=say)).join(_SAYING)


def _begun(thread: threading.Thread) -> threading.Thread:
    """A thread that is started, and that no end of the process waits for."""
    thread.daemon = True
    thread.start()
    return thread


_listening: list[Stopping] = []


def tell(crew: hosts.Crew) -> None:
    """Have other processes know of a signal to this one, until a run listens itself.

    Those that it leaves then end with the code of the signal too.

    Args:
        crew: The processes.
    """
    if _listening:
        heard = _listening[-1]
        crew.listen(lambda: heard.asked)


def _forget() -> None:
    """In a process that was forked: signals to it are not signals to this one."""
    if _listening:
        signal.set_wakeup_fd(-1)
    while _listening:
        _listening.pop().restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
