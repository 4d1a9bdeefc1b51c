"""Settings of the process, made by the entry points before JAX starts its backend."""

import contextlib
import ctypes
import logging
import os
import re
from collections.abc import Generator
from pathlib import Path

import jax
from absl import logging as absl_logging

# XLA's newer convolution fusion for CPU slows the training of VGG-sized nets down; an
# empty list of fusion types turns it off. Known to jaxlib 0.8 to 0.12.
_XLA_CPU_FLAG = "--xla_cpu_experimental_ynn_fusion_type="

# Parameters of mallopt(3) and the values under which glibc keeps what was freed: one
# heap, no memory that goes back when a block is freed, no end of the heap that does.
_M_ARENA_MAX, _M_MMAP_MAX, _M_TRIM_THRESHOLD = -8, -4, -1
_KEEP_FREED_MEMORY = {_M_ARENA_MAX: 1, _M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1}


def prepare(cache_dir: str | Path | None = None) -> None:
    """Set XLA flags for the CPU, keep freed memory, turn the compilation cache on.

    Call before the first JAX computation; the library itself never does.

    Args:
        cache_dir: Where compiled programs are kept; None: $JAX_COMPILATION_CACHE_DIR,
            else ~/.cache/fcn_jax/xla.
    """
    # Orbax tells of every file that it writes, TFDS of decoders that it would prefer.
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.getLogger("absl").setLevel(logging.ERROR)
    # It tells of a home that it cannot write to, and does without.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    flags = os.environ.get("XLA_FLAGS", "")
    if _XLA_CPU_FLAG.rstrip("=") not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_XLA_CPU_FLAG}".strip()
    cache_dir = cache_dir or os.environ.get("JAX_COMPILATION_CACHE_DIR") or _cache_dir()
    if cache_dir is not None:
        jax.config.update("jax_compilation_cache_dir", str(cache_dir))
    keep_freed_memory()


def _cache_dir() -> Path | None:
    """Where compiled programs are kept by default; None, and a line, without a home."""
    try:
        place = Path.home() / ".cache" / "fcn_jax" / "xla"
        if _may_be_written(place):
            return place
        why = f"{place} cannot be written to"
    except RuntimeError:
        why = "no home directory is known"
    logging.getLogger(__name__).warning(
        "%s, so that compiled programs are not kept; set JAX_COMPILATION_CACHE_DIR to "
        "keep them",
        why,
    )
    return None


def _may_be_written(place: Path) -> bool:
    """Whether a folder is one that files can be made in, or can be made itself."""
    try:
        there = next(p for p in (place, *place.parents) if p.exists())
    except OSError:  # A home that may not even be looked into.
        return False
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


_ASKED_FOR = re.compile(r"allocat\w* ([\d.]+) ?([KMGT]?)i?B", re.IGNORECASE)


@contextlib.contextmanager
def naming_memory(images: int, height: int, width: int) -> Generator[None]:
    """Note, where memory does not suffice, how much of it a pixel of a batch takes.

    Args:
        images: Of the batch, as the device sees it.
        height: Of each, pixels.
        width: Likewise.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        found = _ASKED_FOR.search(str(error))
        if found:
            power = " KMGT".index(found[2].upper() or " ")
            each = float(found[1]) * 1024**power / (images * height * width)
            error.add_note(
                f"That is {each:,.0f} bytes a pixel, of {images} image"
                f"{'s' * (images > 1)} of {height}x{width} (height x width)."
            )
        raise


def keep_freed_memory() -> None:
    """Have the C library keep freed memory for the next use; a hint, glibc's alone.

    XLA on the CPU allocates the buffers of a step anew each time, gigabytes for the
    published nets; by default they go back to the system after it, and every page is
    cleared and mapped again in the next. The process keeps its peak until it ends.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _KEEP_FREED_MEMORY.items():
            mallopt(parameter, value)
