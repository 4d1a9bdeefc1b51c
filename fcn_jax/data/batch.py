"""A batch: what its entries are called, and which of them stay on the host."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

# Of training: `image` [B, H, W, channels], `labels` uint8 [B, H, W] (by head where
# there are several), `sizes` int32 [B, 2], `index` int32 [B]; of weak labels `allowed`
# uint8 [B, H, W, P] (`fcn_jax.data.weak.planes`). Of evaluation, too: `id`
# (list of str), `example_valid` bool [B], and what is wanted at other scales and in
# windows. Of networks that look at superpixels: `superpixels` int32 [B, H, W].
Batch: TypeAlias = Mapping[str, Any]
MutableBatch: TypeAlias = dict[str, Any]

# Entries that a network is given beside the images, where a training batch has them:
# (row0, col0, row1, col1), int32 [B, M, 4], the class of each box, int32 [B, M], and
# the cells of its segment, uint8 [B, M, h, w].
BOX_KEYS = ("boxes", "box_labels", "box_masks")
# What a loss is told of them beside: `fcn_jax.data.regions.draw`.
BOX_TRUTH = ("box_weights", "box_targets")
# Entries that only the host needs; the rest goes to the devices.
HOST_KEYS = ("id", "index", "example_valid")


def scaled_key(name: str, scale: float) -> str:
    """The entry that holds `image` or `sizes` at a scale other than 1: `image@0.5`.

    Args:
        name: "image" or "sizes".
        scale: Relative to the image.
    """
    return f"{name}@{scale:g}"


def for_devices(batch: Batch) -> MutableBatch:
    """The entries of a batch that networks see."""
    return {name: x for name, x in batch.items() if name not in HOST_KEYS}


def empty(
    batch_size: int,
    canvas: tuple[int, int],
    channels: int = 3,
    scales: Sequence[float] = (1.0,),
    dtype: npt.DTypeLike = np.uint8,
) -> MutableBatch:
    """A batch of black images of which none is valid yet, without labels.

    Args:
        batch_size: Rows, B.
        canvas: Height and width that images are padded to, pixels.
        channels: Of the images.
        scales: At which images are wanted.
        dtype: Of the images.

    Returns:
        `image`, `sizes`, `index` (-1), `example_valid` (False), `id`, and `image` and
        `sizes` at the other scales.
    """
    found: MutableBatch = {
        "image": np.zeros((batch_size, *canvas, channels), dtype),
        "sizes": np.ones((batch_size, 2), np.int32),
        "index": np.full(batch_size, -1, np.int32),
        "example_valid": np.zeros(batch_size, bool),
        "id": [""] * batch_size,
    }
    for scale in scales:
        if scale != 1:
            size = tuple(max(1, round(n * scale)) for n in canvas)
            shape = (batch_size, *size, channels)
            found[scaled_key("image", scale)] = np.zeros(shape, dtype)
            found[scaled_key("sizes", scale)] = np.ones((batch_size, 2), np.int32)
    return found
