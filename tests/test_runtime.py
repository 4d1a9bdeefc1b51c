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
