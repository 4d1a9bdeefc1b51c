"""A loop whose clock is moved by hand."""

import asyncio
import selectors


class Selector(selectors.DefaultSelector):
    """Waits for nothing, and counts how long it would have."""

    now = 0.0

    def select(self, timeout=None):
        self.now += timeout or 0
        return super().select(0)


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time passes as fast as it is waited for."""

    def __init__(self):
        self._clock = Selector()
        super().__init__(self._clock)

    def time(self):
        return self._clock.now
