"""What Orbax's threads print of a save that fails, which is raised as well."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Generator


@contextlib.contextmanager
def saves() -> Generator[None]:
    """Keep from the terminal what is raised too: tracebacks of threads that save.

    On a full disk Orbax 0.11 logs an error four times, each with a traceback, and
    TensorStore's threads meet event loops that are closed by then. The one line that
    says what to do would stand among them. Set FCN_JAX_TRACEBACK=1 to see them.
    """
    if os.environ.get("FCN_JAX_TRACEBACK"):
        yield
        return
    log, before = logging.getLogger("absl"), sys.unraisablehook
    hook = before if isinstance(before, _Hook) else _Hook(before)
    log.addFilter(_is_to_be_seen)
    sys.unraisablehook = hook
    failed = True
    try:
        yield
        failed = False
    finally:
        log.removeFilter(_is_to_be_seen)
        # The threads of a save that failed may come to their loop after the error.
        if sys.unraisablehook is hook and not failed:
            sys.unraisablehook = before


class _Hook:
    """`sys.unraisablehook` that passes over event loops which are closed."""

    def __init__(self, before: "Callable[[sys.UnraisableHookArgs], None]"):
        self.before = before

    def __call__(self, failed: "sys.UnraisableHookArgs") -> None:
        error = failed.exc_value
        if type(error) is not RuntimeError or str(error) != "Event loop is closed":
            self.before(failed)


def _is_to_be_seen(record: logging.LogRecord) -> bool:
    """No error of Orbax with its traceback."""
    return not (record.exc_info and "orbax" in record.pathname)
