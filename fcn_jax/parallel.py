"""Data parallelism: one program a device, the batch split between them.

The only file that knows about `jax.pmap`. A step written per replica (see
`fcn_jax.training`) becomes a step of all devices; the state has one copy a device.
The devices may be those of several processes. Then each gives its own part of every
array, and the arrays span them all.
"""

import functools
from collections.abc import Callable, Hashable, Mapping, Sequence
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
Options: TypeAlias = dict[str, str | bool]  # Of XLA, for one compilation.


def data_parallel(
    step: Callable[..., object],
    devices: Sequence[Device],
    *,
    donate: Sequence[int] = (),
    compiler_options: Options | None = None,
    **settings: object,
) -> Step:
    """A per-replica step as a function over all `devices`.

    Args:
        step: Function of arrays with keyword-only settings.
        devices: The devices that take part, one replica each.
        donate: Positions of the arguments whose memory the step may reuse.
        compiler_options: What XLA is told when the step is called; None: nothing.
        **settings: Keyword arguments that stay fixed, such as the model.

    Returns:
        `jax.pmap` of the step: every array argument and result has a leading axis
        of len(devices).
    """
    mapped = jax.pmap(
        functools.partial(step, **settings),
        axis_name=AXIS,
        devices=list(devices),
        donate_argnums=tuple(donate),
    )
    return _Told(mapped, compiler_options) if compiler_options else mapped


class _Told(jax.stages.Wrapped):
    """A step that is compiled with options, once for arguments of the same shapes."""

    def __init__(self, step: Step, options: Options):
        self._step, self._options = step, options
        self._compiled: dict[Hashable, jax.stages.Compiled] = {}

    def trace(self, *arguments: object) -> jax.stages.Traced:
        return self._step.trace(*arguments)

    def lower(self, *arguments: object) -> jax.stages.Lowered:
        return self._step.lower(*arguments)

    def __call__(self, *arguments: object):
        leaves, structure = jax.tree.flatten(arguments)
        key = structure, tuple((x.shape, x.dtype) for x in leaves)
        if key not in self._compiled:
            self._compiled[key] = self.lower(*arguments).compile(self._options)
        return self._compiled[key](*arguments)


def axis_of(devices: Sequence[Device]) -> str | None:
    """The axis over which a step sums; None where one device sees the whole batch.

    XLA copies what a single device "sums" on a CPU, and of DeconvNet's gradients that
    is a gigabyte a step, an eighth of its time.

    Args:
        devices: That take part, of all processes.
    """
    return AXIS if len(devices) > 1 else None


def all_devices() -> list[Device]:
    """The devices of all processes, those of one after those of the other."""
    return sorted(jax.devices(), key=lambda d: (d.process_index, d.id))


def own(devices: Sequence[Device]) -> list[Device]:
    """Those of the devices that belong to this process."""
    if jax.process_count() == 1:
        return list(devices)
    return [d for d in devices if d.process_index == jax.process_index()]


def own_part(tree: T, devices: Sequence[Device]) -> T:
    """Arrays over all devices as arrays over this process's own; nothing is copied.

    Args:
        tree: Of arrays [len(devices), ...].
        devices: Of all processes.
    """
    ours = own(devices)
    if len(ours) == len(devices):
        return tree
    sharding = _sharding(ours)

    def part(x: jax.Array):
        pieces = {shard.device: shard.data for shard in x.addressable_shards}
        return jax.make_array_from_single_device_arrays(
            (len(ours), *x.shape[1:]), sharding, [pieces[device] for device in ours]
        )

    return jax.tree.map(part, tree)


def replicate(tree: T, devices: Sequence[Device]) -> T:
    """One copy of every array on each device: [...] -> [len(devices), ...].

    The copies go straight from the host to their devices; no device ever holds more
    than its own. What changes in the arrays later is not in them.

    Args:
        tree: Of NumPy or JAX arrays.
        devices: That get a copy each.
    """
    put, ours = _putting(devices), len(own(devices))

    def copy(x: np.ndarray | jax.Array):
        x = np.array(x)  # A device of the CPU would read it where it lies.
        return put(np.broadcast_to(x[None], (ours, *x.shape)))

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
        batch: Arrays with the same number of rows, B, or dicts of such. Where the
            devices are those of several processes: the rows of this one, which of
            each micro-batch has the part that its devices come to. Nothing may
            overwrite them: a device of the CPU may read them where they lie, and a
            step may still run when its call has returned.
        devices: The devices to split them between.
        accumulate: Micro-batches in the batch.

    Returns:
        Arrays [len(devices), B / len(devices), ...] on the devices.

    Raises:
        ValueError: If B is not divisible by len(devices) * accumulate.
    """
    rows, ours = len(jax.tree.leaves(dict(batch))[0]), len(own(devices))
    check_batch_size(rows, ours, accumulate)
    micro = rows // (ours * accumulate)
    put = _putting(devices)

    def split(x: np.ndarray):
        x = x.reshape(accumulate, ours, micro, *x.shape[1:]).swapaxes(0, 1)
        return put(x.reshape(ours, accumulate * micro, *x.shape[3:]))

    return jax.tree.map(lambda x: split(np.asarray(x)), dict(batch))


def check_batch_size(
    batch_size: int,
    num_devices: int,
    accumulate: int = 1,
    processes: int = 1,
    key: str = "config.batch_size",
) -> None:
    """Raise unless a batch splits evenly over devices and micro-batches.

    Args:
        batch_size: Images of an update, over all devices of all processes.
        num_devices: That share them.
        accumulate: Micro-batches of an update.
        processes: Whose devices they are, for the message.
        key: Of the config that the size is from, likewise.

    Raises:
        ValueError: Naming the nearest batch size that does.
    """
    parts = num_devices * accumulate
    if batch_size < 1 or batch_size % parts:
        nearest = max(1, round(batch_size / parts)) * parts
        of = f" of {processes} processes" if processes > 1 else ""
        # An evaluation accumulates nothing.
        keys = key if key.endswith("eval_batch_size") else f"{key}, config.accumulate"
        raise ValueError(
            f"batch of {batch_size} images cannot be split evenly over {num_devices} "
            f"device(s){of} with {accumulate} accumulated micro-batch(es) each; it "
            f"must be a positive multiple of {parts}, such as {nearest}: change "
            f"{keys} or the number of devices."
        )


def _putting(devices: Sequence[Device]) -> Callable[[np.ndarray], jax.Array]:
    """What puts this process's part of an array, a row a device, onto its devices."""
    sharding = _sharding(devices)
    if len(own(devices)) == len(devices):
        return lambda x: jax.device_put(x, sharding)
    return lambda x: jax.make_array_from_process_local_data(sharding, x)


def _sharding(devices: Sequence[Device]) -> NamedSharding:
    return NamedSharding(Mesh(np.array(devices), (AXIS,)), PartitionSpec(AXIS))
