"""Settings that every test runs under."""

import gc
import importlib.metadata
import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The tests compile much and run little: half the optimisation, a third of the time.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "")
    + " --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    # As the commands set it, of which some run in this process: XLA has read its flags
    # here by then, but not in the processes that tests start and compare with.
    + " --xla_cpu_experimental_ynn_fusion_type="
    # Later ones do not know this flag, and end a process that sets it.
    + " --xla_cpu_use_fusion_emitters=false"
    * importlib.metadata.version("jaxlib").startswith("0.10.")
)
# As many threads as virtual devices, in processes of one device too: the last bits of a
# convolution's gradient depend on how many there are, and there are at least as many.
os.environ["PJRT_NPROC"] = "8"
os.environ.setdefault("MPLBACKEND", "Agg")

import jax
import pytest

# Traces make millions of objects, few of which wait for the collector.
gc.set_threshold(50_000, 20, 20)
jax.config.update("jax_num_cpu_devices", 8)  # Virtual; most tests use the first.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


_MANY_MAPS = 25_000


def pytest_ignore_collect(collection_path, config):
    """tests/parity imports PyTorch, which only `make parity` installs."""
    if collection_path.name == "parity" and config.option.markexpr != "parity":
        return True
    return None


@pytest.fixture(scope="session", autouse=True)
def _compile_once(tmp_path_factory):
    """What two tests compile, they compile once; subprocesses share it too."""
    cache = str(tmp_path_factory.getbasetemp().parent / "xla")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = cache
    jax.config.update("jax_compilation_cache_dir", cache)
    # By default nothing is kept that compiles in less than a second; most does here.
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture(scope="module", autouse=True)
def _free_programs():
    """Let go of what was compiled, where that is much.

    Every program on the CPU takes some of the memory maps that Linux grants a process,
    65,530; a worker that runs half of the suite would run out of them and crash.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and len(maps.read_text().splitlines()) > _MANY_MAPS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="module")
def quick_runs_only():
    """A module whose runs have shallow nets; see tests/support/quick_runs.py."""
    from tests.support import quick_runs

    with quick_runs.shallow():
        yield


@pytest.fixture
def shallow_nets():
    """A test whose nets are shallow."""
    from tests.support import quick_runs

    with quick_runs.shallow():
        yield


@pytest.fixture
def key():
    return jax.random.key(0)
