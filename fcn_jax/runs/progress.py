"""Where a run stands, for the person watching: speed, waiting for data, time left."""

import sys
import time

from tqdm import tqdm


class Progress:
    """Counts the time of steps and of waiting for their data.

    Args:
        num_steps: Steps of the whole run.
        first_step: Steps already done.
        batch_size: Images of a step.
    """

    def __init__(self, num_steps: int, first_step: int, batch_size: int):
        self._bar = tqdm(
            total=num_steps,
            initial=first_step,
            unit="step",
            disable=None,  # A log file gets the lines of `write` alone.
            dynamic_ncols=True,
        )
        self._num_steps = num_steps
        self._batch_size = batch_size
        self._restart()

    def _restart(self) -> None:
        self._start = time.perf_counter()
        self._waited = self._steps = 0.0

    def waiting(self, seconds: float) -> None:
        """Account for time in which a step waited for its batch."""
        self._waited += seconds

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
        elapsed = max(time.perf_counter() - self._start, 1e-9)
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


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
