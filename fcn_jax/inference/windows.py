"""Which windows of an image instance-wise inference looks at.

Each class is a function (image, id) -> boxes, and knows how many these may be, so that
batches have fixed shapes.

References:
    Noh, Hong and Han 2015, arXiv:1505.04366, sec. 3.4 and 4.2;
    HyeonwooNoh/DeconvNet, inference/generate_EDeconvNet_CRF_results.m.
"""

import warnings
from collections.abc import Callable

import numpy as np

from fcn_jax.data import boxes as box_rules

MOST_EXTENSION = 3.0  # So that no window reaches further than an image beyond it.


class WholeImage:
    """One window that holds all of the image."""

    def max_windows(self, canvas: tuple[int, int]) -> int:
        """How many windows an image has at most that fits the canvas."""
        del canvas
        return 1

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """The box of the image, int32 [1, 4].

        Args:
            image: [H, W, channels].
            name: Its id.
        """
        del name
        return np.array([(0, 0, *image.shape[:2])], np.int32)


class Tiles:
    """Sliding windows that cover an image evenly, in reading order.

    Args:
        side: Of the windows, pixels; shorter where the image is.
        overlap: The least share of a window that lies in the next, in [0, 1).

    Raises:
        ValueError: If the side is not positive or the overlap not in [0, 1).
    """

    def __init__(self, side: int = 224, overlap: float = 0.5):
        if side < 1 or not 0 <= overlap < 1:
            raise ValueError(
                f"tiles: side={side}, overlap={overlap}; expected a side of at least 1 "
                f"pixel and an overlap in [0, 1)."
            )
        self.side, self.overlap = side, overlap

    def max_windows(self, canvas: tuple[int, int]) -> int:
        """How many windows an image has at most that fits the canvas."""
        return len(self.starts(canvas[0])) * len(self.starts(canvas[1]))

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """The boxes, inside the image, int32 [M, 4].

        Args:
            image: [H, W, channels].
            name: Its id.
        """
        del name
        height, width = image.shape[:2]
        found = [
            (row, column, min(row + self.side, height), min(column + self.side, width))
            for row in self.starts(height)
            for column in self.starts(width)
        ]
        return np.array(found, np.int32)

    def starts(self, length: int) -> list[int]:
        """Where windows begin along a side of an image.

        Args:
            length: Of the side, pixels.
        """
        if length <= self.side:
            return [0]
        step = max(1.0, self.side * (1 - self.overlap))
        count = int(np.ceil((length - self.side) / step)) + 1
        return np.round(np.linspace(0, length - self.side, count)).astype(int).tolist()


class ProposalWindows:
    """The best proposals of an image, extended for context.

    Args:
        propose: Function (image, id) -> boxes int32 [M, 4] and scores, best first; see
            `fcn_jax.proposals` and `fcn_jax.proposals.cache`.
        num: Boxes to take, at most.
        extension: Factor on the sides of a box, in [1, 3].
        min_side: Least height and width of an extended box, pixels; smaller ones do
            not count towards `num`. The release has 112, the paper names none.

    Raises:
        ValueError: If a number is out of its range.
    """

    def __init__(
        self,
        propose: Callable[[np.ndarray, str], tuple[np.ndarray, np.ndarray]],
        num: int = 50,
        extension: float = 1.2,
        min_side: int = 0,
    ):
        if num < 1:
            raise ValueError(
                f"K = {num} proposals: there would be nothing to look at; ask for at "
                f"least 1 (the paper takes 50), or take the whole image."
            )
        if not 1 <= extension <= MOST_EXTENSION:
            raise ValueError(
                f"extension={extension} is not in [1, {MOST_EXTENSION:g}]; DeconvNet "
                f"extends boxes 1.2 times."
            )
        self.propose, self.num = propose, num
        self.extension, self.min_side = extension, min_side

    def max_windows(self, canvas: tuple[int, int]) -> int:
        """How many windows an image has at most."""
        del canvas
        return self.num

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """The boxes, perhaps beyond the image, int32 [M, 4], best first.

        Args:
            image: uint8 RGB [H, W, 3].
            name: Its id.

        Raises:
            TypeError: If proposals are not integers.
            ValueError: If a proposal leaves the image or has no area.
        """
        height, width = image.shape[:2]
        found, _ = self.propose(image, name)
        box_rules.check_boxes(found, (height, width), name)
        found = box_rules.extend(found, self.extension)
        sides = found[:, 2:] - found[:, :2]
        found = found[sides.min(axis=1, initial=height + width) >= self.min_side]
        if not len(found):
            warnings.warn(
                f"{name}: no proposal has sides of {self.min_side} pixels or more in "
                f"an image of {height}x{width}; the whole image is taken.",
                stacklevel=2,
            )
            return WholeImage()(image, name)
        return found[: self.num]
