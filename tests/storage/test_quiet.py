"""What is kept from the terminal while a save fails, and what is not."""

import logging
import sys
import types

import pytest

from fcn_jax.storage import quiet


def watched(monkeypatch):
    """What reaches the hook that was there before; pytest has its own in each test."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_value))
    monkeypatch.delenv("FCN_JAX_TRACEBACK", raising=False)
    return seen


def unraisable(error):
    """As C++ reports an error that nobody can catch."""
    sys.unraisablehook(types.SimpleNamespace(exc_type=type(error), exc_value=error))


def log_error(path, exc_info):
    log = logging.getLogger("absl")
    record = log.makeRecord(log.name, logging.ERROR, path, 1, "failed", (), exc_info)
    log.handle(record)


def test_only_what_is_raised_too_is_kept_back(monkeypatch, caplog):
    seen = watched(monkeypatch)
    before, other = sys.unraisablehook, KeyError("a")
    failed = (ValueError, ValueError("b"), None)
    with quiet.saves():
        unraisable(RuntimeError("Event loop is closed"))
        unraisable(other)
        log_error("site-packages/orbax/checkpoint/future.py", failed)
        assert not caplog.records
        log_error("site-packages/orbax/checkpoint/future.py", None)
        log_error("site-packages/grain/x.py", failed)
        assert len(caplog.records) == 2
    assert seen == [other]
    assert sys.unraisablehook is before
    log_error("site-packages/orbax/checkpoint/future.py", failed)
    assert len(caplog.records) == 3


def test_whoever_wants_tracebacks_has_them(monkeypatch):
    seen = watched(monkeypatch)
    monkeypatch.setenv("FCN_JAX_TRACEBACK", "1")
    error = RuntimeError("Event loop is closed")
    with quiet.saves():
        unraisable(error)
    assert seen == [error]


def test_after_a_save_that_failed_its_threads_are_still_kept_back(monkeypatch):
    seen, other = watched(monkeypatch), KeyError("a")
    for _ in range(2):
        with pytest.raises(OSError, match="disk"), quiet.saves():
            raise OSError("disk")
        kept = sys.unraisablehook
    unraisable(RuntimeError("Event loop is closed"))
    unraisable(other)
    assert seen == [other]
    with quiet.saves():
        assert sys.unraisablehook is kept  # One is enough.
    assert sys.unraisablehook is kept
