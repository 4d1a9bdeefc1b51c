"""Proposals kept on disk, a file an image, and computed on all cores."""

import concurrent.futures
import multiprocessing
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from fcn_jax import proposals
from fcn_jax.proposals import opencv
from fcn_jax.storage import array_cache, worker

Item: TypeAlias = Mapping[str, Any]  # `image` and `id`, as sources give them.


class Images(Protocol):
    """What proposals are computed for; every source is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Item: ...


class Kept(Protocol):
    """What is made of images and kept, such as their proposals.

    Attributes:
        method: By which it is made.
        directory: Where it is kept.
    """

    @property
    def method(self) -> str:
        """See above."""
        ...

    @property
    def directory(self) -> Path | None:
        """See above."""
        ...

    def count(self, item: Item) -> int:
        """Make what is not there of a source's item, and say how much there is."""
        ...


_WITHOUT_OPENCV = ("sliding_windows", "mcg")
_REVISION = 1  # Counted up when a method changes what it returns.


class ProposalCache:
    """Proposals kept in a directory, a file an image.

    The name of a file tells the image's id and content, the method and all its
    parameters: what was computed with others is never taken.

    Args:
        directory: Where the files are.
        method: See `propose`.
        parameters: Further arguments of `propose`.

    Raises:
        ValueError: If the method or a parameter is not known.
    """

    def __init__(
        self, directory: str | Path, method: str = "edge_boxes", **parameters: Any
    ):
        own = {"num", "min_side", "seed"}
        find = proposals.get_method(method, set(parameters) - own)
        defaults = {
            **proposals.defaults(find),
            **proposals.defaults(proposals.propose),
            "method": method,
            "opencv": "" if method == "sliding_windows" else opencv.version(),
        }
        self.directory, self.method = Path(directory).expanduser(), method
        self._parameters = parameters
        self.key = array_cache.digest(_REVISION, {**defaults, **parameters})

    def __call__(self, image: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The proposals of an image, computed when they are not there.

        Args:
            image: uint8 RGB [H, W, 3].
            name: Its id.

        Returns:
            As `propose`.

        Raises:
            ValueError: As `propose`, naming the image.
        """

        def make():
            try:
                boxes, scores = proposals.propose(
                    image, self.method, **self._parameters
                )
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            return {"boxes": boxes, "scores": scores}

        content = array_cache.digest(self.key, name, image)
        readable = re.sub(r"[^\w.-]", "_", name)
        path = self.directory / f"{readable}-{content}.npz"
        found = array_cache.cached(path, make, ("boxes", "scores"))
        return found["boxes"], found["scores"]

    def boxes_of(self, item: Item) -> np.ndarray:
        """The boxes of a source's item, int32 [M, 4]."""
        return self(item["image"], item["id"])[0]

    def count(self, item: Item) -> int:
        """How many boxes a source's item has."""
        return len(self.boxes_of(item))


def precompute(
    source: Images, cache: Kept, workers: int | None = None
) -> Iterator[int]:
    """Fill a cache with what it keeps of all images of a source.

    Args:
        source: A source of `fcn_jax.data`; it must be picklable.
        cache: What to fill, such as a `ProposalCache`; it must be picklable.
        workers: Processes; None: one a core; 1: this one.

    Yields:
        The number of boxes (or what else it keeps) of each image, in order.

    Raises:
        ImportError: If the method needs OpenCV and it is not there.
        ChildProcessError: If a process was ended from outside.
    """
    if cache.method not in _WITHOUT_OPENCV:
        boxes = cache.method in proposals.METHODS
        opencv.load() if boxes else opencv.load_for_masks()
    workers = workers or _num_cores()
    if workers == 1:
        for index in range(len(source)):
            yield _fill(source, cache, index)
        return
    with concurrent.futures.ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(source, cache),
    ) as pool:
        try:
            yield from pool.map(_fill_of_worker, range(len(source)), chunksize=4)
        except BrokenProcessPool as error:
            raise ChildProcessError(
                f"one of the {workers} processes that compute proposals was ended from "
                f"outside, perhaps for want of memory; what is done is kept in "
                f"{cache.directory}: run the same command again, with fewer --workers."
            ) from error


def _num_cores() -> int:
    """Cores that this process may use; of the machine, where that is not known."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _fill(source: Images, cache: Kept, index: int) -> int:
    return cache.count(source[index])


_worker: tuple[Images, Kept]  # In a worker process: what it works on.


def _start_worker(source: Images, cache: Kept) -> None:
    global _worker
    worker.serve_parent()
    _worker = source, cache
    if cache.method not in _WITHOUT_OPENCV:
        opencv.load().setNumThreads(1)  # There is a process a core already.


def _fill_of_worker(index: int) -> int:
    return _fill(*_worker, index)
