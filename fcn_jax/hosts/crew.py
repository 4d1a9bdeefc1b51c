"""The processes that train together, as a run sees them."""

import contextlib
import re
import signal
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TypeVar

from fcn_jax.hosts import ends
from fcn_jax.hosts.board import Board
from fcn_jax.hosts.stops import Stop
from fcn_jax.hosts.watch import Watch

T = TypeVar("T")
# How errors of collectives begin that fail because another process is gone.
_COLLECTIVE = re.compile(
    "(UNKNOWN|INTERNAL|UNAVAILABLE|ABORTED|CANCELLED|DEADLINE_EXCEEDED"
    "|FAILED_PRECONDITION): "
)
_VERDICT = 8.0  # Seconds in which the watch finds out who is gone, and tells it.


class Crew:
    """The processes of a run: here this one alone, to whom all of this costs nothing.

    Attributes:
        index: Of this process; 0 writes what a run writes.
        count: Of all.
    """

    index, count = 0, 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    def gather(self, what: str, value: T) -> list[T]:
        """The values of all processes, in their order.

        Args:
            what: Is told; the same in all.
            value: Of this process, JSON.
        """
        del what
        return [value]

    def tell(self, what: str, value: T) -> T:
        """What process 0 says.

        Args:
            what: Is told; the same in all.
            value: Of process 0, JSON; those of the others are not looked at.
        """
        del what
        return value

    def agree(self, mine: Mapping[str, object]) -> None:
        """Refuse to go on where processes differ.

        Args:
            mine: What must be the same in all, JSON by name.

        Raises:
            ValueError: Naming what differs, and how.
        """
        del mine

    def doing(self, what: str) -> None:
        """Note what begins, for those who wait for it.

        Args:
            what: In words.
        """
        del what

    def tick(self) -> int:
        """Begin what all do together, a step or a batch of an evaluation.

        Returns:
            0; or the signal for which all stop before it.
        """
        return 0

    def listen(self, asked: Callable[[], int]) -> None:
        """Have a signal to any process stop all, together.

        Args:
            asked: The number of the signal that came to this one; 0: none.
        """
        del asked

    def limit(self, seconds: float, dumps: Path) -> None:
        """End all where one does not get on.

        Args:
            seconds: Without any progress; 0: it may take as long as it takes.
            dumps: Directory for stack traces.
        """
        del seconds, dumps

    @contextlib.contextmanager
    def unhurried(self) -> Generator[None, None, None]:
        """What may take longer than the limit of a step, such as a compilation."""
        yield

    def failed(self, error: BaseException) -> None:
        """Tell the others that this process ends by an error.

        Args:
            error: That is raised.
        """
        del error

    def leave(self) -> None:
        """End together: all have done all."""


ALONE = Crew()


class Joined(Crew):
    """Several processes, each of which has one of these.

    Args:
        index: Of this process.
        board: Of all.
        watch: Of the others; not started yet.
        count: Of all.
        close: Ends JAX's part of it.
    """

    def __init__(
        self,
        index: int,
        count: int,
        board: Board,
        watch: Watch,
        close: Callable[[], object],
    ):
        self.index, self.count = index, count
        self._board, self._watch, self._close = board, watch, close

    def gather(self, what: str, value: T) -> list[T]:
        """See `Crew`.

        Args:
            what: Is told; the same in all.
            value: Of this process, JSON.
        """
        self.doing(f"{what} of all")
        return self._board.gather(what, value)

    def tell(self, what: str, value: T) -> T:
        """See `Crew`.

        Args:
            what: Is told; the same in all.
            value: Of process 0, JSON.
        """
        return self.gather(what, value if self.first else None)[0]  # pyright: ignore[reportReturnType]

    def agree(self, mine: Mapping[str, object]) -> None:
        """See `Crew`.

        Raises:
            ValueError: Naming what differs, and how.
        """
        every = self.gather(", ".join(mine), dict(mine))
        lines = []
        for name in mine:
            values = [each.get(name) for each in every]
            if any(value != values[0] for value in values):
                told = ", ".join(f"{v!r} in process {p}" for p, v in enumerate(values))
                lines.append(f"{name} is {told}")
        if lines:
            raise ValueError(
                f"the {self.count} processes of this run differ: {'; '.join(lines)}. "
                f"Start all with the same command, installation and data."
            )

    def doing(self, what: str) -> None:
        """See `Crew`."""
        self._watch.pace.doing(what)

    def tick(self) -> int:
        """See `Crew`."""
        self.doing("the end of a step")
        return self._watch.agreement.tick()

    def listen(self, asked: Callable[[], int]) -> None:
        """See `Crew`."""
        self._watch.listen(asked)

    def limit(self, seconds: float, dumps: Path) -> None:
        """See `Crew`.

        Args:
            seconds: Without any progress.
            dumps: Directory for stack traces.
        """
        pace = self._watch.pace
        pace.doing(pace.what)  # First: the watch looks at it at any moment.
        pace.dumps, pace.limit = dumps, seconds

    @contextlib.contextmanager
    def unhurried(self) -> Generator[None, None, None]:
        """See `Crew`."""
        self._watch.pace.hurry(False)
        try:
            yield
        finally:
            self._watch.pace.hurry(True)

    def failed(self, error: BaseException) -> None:
        """See `Crew`."""
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if _COLLECTIVE.match(text):  # Another is gone, and the watch will say which.
            self._watch.suspect()
            time.sleep(_VERDICT)
        code = ends.FAILED
        if isinstance(error, KeyboardInterrupt | Stop):
            code = 128 + getattr(error, "number", signal.SIGINT)
        self._watch.farewell(code, text)
        ends.at_once(code)

    def leave(self) -> None:
        """See `Crew`."""
        with self.unhurried():  # Process 0 may still write what is left of a run.
            self.gather("the end", None)
        self._watch.close()
        self._close()


@contextlib.contextmanager
def together(crew: Crew) -> Generator[None, None, None]:
    """What all processes do, from their joining to their end: none leaves in silence.

    Args:
        crew: The processes.
    """
    try:
        try:
            yield
        except SystemExit:  # Of a signal, for which all have stopped.
            crew.leave()
            raise
        crew.leave()
    except (Exception, KeyboardInterrupt, Stop) as error:
        crew.failed(error)
        raise
