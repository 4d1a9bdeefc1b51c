"""The statistics of BatchNorm, taken anew before a network is scored."""

import itertools
from collections.abc import Iterable, Sequence

import jax
import jax.numpy as jnp
from flax.typing import VariableDict

from fcn_jax import parallel
from fcn_jax.data.batch import Batch


def recompute_batch_stats(
    step: parallel.Step,
    variables: VariableDict,
    batches: Iterable[Batch],
    devices: Sequence[parallel.Device],
    count: int,
) -> VariableDict:
    """Variables whose running averages are the mean over the statistics of batches.

    As in the release of DeconvNet, variances are averaged too, without that of the
    means of the batches.

    Args:
        step: `training.batch_statistics` under `parallel.data_parallel`.
        variables: What `model.apply` takes, one copy a device.
        batches: As `fcn_jax.data.loader.train_batches` yields them.
        devices: The devices of `step`.
        count: Batches to take.

    Returns:
        `variables`, one copy a device, with other `batch_stats`.

    Raises:
        ValueError: If the network has no BatchNorm, or `count` is not positive.
    """
    if "batch_stats" not in variables:
        raise ValueError(
            "batch_stats_batches asks for statistics of BatchNorm, but this network "
            "has none; set config.batch_stats_batches=0."
        )
    if count < 1:
        raise ValueError(f"recompute_batch_stats: count={count} is not positive.")
    total = None
    for batch in itertools.islice(batches, count):
        sent = {name: x for name, x in batch.items() if name in ("image", "sizes")}
        stats = step(variables, parallel.shard_batch(sent, devices))
        total = stats if total is None else jax.tree.map(jnp.add, total, stats)
    return {**variables, "batch_stats": jax.tree.map(lambda x: x / count, total)}
