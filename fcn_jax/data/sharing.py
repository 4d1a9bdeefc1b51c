"""Batches that several processes make together: which rows are whose."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fcn_jax.data.batch import Batch


class Share(NamedTuple):
    """Which rows of the global batches are those of this process.

    Of each of the `parts` of a batch, its micro-batches, a process has one block of
    rows: those that its devices would have if they all were its own.

    Attributes:
        process: Which of the processes this is.
        processes: How many share the batches.
        parts: Micro-batches of a training batch.
    """

    process: int = 0
    processes: int = 1
    parts: int = 1


def rows(batch_size: int, share: Share) -> int:
    """The rows of a batch that are those of one process.

    Args:
        batch_size: Images of a batch, over all processes.
        share: Of this process.

    Raises:
        ValueError: If there is no such process, or the batch does not divide.
    """
    process, processes, parts = share
    if batch_size < 1 or not 0 <= process < processes:
        raise ValueError(
            f"batch_size={batch_size}, process_index={process}, "
            f"process_count={processes}: a batch has at least one image, and "
            f"processes are counted from 0 to process_count - 1."
        )
    if processes > 1 and batch_size % (processes * parts):
        raise ValueError(
            f"batch_size={batch_size} cannot be shared by {processes} processes with "
            f"{parts} micro-batch(es) each; give a multiple of {processes * parts}."
        )
    return batch_size // processes


def joined(blocks: Sequence[Batch]) -> Batch:
    """Blocks of rows as one batch, one after the other.

    Args:
        blocks: Of the same entries.
    """

    def join(name: str) -> Batch | np.ndarray:
        parts = [block[name] for block in blocks]
        if isinstance(parts[0], Mapping):  # Labels by head.
            return joined(parts)
        return np.concatenate(parts)

    return {name: join(name) for name in blocks[0]}
