"""Where a run stands, for the person watching: speed, waiting for data, time left."""

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm


class Progress:
    """Counts the time of steps and of waiting for their data.

    Args:
        num_steps: Steps of the whole run.
        first_step: Steps already done.
        batch_size: Images of a step.
        shown: Whether there is a bar, on a terminal.
        clock: Seconds, from any moment on.
    """

    def __init__(
        self,
        num_steps: int,
        first_step: int,
        batch_size: int,
        shown: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._clock = clock
        self._bar = tqdm(
            total=num_steps,
            initial=first_step,
            unit="step",
            disable=None
            if shown
            else True,  # A log file gets the lines of `write` alone.
            dynamic_ncols=True,
        )
        self._num_steps = num_steps
        self._batch_size = batch_size
        self._restart()

    def _restart(self) -> None:
        self._start = self._clock()
        self._waited = self._steps = 0.0

    def waiting(self, seconds: float) -> None:
        """Account for time in which a step waited for its batch.

        Args:
            seconds: That end now; what lies before the last `measure` or `skip_clock`
                is left out, as all else of then is.
        """
        elapsed = self._clock() - self._start
        self._waited = min(self._waited + seconds, elapsed)

    def step_done(self) -> None:
        """Account for one step."""
        self._steps += 1
        self._bar.update()

    def measure(self, step: int) -> dict[str, float]:
        """Speed since the last call.

        Args:
            step: Steps done so far.

        Returns:
            `images_per_second`, `waiting` (share of the time, in [0, 1]) and `eta`
            (seconds to the end at this speed).
        """
        elapsed = max(self._clock() - self._start, 1e-9)
        per_step = elapsed / max(self._steps, 1)
        speed = {
            "images_per_second": self._steps * self._batch_size / elapsed,
            "waiting": self._waited / elapsed,
            "eta": per_step * (self._num_steps - step),
        }
        self._restart()
        return speed

    def skip_clock(self) -> None:
        """Leave what happened since the last `measure` out of the speed."""
        self._restart()

    def write(self, text: str) -> None:
        """Print a line without disturbing the bar."""
        self._bar.write(text, file=sys.stdout)
        sys.stdout.flush()

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


_EVERY = 30.0  # Seconds between lines where there is no terminal.


class Counter:
    """How many images are done: a bar on a terminal, elsewhere a line now and then.

    Args:
        total: Images.
        file: Where to; None: the standard error.
        clock: Seconds, from any moment on.
    """

    def __init__(
        self,
        total: int,
        file: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._file, self._clock = file or sys.stderr, clock
        self._bar = tqdm(
            total=total, unit="image", disable=None, leave=False, file=self._file
        )
        self._total, self._done = total, 0
        self._start = self._said = clock()

    def __enter__(self) -> "Counter":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, count: int = 1) -> None:
        """Account for images that are done.

        Args:
            count: Of them.
        """
        self._done += count
        self._bar.update(count)
        self._say("")

    def within(self, name: str, share: float) -> None:
        """Account for a part of an image that takes long.

        Args:
            name: Of the image.
            share: Of it that is done, in [0, 1].
        """
        self._bar.set_postfix_str(f"{name}: {share:.0%}" if share < 1 else "")
        self._say(f"; {name}: {share:.0%}")

    def _say(self, what: str) -> None:
        now = self._clock()
        if not self._bar.disable or now - self._said < _EVERY:
            return
        self._said = now
        elapsed = now - self._start
        left = ""
        if self._done:
            per_image = elapsed / self._done
            remaining = duration(per_image * (self._total - self._done))
            left = f", {1 / per_image:.2g} a second, {remaining} left"
        text = f"{self._done} of {self._total} images after {duration(elapsed)}"
        print(f"{text}{left}{what}", file=self._file, flush=True)


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


@dataclasses.dataclass
class Tally:
    """What became of the images.

    Attributes:
        done: Predicted now.
        before: Predicted by an earlier start, or by another process meanwhile.
        failed: A message for each that was passed over.
        seconds: That it took.
    """

    done: int = 0
    before: int = 0
    failed: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def with_those_of(self, other: "Tally") -> "Tally":
        """Both tallies as one.

        Args:
            other: Of what was predicted after these.
        """
        return Tally(
            self.done + other.done,
            self.before + other.before,
            self.failed + other.failed,
            self.seconds + other.seconds,
        )


def note(text: str | None) -> None:
    """Say what is to be noted of a run, if anything is.

    Args:
        text: A line.
    """
    if text:
        print(f"note: {text}", flush=True)
