"""What was found in an image, and what was found in the last ones."""

import dataclasses
import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from fcn_jax.data.contracts import Head
from fcn_jax.inference.tiled import Strip
from fcn_jax.serving.refusals import BAD, Refusal

Point: TypeAlias = tuple[int, int]  # (x, y) from the upper left.


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found of one head in an image.

    Attributes:
        labels: uint8 [H, W].
        at: Class probabilities at the pixels that were asked for, float16 [P, C].
        probs: Those of all pixels, float16 [H, W, C]; None: they take too much memory.
    """

    labels: np.ndarray
    at: np.ndarray
    probs: np.ndarray | None

    @property
    def num_bytes(self) -> int:
        """That it takes."""
        return self.labels.nbytes + (0 if self.probs is None else self.probs.nbytes)


def gathered(
    strips: Iterable[Strip],
    size: tuple[int, int],
    head: Head,
    points: Sequence[Point],
    room: int,
) -> Found:
    """Take from class probabilities what is wanted of them.

    Args:
        strips: Of the image, from the top.
        size: Its height and width.
        head: Whose classes these are.
        points: Pixels that are asked for.
        room: Bytes that the probabilities of all pixels may take.
    """
    labels = np.empty(size, np.uint8)
    at = np.empty((len(points), head.num_classes), np.float16)
    shape = (*size, head.num_classes)
    kept = np.empty(shape, np.float16) if 2 * math.prod(shape) <= room else None
    for row, strip in strips:
        labels[row : row + len(strip)] = strip.argmax(-1)
        if kept is not None:
            kept[row : row + len(strip)] = strip
        for number, (x, y) in enumerate(points):
            if row <= y < row + len(strip):
                at[number] = strip[y - row, x]
    return Found(labels, at, kept)


def check_points(points: Sequence[Point], size: tuple[int, int]) -> None:
    """Refuse pixels that an image does not have.

    Args:
        points: The pixels.
        size: Height and width of the image.

    Raises:
        Refusal: Naming one.
    """
    height, width = size
    for x, y in points:
        if x >= width or y >= height:
            raise Refusal(
                BAD,
                f"the pixel x={x}, y={y} is not in the image; x is 0 to {width - 1}, "
                f"y is 0 to {height - 1}",
            )


class Recent:
    """What was found in the last images, up to so many bytes; the images are not kept.

    Args:
        most_bytes: Of all together; the probabilities of one take half at most.

    Attributes:
        room: Bytes that the probabilities of one image may take.
    """

    def __init__(self, most_bytes: int):
        self.room, self._most_bytes = most_bytes // 2, most_bytes
        self._kept: OrderedDict[object, list[Found]] = OrderedDict()

    def recalled(self, key: object, points: Sequence[Point]) -> list[Found] | None:
        """What was found before; None where it is gone, or does not suffice.

        Args:
            key: Of the image and the way in which it was seen.
            points: Pixels that are asked for.

        Raises:
            Refusal: If the image has no such pixel.
        """
        kept = self._kept.get(key)
        if kept is None:
            return None
        height, width = kept[0].labels.shape
        check_points(points, (height, width))
        found: list[Found] = []
        for each in kept:
            if points and each.probs is None:
                return None
            at = [each.probs[y, x] for x, y in points] if each.probs is not None else []
            found.append(dataclasses.replace(each, at=np.array(at, np.float16)))
        self._kept.move_to_end(key)
        return found

    def keep(self, key: object, found: list[Found]) -> None:
        """Keep what was found, and let go of what was not asked for longest.

        Args:
            key: Of the image and the way in which it was seen.
            found: By head.
        """
        self._kept[key] = found
        while self._num_bytes() > self._most_bytes:
            self._kept.popitem(last=False)

    def _num_bytes(self) -> int:
        return sum(each.num_bytes for found in self._kept.values() for each in found)
