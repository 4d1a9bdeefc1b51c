"""One pass over a data set: every image predicted once, one confusion matrix."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fcn_jax import metrics, parallel

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
    """
    confusion = parallel.replicate(metrics.Confusion.zero(num_classes), devices)
    for batch in batches:
        sent = {name: x for name, x in batch.items() if name not in _HOST_KEYS}
        confusion, pred = step(
            variables, confusion, parallel.shard_batch(sent, devices)
        )
        if on_batch is not None:
            pred = np.asarray(pred)
            on_batch(batch, pred.reshape(-1, *pred.shape[2:]))
    # One matrix a device; int64 on the host, where their sum cannot overflow.
    return sum(
        jax.tree.map(lambda x, d=d: np.asarray(x)[d], confusion).to_int64()
        for d in range(len(devices))
    )
