"""How a process of several ends: with one line and a code, and waiting for nobody."""

import atexit
import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator

GONE = 75  # Exit code where another process is gone, or hangs: start all again.
FAILED = 1
_LONGEST = 600.0  # Seconds for which an end waits for what is being written.

# Held by who writes what needs no other process, and should be whole at the end.
writing = threading.RLock()
_once = threading.Lock()
_unfinished: list[Callable[[], object]] = []


@contextlib.contextmanager
def awaiting(finish: Callable[[], object]) -> Generator[None]:
    """Have an end wait for what threads of their own write, such as Orbax's.

    Args:
        finish: Returns when that is whole; it is called in a thread, and may fail.
    """
    _unfinished.append(finish)
    try:
        yield
    finally:
        _unfinished.remove(finish)


def _finish() -> None:
    for finish in tuple(_unfinished):
        with contextlib.suppress(Exception):  # Who wrote it is told when it looks.
            finish()


def end(code: int, text: str) -> None:
    """Say one line and end the process, from any thread, once what it writes is whole.

    Python would wait for JAX's shutdown, which waits for a process that is gone.

    Args:
        code: Exit code.
        text: The line.
    """
    if not _once.acquire(blocking=False):
        threading.Event().wait()  # Another thread ends the process.
    writing.acquire(timeout=_LONGEST)
    rest = threading.Thread(target=_finish, daemon=True)
    rest.start()
    rest.join(_LONGEST)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, f"error: {text}\n".encode())  # No buffer, no lock.
    os._exit(code)


def at_once(code: int = FAILED) -> None:
    """Have the process end without JAX's shutdown once Python has said why.

    Args:
        code: Exit code.
    """

    def leave() -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    atexit.register(leave)  # The last one registered is the first one called.


_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int)
_kept: list[object] = []  # Handlers that the C library points to.


def on_abort(answer: Callable[[], tuple[int, str]]) -> None:
    """Answer an abort of JAX's runtime, which ends the process by it.

    Its client aborts, in C++ and on a thread of its own, when process 0 does not come
    or is gone; no exception is raised, and Python's handlers are never called.

    Args:
        answer: The exit code, and the line that is said.
    """

    def handler(number: int) -> None:
        del number
        end(*answer())

    library = ctypes.CDLL(None)
    library.signal.argtypes = [ctypes.c_int, _Handler]
    library.signal.restype = ctypes.c_void_p
    _kept.append(_Handler(handler))
    library.signal(signal.SIGABRT, _kept[-1])
