"""One pass over a data set: every image predicted once, one confusion matrix.

And the pass before it that a network with BatchNorm may ask for.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fcn_jax import parallel, training
from fcn_jax.evaluation import metrics

# Entries of a batch that only the host needs; the rest goes to the devices.
_HOST_KEYS = ("id", "index", "example_valid")

OnBatch = Callable[[Mapping[str, np.ndarray], np.ndarray], None]


def evaluate(
    step: Callable,
    variables: Any,
    batches: Iterable[Mapping[str, np.ndarray]],
    devices: Sequence[jax.Device],
    num_classes: int,
    on_batch: OnBatch | None = None,
) -> np.ndarray:
    """Score a network on all batches; memory does not grow with their number.

    Args:
        step: `training.eval_step` under `parallel.data_parallel`.
        variables: What `model.apply` takes, one copy a device.
        batches: As `fcn_jax.data.loader.eval_batches` yields them.
        devices: The devices of `step`.
        num_classes: Number of classes, C.
        on_batch: Called with each batch and its predicted classes, uint8 [B, H, W].

    Returns:
        The confusion matrix, int64 [C, C]: row = truth, column = prediction.

    Raises:
        FloatingPointError: If an image has scores that are NaN, naming it.
    """
    confusion = parallel.replicate(metrics.Confusion.zero(num_classes), devices)
    for batch in batches:
        confusion, pred = step(variables, confusion, to_devices(batch, devices))
        pred = np.asarray(pred)
        pred = pred.reshape(-1, *pred.shape[2:])
        _check_classes(batch, pred)
        if on_batch is not None:
            on_batch(batch, pred)
    # One matrix a device; int64 on the host, where their sum cannot overflow.
    return sum(
        jax.tree.map(lambda x, d=d: np.asarray(x)[d], confusion).to_int64()
        for d in range(len(devices))
    )


def to_devices(
    batch: Mapping[str, np.ndarray], devices: Sequence[jax.Device]
) -> dict[str, jax.Array]:
    """The entries of a batch that networks see, split between devices."""
    sent = {name: x for name, x in batch.items() if name not in _HOST_KEYS}
    return parallel.shard_batch(sent, devices)


def _check_classes(batch, pred):
    for row in np.flatnonzero(batch["example_valid"]):
        height, width = batch["sizes"][row]
        if (pred[row, :height, :width] == training.NOT_A_CLASS).any():
            raise FloatingPointError(
                f"{batch['id'][row]}: the scores are NaN. With a CRF its lattice may "
                f"be too small for this image: raise config.crf.capacity (6 a pixel "
                f"is the most that it can need). Otherwise the parameters of the "
                f"network are broken."
            )


def recompute_batch_stats(
    step: Callable,
    variables: Any,
    batches: Iterable[Mapping[str, np.ndarray]],
    devices: Sequence[jax.Device],
    count: int,
) -> Any:
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
