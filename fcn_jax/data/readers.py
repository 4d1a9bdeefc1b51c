"""Who makes batches ahead of the steps: threads, and other processes."""

import contextlib
from collections.abc import Generator
from typing import NamedTuple

import grain
from absl import flags

from fcn_jax.data.batch import Batch
from fcn_jax.storage import worker

_PREFETCHED_IMAGES = 16  # Made ahead, at least; whole batches, two for each thread.
_MOST_PREFETCHED = 512  # Images; of larger batches one is made ahead.


class Readers(NamedTuple):
    """Who makes batches ahead.

    Attributes:
        threads: Of each process that does; 0: none, they are made when asked for.
        processes: Other ones, to each of which the source goes, pickled; 0: this one.
    """

    threads: int = 2
    processes: int = 0


TWO_THREADS = Readers()


def read_ahead(
    dataset: grain.MapDataset[Batch], batch_size: int, readers: Readers
) -> Generator[Batch, None, None]:
    """Batches in their order, made ahead.

    Args:
        dataset: Whose elements are batches.
        batch_size: Images of each.
        readers: Who makes them.

    Returns:
        An iterator; closing it ends who makes them.

    Raises:
        ChildProcessError: If a process that makes them is gone; the iterator does.
    """
    threads, processes = readers
    ahead = max(2 * threads, _PREFETCHED_IMAGES // batch_size)
    ahead = min(ahead, max(1, _MOST_PREFETCHED // batch_size))
    options = grain.ReadOptions(
        num_threads=threads, prefetch_buffer_size=ahead if threads else 0
    )
    made = dataset.to_iter_dataset(options)
    if processes:
        if not flags.FLAGS.is_parsed():  # Grain asks for its own; a library has none.
            flags.FLAGS.mark_as_parsed()
        made = made.mp_prefetch(
            grain.MultiprocessingOptions(processes), worker_init_fn=_serve
        )
    with contextlib.closing(iter(made)) as batches_made:
        try:
            yield from batches_made
        except RuntimeError as error:
            if not processes or "terminated unexpectedly" not in str(error):
                raise
            raise ChildProcessError(
                f"a process that makes batches is gone ({error}); it may have been "
                f"for lack of memory: give fewer --config.data.num_workers than "
                f"{processes}, or 0."
            ) from error


def _serve(index: int, count: int) -> None:
    """Of each process, before it reads."""
    del index, count
    worker.serve_parent()
