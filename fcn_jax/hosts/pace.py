"""Whether this process gets on, and where it is if it does not."""

import contextlib
import faulthandler
import time
from pathlib import Path

UNHURRIED = 1800.0  # Seconds that a compilation, an evaluation or a save may take.


class Pace:
    """What the main thread does, and since when.

    Attributes:
        what: It does, in words.
        limit: Seconds that a step may take; 0: any number.
        dumps: Directory for stack traces.
    """

    def __init__(self):
        self.what, self._since = "what comes first", time.monotonic()
        self.limit, self.dumps = 0.0, Path()
        self._unhurried = 0

    def doing(self, what: str) -> None:
        """Note what the main thread begins: it has got on.

        Args:
            what: In words.
        """
        self.what, self._since = what, time.monotonic()

    def hurry(self, hurried: bool) -> None:
        """Note whether what is done now must be done within the limit.

        Args:
            hurried: As it was before `False`.
        """
        if hurried:  # First: the watch looks at it at any moment.
            self.doing(self.what)
        self._unhurried += -1 if hurried else 1
        self.doing(self.what)

    def overdue(self) -> float:
        """Seconds without progress, where these are too many; else 0."""
        allowed = max(self.limit, UNHURRIED) if self._unhurried else self.limit
        waited = time.monotonic() - self._since
        return waited if self.limit and waited > allowed else 0.0

    def dump(self, who: str) -> None:
        """Write down where all threads of this process are, if it may hang.

        Args:
            who: This process, in words.
        """
        if self.limit and time.monotonic() - self._since > self.limit / 2:
            process = who.split()[1]
            path = self.dumps / f"hang_{process}.txt"
            with (  # Where there is no room, what is to be said is said without.
                contextlib.suppress(OSError),
                path.open("w", encoding="utf-8") as file,
            ):
                file.write(f"{who}, at {self.what}\n")
                file.flush()
                faulthandler.dump_traceback(file)
