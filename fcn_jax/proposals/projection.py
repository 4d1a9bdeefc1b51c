"""Masks of segments, projected to the cells of a map.

A cell stands for the centre of its receptive field, and each pixel of the image for the
cell whose centre is nearest: what shares of its pixels a mask covers says whether the
cell belongs to the segment. The image itself is never masked.

References:
    Dai, He and Sun 2015, "Convolutional feature masking for joint object and stuff
    segmentation", arXiv:1412.1283, sec. 3.1.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from fcn_jax.proposals.candidates import Candidates

SCALES = (480, 576, 688, 874, 1200)  # Shorter sides of images, pixels (SPP_net).
SIDE = 208  # Of a box at the scale that suits it: 13 cells of 16 pixels.


@dataclasses.dataclass(frozen=True)
class Cells:
    """How the cells of a map lie over an image, along either axis.

    Attributes:
        first: Centre of the first cell's receptive field, pixels; that of the image's
            first pixel is 0. VGG-16's conv5_3: 7.5; ZF-5's conv5: 20.
        stride: Pixels from a centre to the next.
        counts: Cells along a side of 0, 1, 2 ... pixels.
        inwards: Pixels by which a box's edges move before its cells are looked for.

    Raises:
        ValueError: If the stride is not positive.
    """

    first: float
    stride: float
    counts: tuple[int, ...]
    inwards: float = 6.5

    def __post_init__(self):
        if not self.stride > 0:
            raise ValueError(
                f"stride={self.stride}: cells lie a positive number of pixels apart."
            )

    def along(self, side: int) -> int:
        """How many cells a side has.

        Args:
            side: Pixels.

        Raises:
            ValueError: If the side has none, or is longer than any that is known.
        """
        if not 0 <= side < len(self.counts) or not self.counts[side]:
            raise ValueError(
                f"a side of {side} pixels has no cell, or is none of the "
                f"{len(self.counts) - 1} pixels that are known; scale images between "
                f"(config.data.scale, config.eval_scale)."
            )
        return self.counts[side]

    def centres(self, side: int, seen: int | None = None) -> np.ndarray:
        """Centres of the cells, float64, in pixels of an image.

        Args:
            side: Of the image, pixels.
            seen: Of the image as the network sees it, resized; None: as it is.
        """
        seen = side if seen is None else seen
        place = self.first + self.stride * np.arange(self.along(seen))
        return (place + 0.5) * (side / seen) - 0.5

    def nearest(self, side: int, seen: int | None = None) -> np.ndarray:
        """The cell of every pixel, int64 [side]; of two as near it is the first.

        Pixels before the first centre are all the first cell's, and those behind the
        last all the last one's.

        Args:
            side: Of the image, pixels.
            seen: As for `centres`.
        """
        centres = self.centres(side, seen)
        return np.searchsorted((centres[:-1] + centres[1:]) / 2, np.arange(side))


def project(
    candidates: Candidates, cells: Cells, seen: tuple[int, int] | None = None
) -> np.ndarray:
    """Which cells belong to each segment: those of whose pixels it covers half or more.

    The mean is that over the pixels of the cell, of which those at the edges have more;
    exactly half counts (the paper says only that 0.5 is the threshold).

    Args:
        candidates: Of an image.
        cells: Of the map.
        seen: Height and width of the image as the network sees it; None: its own.

    Returns:
        bool [N, h, w]. A segment that is small may have no cell.

    Raises:
        ValueError: As `Cells.along`.
    """
    height, width = candidates.regions.shape
    seen = (height, width) if seen is None else seen
    rows, columns = cells.nearest(height, seen[0]), cells.nearest(width, seen[1])
    size = cells.along(seen[0]), cells.along(seen[1])
    cell = (rows[:, None] * size[1] + columns[None]).ravel()
    pixels = np.bincount(cell, minlength=size[0] * size[1])
    ones = np.ones(cell.size, np.int32)
    shape = (candidates.num_regions, len(pixels))
    shared = sparse.csr_matrix(
        (ones, (candidates.regions.ravel(), cell)), shape=shape, dtype=np.int32
    )
    covered = (shared.T @ candidates.member.T.astype(np.int32)).T  # [N, h w]
    found = (2 * covered >= pixels[None]) & (pixels > 0)[None]
    return found.reshape(len(candidates), *size)


def has_cells(
    masks: np.ndarray, boxes: np.ndarray, cells: Cells, seen: tuple[int, int]
) -> np.ndarray:
    """Which segments have a cell among those of their box, bool [N].

    Args:
        masks: As `project` returns them.
        boxes: Of the segments, in pixels of the image as it is seen, integer [N, 4].
        cells: Of the map.
        seen: Height and width of the image as the network sees it.
    """
    inside = []
    for axis, side in enumerate(seen):
        first, last = boxes[:, axis], boxes[:, axis + 2] - 1
        start = (first - cells.first + cells.inwards) / cells.stride
        end = (last - cells.first - cells.inwards) / cells.stride
        start, end = np.floor(start + 0.5), np.ceil(end - 0.5)
        middle = (start + end) // 2
        start, end = (np.where(start > end, middle, edge) for edge in (start, end))
        most = cells.along(side) - 1
        start, end = np.clip(start, 0, most), np.clip(end, 0, most)
        cell = np.arange(most + 1)[None]
        inside.append((cell >= start[:, None]) & (cell <= end[:, None]))
    return (masks & inside[0][:, :, None] & inside[1][:, None]).any(axis=(1, 2))


def within(candidates: Candidates, most: int) -> Candidates:
    """As many of the first masks as tell no more than so many regions apart.

    Args:
        candidates: Of an image.
        most: Regions, 2 or more.

    Returns:
        They, over the regions that they tell apart.

    Raises:
        ValueError: If `most` is less than 2.
    """
    if most < 2:
        raise ValueError(
            f"most={most} regions: a mask tells 2 apart, itself and the rest; give 2 "
            f"or more."
        )

    def apart(number: int) -> tuple[np.ndarray, np.ndarray]:
        held = np.ascontiguousarray(np.packbits(candidates.member[:number], axis=0).T)
        words = held.view(np.dtype((np.void, held.shape[1]))).ravel()
        _, first, inverse = np.unique(words, return_index=True, return_inverse=True)
        return first, inverse

    low, high = 1, len(candidates)
    while low < high:  # The more masks, the more regions.
        middle = (low + high + 1) // 2
        if len(apart(middle)[0]) <= most:
            low = middle
        else:
            high = middle - 1
    first, inverse = apart(low)
    regions = inverse.reshape(-1)[candidates.regions].astype(np.int32)
    return Candidates(regions, candidates.member[:low, first])


def suited_scale(
    boxes: np.ndarray, shorter: int, scales: Sequence[float] = SCALES
) -> np.ndarray:
    """The scale at which each box is seen: where its side is nearest to 208 pixels.

    Args:
        boxes: Integer [M, 4], pixels of the image.
        shorter: The image's shorter side, pixels.
        scales: Shorter sides of the image as it is seen, pixels.

    Returns:
        Numbers of scales, int32 [M]; of two as near it is the first.

    Raises:
        ValueError: If there is no scale.

    References:
        ShaoqingRen/SPP_net, spp_features_convX_to_poolX.m.
    """
    if not len(scales):
        raise ValueError("suited_scale: there is no scale; give at least one.")
    areas = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).prod(axis=1)
    wanted = np.round(SIDE * shorter / np.sqrt(areas))
    away = np.abs(wanted[:, None] - np.asarray(scales, np.float64)[None])
    return np.argmin(away, axis=1).astype(np.int32)
