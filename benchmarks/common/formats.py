"""A step whose parameters lie on the device as the compiled step asks for them.

XLA chooses how the arrays of the first argument lie in memory, where it else takes them
as they come: row by row.
"""

from collections.abc import Sequence

import jax
from jax.experimental.layout import Format, Layout
from jax.sharding import SingleDeviceSharding

from benchmarks.common import steps


def automatic(step: steps.Step, devices: Sequence) -> steps.Step:
    """A step of one device that takes parameters in formats that XLA chooses.

    Args:
        step: Whose function is of `fcn_jax.parallel`.
        devices: The one that takes it.

    Returns:
        The same of the same arrays, which are to lie as `placed` puts them; a state
        comes back as it was given.

    Raises:
        ValueError: If there are several devices.
    """
    if len(devices) != 1:
        raise ValueError(
            f"{len(devices)} devices: formats are chosen for one; give one device."
        )
    here = SingleDeviceSharding(devices[0])
    chosen = Format(Layout.AUTO, here)
    learns = step.optimizer is not None

    def of_one(*arguments: object) -> object:
        given = jax.tree.map(lambda x: x[0], arguments)
        return jax.tree.map(lambda x: x[None], step.function.__wrapped__(*given))

    function = jax.jit(
        of_one,
        in_shardings=(chosen, *(here for _ in step.arguments[1:])),
        out_shardings=(chosen, here) if learns else here,
        donate_argnums=(0,) if learns else (),
    )
    return step._replace(function=function)


def placed(arguments: tuple, compiled: jax.stages.Compiled) -> tuple:
    """What a compiled step is called with, as it asks for it.

    Args:
        arguments: Of the step.
        compiled: What became of `automatic`.
    """
    formats, _ = compiled.input_formats
    return jax.tree.map(jax.device_put, arguments, formats)
