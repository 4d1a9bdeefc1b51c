"""Settings of the process, made by the entry points before JAX starts its backend."""

import logging
import os
from pathlib import Path

import jax
from absl import logging as absl_logging

# XLA's newer convolution fusion for CPU slows the training of VGG-sized nets down; an
# empty list of fusion types turns it off. Known to jaxlib 0.8 to 0.12.
_XLA_CPU_FLAG = "--xla_cpu_experimental_ynn_fusion_type="


def prepare(cache_dir: str | Path | None = None) -> None:
    """Set XLA flags for the CPU and turn the compilation cache on.

    Call before the first JAX computation; the library itself never does.

    Args:
        cache_dir: Where compiled programs are kept; None: $JAX_COMPILATION_CACHE_DIR,
            else ~/.cache/fcn_jax/xla.
    """
    # Orbax tells of every file that it writes, TFDS of decoders that it would prefer.
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.getLogger("absl").setLevel(logging.ERROR)
    flags = os.environ.get("XLA_FLAGS", "")
    if _XLA_CPU_FLAG.rstrip("=") not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_XLA_CPU_FLAG}".strip()
    if cache_dir is None:
        cache_dir = os.environ.get(
            "JAX_COMPILATION_CACHE_DIR", Path.home() / ".cache" / "fcn_jax" / "xla"
        )
    jax.config.update("jax_compilation_cache_dir", str(cache_dir))
