"""The steps of a run as its devices take them, and what compiling them says."""

from collections.abc import Sequence

import jax
import optax

from fcn_jax import parallel, training
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.training.losses import Loss


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
    step: parallel.Step, config: Config, *arguments: object
) -> jax.stages.Compiled:
    """A step compiled for arguments of one shape.

    Args:
        step: Of all devices.
        config: See `fcn_jax.config.base`; `deterministic` counts.
        *arguments: Of the step, or their shapes.
    """
    return step.lower(*arguments).compile(compiler_options(config))


def compiler_options(config: Config) -> dict[str, str | bool] | None:
    """What XLA is told beside its defaults.

    With `config.deterministic` it leaves out what does not add in one order (atomic
    sums of scattered values, some algorithms of cuDNN), and takes the first algorithm
    that is left, where it would else time them all and take another from run to run.

    Args:
        config: See `fcn_jax.config.base`.
    """
    if not config.get("deterministic", False):  # Older runs do not have it.
        return None
    return {"xla_gpu_deterministic_ops": True}


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
