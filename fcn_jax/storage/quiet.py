"""What Orbax's threads print of a save that fails, which is raised as well."""

import contextlib
import logging
import os
import sys
from collections.abc import Generator


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

    def hook(failed: "sys.UnraisableHookArgs") -> None:
        error = failed.exc_value
        if type(error) is not RuntimeError or str(error) != "Event loop is closed":
            before(failed)

    log.addFilter(_is_to_be_seen)
    sys.unraisablehook = hook
    try:
        yield
    finally:
        log.removeFilter(_is_to_be_seen)
        if sys.unraisablehook is hook:
            sys.unraisablehook = before


def _is_to_be_seen(record: logging.LogRecord) -> bool:
    """No error of Orbax with its traceback."""
    return not (record.exc_info and "orbax" in record.pathname)
