"""Few sizes of arrays for images of many sizes: each size that is new is compiled."""

from collections import Counter

_BUCKET = 32  # Pixels; sides of canvases are multiples of it.
_ROOM = 1.5  # Pixels of a canvas that is there already, of those of one's own, at most.
_OFTEN = 16  # Images after which a canvas of their own is worth being compiled.


class Canvases:
    """The sizes that images are padded to, of which as few as will do are made.

    An image whose own canvas (its sides rounded up) was not made yet goes on a larger
    one that was, unless that has half as many pixels again, or this happens often.
    """

    def __init__(self):
        self._made: set[tuple[int, int]] = set()
        self._asked: Counter[tuple[int, int]] = Counter()

    def of(self, height: int, width: int, least: int = 1) -> tuple[int, int]:
        """The canvas of an image.

        Args:
            height: Of the image, pixels.
            width: Likewise.
            least: That the network needs of each side, pixels.
        """
        rounded = [max(least, -(-n // _BUCKET) * _BUCKET) for n in (height, width)]
        own = (rounded[0], rounded[1])
        self._asked[own] += 1
        if own not in self._made and self._asked[own] <= _OFTEN:
            most = _ROOM * own[0] * own[1]
            larger = [
                (h * w, (h, w))
                for h, w in tuple(self._made)
                if h >= own[0] and w >= own[1] and h * w <= most
            ]
            if larger:
                return min(larger)[1]
        self._made.add(own)
        return own
