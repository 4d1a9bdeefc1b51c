"""What a measurement was made with: versions, hardware, and who else was at work."""

import functools
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "torch")


def describe() -> dict[str, Any]:
    """What belongs beside every number; None where this machine does not tell.

    Starts JAX's backend, which takes a GPU's memory: where other processes are
    measured, call it when these have ended.
    """
    import jax

    return {
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in jax.local_devices()],
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "xla_flags": os.environ.get("XLA_FLAGS"),
    }


def on_gpu() -> bool:
    """Whether JAX computes on a GPU when it is not told otherwise."""
    import jax

    return jax.default_backend() == "gpu"


def sides_apart(makers: Mapping[str, Any]) -> bool:
    """Whether they get processes of their own: several sides do, on a CPU."""
    return len(makers) > 1 and not on_gpu()


def torch_device() -> str:
    """Where PyTorch computes: on the device of JAX."""
    import torch

    return "cuda" if on_gpu() and torch.cuda.is_available() else "cpu"


def torch_synchronize() -> None:
    """Wait until PyTorch's device is done."""
    import torch

    if torch_device() == "cuda":
        torch.cuda.synchronize()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the sources, with a + where they, or configs, differ from it.

    Pages do not count: measurements themselves are written into them.
    """
    folder = Path(__file__).parent.parent.parent
    run = functools.partial(subprocess.run, cwd=folder, capture_output=True, text=True)
    try:
        commit = run(["git", "describe", "--always", "--exclude=*"]).stdout.strip()
        changed = run(["git", "diff", "--quiet", "HEAD", "--", ".", ":!docs"])
    except OSError:
        return None
    return commit + ("+" if changed.returncode else "") if commit else None


def _cpu() -> str | None:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or None
    for line in path.read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return None
