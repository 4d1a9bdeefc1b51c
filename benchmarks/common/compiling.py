"""Compiling a step, and how much of it another process had done already."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import jax
from jax import monitoring

_HIT = "/jax/compilation_cache/cache_hits"
# Of the folder of compiled programs; JAX tells XLA to keep there what it tunes.
_TUNED = "xla_gpu_per_fusion_autotune_cache_dir"


def compiled(
    lowered: jax.stages.Lowered, options: Mapping[str, str | bool | int]
) -> tuple[jax.stages.Compiled, dict[str, object]]:
    """A step compiled, and what that took.

    Args:
        lowered: What is to be compiled.
        options: Of XLA.

    Returns:
        The step, and `compile_s`, seconds; `from_cache`, whether the program was there
        from another run; `tuned`, how many operations were tuned that had not been in
        any run before. Within one process XLA also knows what it tuned there.
    """
    before = _tuned()
    start = time.perf_counter()
    with _hits() as hits:
        step = lowered.compile(dict(options) or None)
    seconds = time.perf_counter() - start
    return step, {
        "compile_s": round(seconds, 1),
        "from_cache": bool(hits),
        "tuned": _tuned() - before,
    }


@contextmanager
def _hits() -> Generator[list[str]]:
    found: list[str] = []

    def note(event: str, **_: str | int | float) -> None:
        if event == _HIT:
            found.append(event)

    monitoring.register_event_listener(note)
    try:
        yield found
    finally:
        monitoring.unregister_event_listener(note)


def _tuned() -> int:
    folder = jax.config.jax_compilation_cache_dir
    if not folder:
        return 0
    return sum(each.is_file() for each in Path(folder, _TUNED).rglob("*"))
