"""Batches on their way to the devices: one ahead of the step that is computed."""

import contextlib
import functools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future

import jax

from fcn_jax import hosts, parallel
from fcn_jax.config.parts import RunParts
from fcn_jax.data.batch import BOX_KEYS, BOX_TRUTH, Batch
from fcn_jax.data.weak.planes import PLANES

_PATIENCE = 30.0  # Seconds for the devices to end what they compute, at the end.


class Feed:
    """The training batches of a run, in their order, on the devices.

    While a step is computed the batch of the next is made and sent, and no other: the
    devices hold two. Who trains calls `take`, gives the step to the devices, calls
    `follow` with what it returns, and `fetch`.

    Args:
        make: The batches from an update on, as `data.loader.train_batches` gives them.
        send: A batch, on the devices.
        done: Updates done.
        clock: Seconds, from any moment on.

    Attributes:
        waits: Is told the seconds, which end then, in which the devices had nothing to
            do for want of a batch.
    """

    def __init__(
        self,
        make: Callable[[int], Generator[Batch, None, None]],
        send: Callable[[Batch], Batch],
        done: int,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._make, self._send, self._clock = make, send, clock
        self.waits: Callable[[float], object] = float  # Nobody.
        self._steps = _Steps(clock)
        self._batches = make(done)
        self._ahead: Batch | Exception | None = None

    def follow(self, result: object) -> None:
        """Wait until the devices compute the step that they were given last.

        So they never have more than one to do, and one that waits for it.

        Args:
            result: JAX arrays that the step returns.
        """
        self._steps.add(result)
        self._steps.settle()

    def fetch(self) -> None:
        """Make the next batch and send it, if none is ahead.

        What goes wrong is raised by `take`: the step that is computed is not to blame.
        """
        if self._ahead is not None:
            return
        start = self._clock()
        try:
            self._ahead = self._send(next(self._batches))
        except Exception as error:
            self._ahead = error
        self.waits(self._steps.idle(start))

    def take(self) -> Batch:
        """The next batch, on the devices.

        Raises:
            Exception: What there was to say of it when it was made.
        """
        self.fetch()
        taken, self._ahead = self._ahead, None
        if isinstance(taken, Exception):
            raise taken
        assert taken is not None  # It was fetched.
        return taken

    def drop(self) -> None:
        """Let go of what was made ahead, and end who makes batches."""
        self._ahead = None
        self._batches.close()

    def renew(self, done: int) -> None:
        """Make the batches anew, of data that have changed.

        Args:
            done: Updates done.
        """
        self.drop()
        self._batches = self._make(done)

    def close(self) -> None:
        """Let go of everything."""
        self.drop()
        self._steps.close()


class _Steps:
    """When the devices were done with each step; a thread waits for that.

    The main thread could not answer signals while it waits, nor wait for a batch too.
    """

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._last: deque[Future[float]] = deque(maxlen=2)
        self._given: queue.SimpleQueue[tuple[object, Future[float]] | None]
        self._given = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def add(self, result: object) -> None:
        done: Future[float] = Future()
        self._last.append(done)
        self._given.put((result, done))

    def settle(self) -> None:
        """Wait until the devices have one step to do, and no more."""
        if len(self._last) > 1:
            self._last[0].result()

    def idle(self, start: float) -> float:
        """Seconds from `start` to now in which the devices had nothing to do."""
        if self._last and not self._last[-1].done():
            return 0.0
        free = self._last[-1].result() if self._last else start
        return max(0.0, self._clock() - max(start, free))

    def close(self) -> None:
        self._given.put(None)
        self._thread.join(_PATIENCE)

    def _watch(self) -> None:
        while given := self._given.get():
            result, done = given
            with contextlib.suppress(Exception):  # Who reads the result is told.
                jax.block_until_ready(result)
            done.set_result(self._clock())
            del given, result  # What a step returned is not held until the next.


def of_run(
    parts: RunParts,
    devices: Sequence[parallel.Device],
    crew: hosts.Crew,
    done: int,
) -> Feed:
    """What feeds a run.

    Args:
        parts: Of the run.
        devices: That train, of all processes.
        crew: The processes, which share the batches.
        done: Updates done.

    Raises:
        ValueError: If an image of the data is larger than the canvas.
    """
    share = crew.index, crew.count
    send = functools.partial(to_devices, parts, devices)
    return Feed(lambda first: parts.train_batches(first, share), send, done)


def to_devices(
    parts: RunParts, devices: Sequence[parallel.Device], batch: Batch
) -> Batch:
    """What of a batch a step takes, split between the devices.

    Args:
        parts: Of the run.
        devices: That train, of all processes.
        batch: Of this process.
    """
    config = parts.config
    extra = (PLANES, *BOX_KEYS, *BOX_TRUTH, *parts.model.extra_inputs)
    others = [name for name in extra if name in batch]
    sent = {name: batch[name] for name in ("image", "labels", *others)}
    if not config.data.crop:
        sent["sizes"] = batch["sizes"]
    return parallel.shard_batch(sent, devices, config.accumulate)
