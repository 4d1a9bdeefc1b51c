"""Chips that are not there, as JAX compiles for them, and what they can do at best."""

import dataclasses
import importlib.util
import os
from collections.abc import Sequence

# What XLA asks a device about, in its own text form; read off an H100 SXM.
_H100 = """
gpu_device_info {
  threads_per_block_limit: 1024  threads_per_warp: 32
  shared_memory_per_block: 49152  shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448
  threads_per_core_limit: 2048  core_count: 132  fpus_per_core: 128
  block_dim_limit_x: 2147483647  block_dim_limit_y: 65535  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000  l2_cache_size: 52428800
  clock_rate_ghz: 1.98  device_memory_size: 84929347584
  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 12 }
runtime_version { major: 13 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


@dataclasses.dataclass(frozen=True)
class Chip:
    """A chip by its data sheet.

    Attributes:
        platform: Of JAX: "cuda" or "tpu".
        flops: Of dense bfloat16 products, a second.
        bandwidth: Of its memory, bytes a second.
        memory: Bytes.
        unit: Multipliers along a side of its matrix unit; 0: what is not as wide as
            the unit costs no more than its FLOPs, or nobody says.
    """

    platform: str
    flops: float
    bandwidth: float
    memory: float
    unit: int = 0


# NVIDIA H100 SXM5 data sheet; cloud.google.com/tpu/docs/v5e.
CHIPS = {
    "cuda": Chip("cuda", 989e12, 3.35e12, 80e9),
    "tpu": Chip("tpu", 197e12, 819e9, 16 * 2**30, unit=128),
}
# What JAX compiles with for each.
_COMPILERS = {"cuda": "jax_cuda13_plugin", "tpu": "libtpu"}
# Of v5e, by the chips that take part.
TOPOLOGIES = {1: "v5e:2x2", 4: "v5e:2x2", 256: "v5e:16x16"}


def prepare() -> None:
    """Keep JAX from looking for devices; to be called before it is imported."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    # No server to be asked what this machine is; libtpu warns of what it is not told.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-4")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")


def check(name: str, count: int) -> None:
    """Whether so many chips can be compiled for, with what is installed.

    Args:
        name: "cuda" or "tpu".
        count: How many.

    Raises:
        ValueError: If there is no topology of so many.
        ModuleNotFoundError: If the compiler of the chip is not installed.
    """
    if name == "tpu" and count not in TOPOLOGIES:
        raise ValueError(
            f"--devices={count}: v5e is compiled for with one of "
            f"{', '.join(map(str, TOPOLOGIES))}."
        )
    if name == "cuda" and count != 1:
        raise ValueError(
            f"--devices={count}: an H100 is compiled for alone, --devices=1; steps "
            f"of {', '.join(map(str, sorted(TOPOLOGIES)[1:]))} chips are compiled for "
            f"tpu."
        )
    if importlib.util.find_spec(_COMPILERS[name]) is None:
        raise ModuleNotFoundError(
            f"{_COMPILERS[name]} is not installed, by which {name} is compiled for; "
            f"make aot makes an environment that has it, .venv-aot."
        )


def devices(name: str, count: int) -> Sequence:
    """Devices to compile for.

    Args:
        name: "cuda" or "tpu".
        count: How many; of "cuda" one.

    Returns:
        They can be compiled for, and nothing else.

    Raises:
        ValueError: If there is no topology of so many.
        ModuleNotFoundError: If the compiler of the chip is not installed.
    """
    check(name, count)
    import jax
    from jax.experimental import topologies

    # What is kept could be read back on a device alone.
    jax.config.update("jax_enable_compilation_cache", False)
    if name == "tpu":
        found = topologies.get_topology_desc(TOPOLOGIES[count], platform="tpu")
        return found.devices[:count]
    _know_cuda()
    found = topologies.get_topology_desc(
        "", platform="cuda", target_config=_H100, topology="1x1x1"
    )
    return found.devices[:1]


def _know_cuda() -> None:
    """Make JAX know CUDA where no GPU is: https://github.com/jax-ml/jax/issues/23971."""
    import jax
    from jax._src import xla_bridge

    jax.devices()  # It finds the plugins, once; CUDA's cannot be found twice.
    known = xla_bridge.canonicalize_platform

    def canonical(platform: str) -> str:
        return "cuda" if platform in ("gpu", "cuda") else known(platform)

    xla_bridge.canonicalize_platform = canonical
