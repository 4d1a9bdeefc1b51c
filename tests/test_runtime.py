"""What the entry points set before JAX starts."""

import ctypes
import platform
import resource
import subprocess
import sys

import pytest

from fcn_jax import runtime

_FAULTS = """
import resource
from fcn_jax import runtime
runtime.keep_freed_memory()
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = b"x" * 2**27
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_kept():
    """The second of two allocations of 128 MiB, in a fresh process, maps no pages."""
    command = [sys.executable, "-c", _FAULTS]
    faults = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert faults < 2**27 / resource.getpagesize() / 100


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    runtime.keep_freed_memory()


def test_without_a_home_nothing_is_kept(monkeypatch, caplog):
    """A container whose user has no name."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    set_to = []
    monkeypatch.setattr(runtime.Path, "home", no_home)
    monkeypatch.setattr(runtime.jax.config, "update", lambda *each: set_to.append(each))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    runtime.prepare()
    assert set_to == []
    assert "no home directory is known" in caplog.text
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/cache")
    runtime.prepare()
    assert set_to == [("jax_compilation_cache_dir", "/cache")]
