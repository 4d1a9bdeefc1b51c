"""The steps of a run as its devices take them, and what compiling them says."""

from collections.abc import Sequence
from pathlib import Path

import jax
import jaxlib
import optax

from fcn_jax import parallel, training
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.training.losses import Loss

_GPUS = ("gpu", "cuda", "rocm")  # Platforms whose compiler times algorithms.
_KEPT_IN = "xla_gpu_per_fusion_autotune_cache_dir"


def training_step(
    config: Config,
    devices: Sequence[parallel.Device],
    *,
    model: Model,
    optimizer: optax.GradientTransformation,
    loss: Loss,
    preprocessing: Preprocessing,
) -> parallel.Step:
    """The training step of a config, over all devices.

    Args:
        config: See `fcn_jax.config.base`.
        devices: That train.
        model: The network, over the axis of all devices.
        optimizer: Of its parameters.
        loss: What is minimised.
        preprocessing: What turns images into the network's input.

    Returns:
        (state, batch) -> (state, metrics), with a leading axis of devices; see
        `fcn_jax.training.train_step`. The state that is given is used up.
    """
    return parallel.data_parallel(
        training.train_step,
        devices,
        donate=(0,),
        model=model,
        optimizer=optimizer,
        seed=config.seed,
        loss=loss,
        preprocessing=preprocessing,
        frozen=tuple(config.optim.frozen),
        accumulate=config.accumulate,
        axis_name=parallel.axis_of(devices),
    )


def compile_step(
    step: parallel.Step, options: parallel.Options | None, *arguments: object
) -> jax.stages.Compiled:
    """A step compiled for arguments of one shape.

    Args:
        step: Of all devices.
        options: See `xla_options`.
        *arguments: Of the step, or their shapes.
    """
    return step.lower(*arguments).compile(options)


def xla_options(
    config: Config,
    devices: Sequence[parallel.Device],
    workdir: str | Path | None = None,
    update: bool = False,
) -> parallel.Options | None:
    """What XLA is told beside its defaults, for every step that a run's results need.

    With `config.deterministic`, on GPUs, to leave out what does not add in one order:
    atomic sums of scattered values, some algorithms of cuDNN. Of those that are left
    XLA takes one that was kept, else the first in cuDNN's order (jaxlib 0.10), where it
    would time all of them and take another from run to run. But it takes what was kept
    whichever it is: so such a run has a folder of its own, `autotuning/` of its
    directory, in place of that beside JAX's cache, where other runs left theirs. It is
    one a version of jaxlib, which XLA does not compare, and goes with the run to
    another machine.

    Args:
        config: See `fcn_jax.config.base`.
        devices: That are compiled for.
        workdir: Of the run; None, or a file: nothing is kept, nor taken.
        update: Whether this process adds to what is kept; one of all does.
    """
    if not config.get("deterministic", False):  # Older runs do not have it.
        return None
    if devices[0].platform not in _GPUS:
        return None
    options: parallel.Options = {"xla_gpu_exclude_nondeterministic_ops": True}
    if workdir is None or Path(workdir).is_file():
        return options | {_KEPT_IN: ""}
    place = Path(workdir, "autotuning", f"jaxlib-{jaxlib.__version__}")
    mode = f"AUTOTUNE_CACHE_MODE_{'UPDATE' if update else 'READ'}"
    return options | {
        _KEPT_IN: str(place.absolute()),
        "xla_gpu_experimental_autotune_cache_mode": mode,
    }


def make_room(options: parallel.Options | None) -> None:
    """Make the folder that XLA writes what it chose into; it makes none by itself.

    Args:
        options: See `xla_options`.
    """
    if options and options[_KEPT_IN]:
        Path(str(options[_KEPT_IN])).mkdir(parents=True, exist_ok=True)


def peak_bytes(compiled: jax.stages.Compiled) -> int:
    """The memory that a compiled step holds at its peak, on a device, in bytes."""
    memory = compiled.memory_analysis()
    assert memory is not None  # Every backend of ours counts it.
    return (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
    )


def describe_cost(compiled: jax.stages.Compiled) -> str:
    """FLOPs and memory of a compiled step, as its compiler counts them."""
    cost = compiled.cost_analysis() or {}
    cost = cost[0] if isinstance(cost, list) else cost
    return (
        f"a step takes {cost.get('flops', 0) / 1e9:,.1f} GFLOP and, at its peak, "
        f"{peak_bytes(compiled) / 2**20:,.0f} MiB a device on {jax.default_backend()}"
    )
