"""Data parallelism: one program a device, the batch split between them.

The only file that knows about `jax.pmap`. A step written per replica (see
`fcn_jax.training`) becomes a step of all devices; the state has one copy a device.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

if TYPE_CHECKING:
    from jaxlib._jax import Device  # `jax.Device` is no type to a checker.
else:
    Device = jax.Device

AXIS = "batch"
T = TypeVar("T")
# A step of all devices: arrays in and out have a leading axis of devices.
Step: TypeAlias = jax.stages.Wrapped


def data_parallel(
    step: Callable[..., object],
    devices: Sequence[Device],
    *,
    donate: Sequence[int] = (),
    **settings: object,
) -> Step:
    """A per-replica step as a function over all `devices`.

    Args:
        step: Function of arrays with keyword-only settings.
        devices: The devices that take part, one replica each.
        donate: Positions of the arguments whose memory the step may reuse.
        **settings: Keyword arguments that stay fixed, such as the model.

    Returns:
        `jax.pmap` of the step: every array argument and result has a leading axis
        of len(devices).
    """
    return jax.pmap(
        functools.partial(step, **settings),
        axis_name=AXIS,
        devices=list(devices),
        donate_argnums=tuple(donate),
    )


def replicate(tree: T, devices: Sequence[Device]) -> T:
    """One copy of every array on each device: [...] -> [len(devices), ...].

    The copies go straight from the host to their devices; no device ever holds more
    than its own.

    Args:
        tree: Of NumPy or JAX arrays.
        devices: That get a copy each.
    """
    sharding = _sharding(devices)

    def copy(x: np.ndarray | jax.Array):
        x = np.asarray(x)
        return jax.device_put(
            np.broadcast_to(x[None], (len(devices), *x.shape)), sharding
        )

    return jax.tree.map(copy, tree)


def unreplicate(tree: T) -> T:
    """The first device's copy of every array, as NumPy arrays that own their memory.

    The copies stay valid when the originals are donated to a step.
    """
    return jax.tree.map(lambda x: np.array(x.addressable_shards[0].data)[0], tree)


def shard_batch(
    batch: Mapping[str, Any],
    devices: Sequence[Device],
    accumulate: int = 1,
) -> dict[str, Any]:
    """Split the rows of a batch between devices.

    Row r of micro-batch m is row (m * rows of a micro-batch + r) of the batch,
    whatever the number of devices, so that each update sees the same micro-batches.

    Args:
        batch: Arrays with the same number of rows, B, or dicts of such.
        devices: The devices to split them between.
        accumulate: Micro-batches in the batch.

    Returns:
        Arrays [len(devices), B / len(devices), ...] on the devices.

    Raises:
        ValueError: If B is not divisible by len(devices) * accumulate.
    """
    rows = len(jax.tree.leaves(dict(batch))[0])
    check_batch_size(rows, len(devices), accumulate)
    micro = rows // (len(devices) * accumulate)
    sharding = _sharding(devices)

    def split(x: np.ndarray):
        x = x.reshape(accumulate, len(devices), micro, *x.shape[1:]).swapaxes(0, 1)
        return jax.device_put(
            x.reshape(len(devices), accumulate * micro, *x.shape[3:]), sharding
        )

    return jax.tree.map(lambda x: split(np.asarray(x)), dict(batch))


def check_batch_size(batch_size: int, num_devices: int, accumulate: int = 1) -> None:
    """Raise unless a batch splits evenly over devices and micro-batches.

    Args:
        batch_size: Images of an update, over all devices.
        num_devices: That share them.
        accumulate: Micro-batches of an update.

    Raises:
        ValueError: Naming the nearest batch size that does.
    """
    parts = num_devices * accumulate
    if batch_size < 1 or batch_size % parts:
        nearest = max(1, round(batch_size / parts)) * parts
        raise ValueError(
            f"batch of {batch_size} images cannot be split evenly over {num_devices} "
            f"device(s) with {accumulate} accumulated micro-batch(es) each; it must be "
            f"a positive multiple of {parts}, such as {nearest}: change "
            f"config.batch_size, config.accumulate or the number of devices."
        )


def _sharding(devices: Sequence[Device]) -> NamedSharding:
    return NamedSharding(Mesh(np.array(devices), (AXIS,)), PartitionSpec(AXIS))
