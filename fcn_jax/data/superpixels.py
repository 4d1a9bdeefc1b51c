"""Superpixels that come with the images of a batch, made by whoever makes the batch.

What divides an image is handed in (`fcn_jax.regions.superpixels`). It sees a training
image once that is augmented, so that batches stay functions of the seed and the step.
"""

from typing import Protocol

import numpy as np

from fcn_jax.data.contracts import Item, Source

KEY = "superpixels"  # Of a batch: int32 [B, H, W].
NONE = -1  # The number of what lies beyond the image.


class Divide(Protocol):
    """What divides an image into superpixels; see `fcn_jax.regions.superpixels`."""

    def __call__(self, image: np.ndarray, name: str, /) -> np.ndarray:
        """The number of each pixel's superpixel, int32 [H, W], 0 to n - 1.

        Args:
            image: uint8 RGB [H, W, 3].
            name: Its id.
        """
        ...


class Divided:
    """A source whose batches hold superpixels; everything else is that of the source.

    Args:
        source: What is read from.
        divide: What divides its images.
    """

    def __init__(self, source: Source, divide: Divide):
        self._source, self.divide = source, divide
        self.name, self.split = source.name, source.split
        self.channels, self.heads = source.channels, source.heads

    def __getattr__(self, name: str) -> object:
        if name == "_source":  # Of one that is being copied.
            raise AttributeError(name)
        return getattr(self._source, name)

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        return self._source.image_sizes()

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Item:
        return self._source[index]


def divides(source: Source) -> Divide | None:
    """What divides the images of a source; None: its batches hold no superpixels."""
    return getattr(source, "divide", None)


def padded(
    image: np.ndarray, divide: Divide, canvas: tuple[int, int], name: str
) -> np.ndarray:
    """The superpixels of an image, at the top left of a canvas.

    Args:
        image: uint8 RGB [H, W, 3].
        divide: What divides it.
        canvas: Height and width of the result, pixels.
        name: Of the image, for errors.

    Returns:
        int32, of the canvas; `NONE` beyond the image.
    """
    found = np.full(canvas, NONE, np.int32)
    found[: image.shape[0], : image.shape[1]] = divide(image, name)
    return found
