"""What the entry points set before JAX starts."""

import ctypes
import os
import platform
import resource
import subprocess
import sys

import jax
import pytest
from jax._src.compiler import get_compile_options
from jax._src.lib import xla_client

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


def test_what_xla_timed_is_kept_beside_what_it_compiled(monkeypatch, tmp_path):
    """JAX has a GPU's compiler look there, and add to it: the next start is quick."""
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))
    monkeypatch.setattr(runtime, "keep_freed_memory", lambda: None)
    try:
        runtime.prepare()
        options = get_compile_options(1, 1)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    build = options.executable_build_options  # Each holds the next, and not itself.
    told = build.debug_options
    place = tmp_path / "xla_gpu_per_fusion_autotune_cache_dir"
    assert told.xla_gpu_per_fusion_autotune_cache_dir == str(place)
    mode = told.xla_gpu_experimental_autotune_cache_mode
    assert mode == xla_client.AutotuneCacheMode.UPDATE


@pytest.mark.parametrize("depth", (0, 3))
def test_a_home_that_cannot_be_written_to_is_told_once(
    monkeypatch, caplog, tmp_path, depth
):
    """As of a service's user; JAX would warn of each program that it compiles."""
    place = tmp_path / ".cache/fcn_jax/xla"
    there = place.parents[depth - 1] if depth else place
    there.mkdir(parents=True, exist_ok=True)
    refused = []

    def access(path, mode):
        refused.append(path)
        return False

    monkeypatch.setattr(runtime.Path, "home", lambda: tmp_path)
    assert runtime._cache_dir() == place
    monkeypatch.setattr(runtime.os, "access", access)
    assert runtime._cache_dir() is None
    assert refused == [there]
    assert f"{place} cannot be written to, so that compiled programs are" in caplog.text


def test_a_home_that_is_a_file(monkeypatch, tmp_path):
    (tmp_path / "home").touch()
    monkeypatch.setattr(runtime.Path, "home", lambda: tmp_path / "home")
    assert runtime._cache_dir() is None
