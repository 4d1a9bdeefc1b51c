"""All processes stop after the same step, though one alone was asked to."""

import signal
import threading
from collections.abc import Mapping


class Stop(BaseException):
    """Raised where the process was asked to stop, and nothing is lost by it.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int):
        super().__init__("interrupted" if number == signal.SIGINT else "terminated")
        self.number = number


class Agreement:
    """At which tick all processes stop, once one of them wants to.

    Each counts its ticks: one a training step, one a batch of an evaluation, the same
    in all. Who hears that one wants to stop posts the tick that it has begun and begins
    no other until all have posted; the largest is where all stop. Ticks cost nothing
    but a lock: the posts are read beside the training.

    Args:
        count: Of processes.
    """

    def __init__(self, count: int):
        self._count = count
        self._changed = threading.Condition()
        self._begun = 0
        self._asked = 0
        self._last: int | None = None

    @property
    def asked(self) -> int:
        """The signal that any process got; 0: none."""
        return self._asked

    @property
    def begun(self) -> int:
        """The tick that this process has begun."""
        return self._begun

    def tick(self) -> int:
        """Begin a tick, or say that here all stop.

        Returns:
            0, or the signal for which all stop.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._asked or self._last is not None)
            if self._last is not None and self._begun >= self._last:
                return self._asked
            self._begun += 1
            return 0

    def heard(self, number: int) -> int:
        """Note that a process wants to stop; the answer is what is to be posted.

        Args:
            number: The signal.

        Returns:
            The tick that this process has begun; it begins no other for now.
        """
        with self._changed:
            self._asked = self._asked or number
            return self._begun

    def settle(self, begun: Mapping[int, int]) -> None:
        """Decide, where all have posted.

        Args:
            begun: What each process has posted, so far.
        """
        if len(begun) == self._count and self._last is None:
            with self._changed:
                self._last = max(begun.values())
                self._changed.notify_all()
