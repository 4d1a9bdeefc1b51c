"""What batches hold of the windows of images: boxes, and what belongs to each."""

from typing import Protocol, runtime_checkable

import numpy as np

from fcn_jax.data.batch import MutableBatch


class Windows(Protocol):
    """Which boxes of an image are wanted; see `fcn_jax.inference.windows`."""

    def max_windows(self, canvas: tuple[int, int]) -> int:
        """How many an image has at most that fits the canvas."""
        ...

    def __call__(self, image: np.ndarray, name: str) -> np.ndarray:
        """The boxes (row0, col0, row1, col1) of an image, int32 [M, 4].

        Args:
            image: uint8 [H, W, channels].
            name: Its id.
        """
        ...


@runtime_checkable
class WindowsAndMore(Windows, Protocol):
    """Windows of which batches hold more than boxes: `fcn_jax.inference.segments`."""

    def empty(self, rows: int, canvas: tuple[int, int]) -> MutableBatch:
        """The entries of images without any, of so many rows.

        Args:
            rows: Of a batch.
            canvas: That images are padded to.
        """
        ...

    def of_image(self, image: np.ndarray, name: str) -> MutableBatch:
        """The entries of an image, its boxes among them; they go first in its row.

        Args:
            image: uint8 [H, W, channels].
            name: Its id.
        """
        ...


def empty(windows: Windows, rows: int, canvas: tuple[int, int]) -> MutableBatch:
    """What a batch holds of windows, for images without any.

    Args:
        windows: Which are wanted.
        rows: Of the batch.
        canvas: That images are padded to.
    """
    most = windows.max_windows(canvas)
    found: MutableBatch = {
        "boxes": np.zeros((rows, most, 4), np.int32),
        "num_boxes": np.zeros(rows, np.int32),
    }
    if isinstance(windows, WindowsAndMore):
        found.update(windows.empty(rows, canvas))
    return found


def lay(
    windows: Windows, batch: MutableBatch, row: int, image: np.ndarray, name: str
) -> None:
    """Lay the windows of an image into a row of a batch.

    Args:
        windows: Which are wanted.
        batch: With what `empty` gives.
        row: Of the image.
        image: uint8 [H, W, channels].
        name: Its id.
    """
    if isinstance(windows, WindowsAndMore):
        found = windows.of_image(image, name)
    else:
        found = {"boxes": windows(image, name)}
    for key, values in found.items():
        place = tuple(slice(0, length) for length in values.shape)
        batch[key][row][place] = values
    batch["num_boxes"][row] = len(found["boxes"])
