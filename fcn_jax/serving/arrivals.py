"""Bodies on their way: how slow one may be, and how much all may hold together.

Who sends slowly holds nobody up: only whole bodies wait for the network. What a slow
sender costs is the memory of what has come, and that is bounded for all together.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable

from fcn_jax.serving.refusals import BUSY, TIMED_OUT, Refusal


@dataclasses.dataclass(frozen=True)
class Pace:
    """How fast a body must come.

    Attributes:
        seconds: In which it must have come whole.
        window: Seconds of each of which `least` must have come at its end.
        least: Bytes a second.
    """

    seconds: float = 60.0
    window: float = 10.0
    least: int = 2048


class Arrivals:
    """The bodies that are on their way to one server.

    Args:
        pace: Of each.
        most_bytes: That all may have brought so far, together.

    Attributes:
        count: Bodies on their way.
    """

    def __init__(self, pace: Pace, most_bytes: int):
        self._pace, self._most = pace, most_bytes
        self._held = self.count = 0

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncGenerator["Arrival"]:
        """A body on its way.

        Raises:
            Refusal: If it is too slow.
        """
        arrival = Arrival(self._pace, self._hold)
        self.count += 1
        try:
            async with asyncio.timeout(arrival.left()) as timer:
                arrival.timer = timer
                yield arrival
        except TimeoutError as error:
            raise Refusal(TIMED_OUT, arrival.why()) from error
        finally:
            self.count -= 1
            self._held -= arrival.held

    def _hold(self, count: int) -> None:
        if self._held + count > self._most:
            raise Refusal(
                BUSY,
                f"{self.count} images are on their way already; try again soon",
            )
        self._held += count


class Arrival:
    """One body on its way.

    Args:
        pace: At which it must come.
        hold: Takes note of bytes that are kept, or refuses them.

    Attributes:
        held: Bytes that are kept.
        timer: That ends it; set when it begins.
    """

    timer: asyncio.Timeout

    def __init__(self, pace: Pace, hold: Callable[[int], None]):
        self._pace, self._hold, self.held = pace, hold, 0
        self._begin = self._window = asyncio.get_running_loop().time()
        self._came = 0  # In this window.

    def left(self) -> float:
        """Seconds until the first look."""
        return min(self._pace.seconds, self._pace.window)

    def came(self, count: int, *, kept: bool) -> None:
        """Take note of bytes.

        Args:
            count: How many.
            kept: Whether they stay in memory.

        Raises:
            Refusal: If there is no room for them.
        """
        if kept:
            self._hold(count)
            self.held += count
        self._came += count
        pace, now = self._pace, asyncio.get_running_loop().time()
        if self._came >= pace.least * pace.window:
            self._window, self._came = now, 0
            end = min(self._begin + pace.seconds, now + pace.window)
            self.timer.reschedule(end)

    def why(self) -> str:
        """Why it was ended."""
        pace, now = self._pace, asyncio.get_running_loop().time()
        if now - self._begin >= pace.seconds:
            return f"the image did not arrive within {pace.seconds:g} seconds"
        return (
            f"the image came at less than {pace.least:,} bytes a second; send a "
            f"smaller one"
        )
