"""Few sizes of arrays for images of many sizes: each size that is new is compiled."""

import functools
import threading
from collections import Counter
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

import jax

_BUCKET = 32  # Pixels; sides of canvases are multiples of it.
_ROOM = 1.5  # Pixels of a canvas that is there already, of those of one's own, at most.
_OFTEN = 16  # Images after which a canvas of their own is worth being compiled.
_MOST = 32  # Canvases that are kept: 30 images of random sizes make 15 at most.

P = ParamSpec("P")
R = TypeVar("R")


class Canvases:
    """The sizes that images are padded to, of which as few as will do are made.

    An image whose own canvas (its sides rounded up) was not made yet goes on a larger
    one that was, unless that has half as many pixels again, or this happens often. Of
    more than `most` the one is forgotten that was not needed for longest.

    Args:
        most: Canvases.
    """

    def __init__(self, most: int = _MOST):
        self._made: dict[tuple[int, int], None] = {}  # The last needed stands last.
        self._asked: Counter[tuple[int, int]] = Counter()
        self._most = most

    @property
    def made(self) -> tuple[tuple[int, int], ...]:
        """Those that are not forgotten, the one that was needed last at the end."""
        return tuple(self._made)

    def of(self, height: int, width: int, least: int = 1) -> tuple[int, int]:
        """The canvas of an image.

        Args:
            height: Of the image, pixels.
            width: Likewise.
            least: That the network needs of each side, pixels.
        """
        found = self._chosen(height, width, least)
        self._made.pop(found, None)
        self._made[found] = None
        for forgotten in self.made[: -self._most]:
            del self._made[forgotten]
            self._asked[forgotten] = 0
        return found

    def _chosen(self, height: int, width: int, least: int) -> tuple[int, int]:
        rounded = [max(least, -(-n // _BUCKET) * _BUCKET) for n in (height, width)]
        own = (rounded[0], rounded[1])
        self._asked[own] += 1
        if own not in self._made and self._asked[own] <= _OFTEN:
            most = _ROOM * own[0] * own[1]
            larger = [
                (h * w, (h, w))
                for h, w in self._made
                if h >= own[0] and w >= own[1] and h * w <= most
            ]
            if larger:
                return min(larger)[1]
        return own


class CompiledByCanvas(Generic[P, R]):
    """A function that is compiled for each canvas; what is forgotten is freed.

    Threads may share it.

    Args:
        function: Of arrays that have the size of a canvas.
        most: Canvases that are kept.
    """

    def __init__(self, function: Callable[P, R], most: int = _MOST):
        self._function, self._canvases = function, Canvases(most)
        self._compiled: dict[tuple[int, int], Callable[P, R]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """For how many canvases it is kept compiled."""
        return len(self._compiled)

    def of(
        self, height: int, width: int, least: int = 1
    ) -> tuple[tuple[int, int], Callable[P, R]]:
        """The canvas of an image, and the function for that.

        Args:
            height: Of the image, pixels.
            width: Likewise.
            least: That the network needs of each side, pixels.
        """
        with self._lock:
            canvas = self._canvases.of(height, width, least)
            for forgotten in self._compiled.keys() - set(self._canvases.made):
                del self._compiled[forgotten]
            if canvas not in self._compiled:
                # Of a partial of its own: programs of one function are freed together.
                self._compiled[canvas] = jax.jit(functools.partial(self._function))
            return canvas, self._compiled[canvas]
