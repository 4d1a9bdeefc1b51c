"""Candidate masks of an image: a map of regions, and which of them each mask unites.

So MCG's files keep them (`superpixels`, `labels`), and so pixels are summed once, by
region, however many masks there are (`fcn_jax.data.weak.assignment`).
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """Masks of an image, which may overlap.

    Attributes:
        regions: int32 [H, W]; which region a pixel lies in, 0 to R - 1, none empty.
        member: bool [N, R]; mask k is `member[k][regions]`. No mask is empty.

    Raises:
        TypeError: If regions are not integers, or membership is not bool.
        ValueError: If the shapes, or the numbers of regions, do not fit, or a mask is
            empty.
    """

    regions: np.ndarray
    member: np.ndarray

    def __post_init__(self):
        if not np.issubdtype(self.regions.dtype, np.integer):
            raise TypeError(f"regions are {self.regions.dtype}; expected integers.")
        if self.member.dtype != np.bool_:
            raise TypeError(f"membership is {self.member.dtype}; expected bool.")
        if self.regions.ndim != 2 or self.member.ndim != 2 or not self.regions.size:
            raise ValueError(
                f"regions {self.regions.shape} and membership {self.member.shape}; "
                f"expected [H, W] with pixels and [masks, regions]."
            )
        found = np.bincount(self.regions.ravel(), minlength=self.num_regions)
        if len(found) != self.num_regions or not found.all():
            raise ValueError(
                f"the map has regions {self.regions.min()} to {self.regions.max()}, "
                f"{np.count_nonzero(found)} of them with pixels, and masks unite "
                f"{self.num_regions}; expected as many, numbered from 0 without gaps."
            )
        if not self.member.any(axis=1).all():
            place = int(np.flatnonzero(~self.member.any(axis=1))[0])
            raise ValueError(f"candidate {place} is empty; leave it out.")

    def __len__(self) -> int:
        return len(self.member)

    @property
    def num_regions(self) -> int:
        """R."""
        return self.member.shape[1]

    def mask(self, number: int) -> np.ndarray:
        """One of the masks, bool [H, W]."""
        return self.member[number][self.regions]

    @functools.cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """The regions of all masks, one mask after the other, and where each begins."""
        count = self.num_regions
        places = np.flatnonzero(self.member)
        starts = np.searchsorted(places, np.arange(len(self)) * count)
        return places % count, starts

    def sums(self, values: np.ndarray) -> np.ndarray:
        """What regions have, summed over each mask.

        Args:
            values: [R].

        Returns:
            [N].
        """
        regions, starts = self._parts
        return np.add.reduceat(values[regions], starts)

    def areas(self) -> np.ndarray:
        """The pixels of each mask, int64 [N]."""
        return self.sums(np.bincount(self.regions.ravel()))

    @functools.cached_property
    def boxes(self) -> np.ndarray:
        """The tight box of each mask, (row0, col0, row1, col1), int32 [N, 4]."""
        regions, starts = self._parts
        sides = region_boxes(self.regions).T  # Along rows NumPy is slow here.
        low = [np.minimum.reduceat(side[regions], starts) for side in sides[:2]]
        high = [np.maximum.reduceat(side[regions], starts) for side in sides[2:]]
        return np.stack([*low, *high], axis=1)

    def first(self, number: int) -> "Candidates":
        """The first of them, over the same regions."""
        return Candidates(self.regions, self.member[:number])


def region_boxes(regions: np.ndarray) -> np.ndarray:
    """The tight boxes of regions.

    Args:
        regions: Integer [H, W], 0 to R - 1, none empty.

    Returns:
        (row0, col0, row1, col1), end excluded, int32 [R, 4].
    """
    pixels = np.argsort(regions.ravel(), kind="stable")
    sizes = np.bincount(regions.ravel())
    ends = np.cumsum(sizes)
    rows, columns = np.divmod(pixels, regions.shape[1])
    row0, row1 = rows[ends - sizes], rows[ends - 1]  # Pixels of a region are in order.
    col0 = np.minimum.reduceat(columns, ends - sizes)
    col1 = np.maximum.reduceat(columns, ends - sizes)
    return np.stack([row0, col0, row1 + 1, col1 + 1], axis=1).astype(np.int32)


def refined(maps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The coarsest regions of which those of every map are unions.

    Args:
        maps: Integer [H, W] each, of one size, none negative.

    Returns:
        The regions, int32 [H, W], and which of each map they lie in, int64
        [R, len(maps)].
    """
    found = np.zeros(maps[0].shape, np.int64)
    first = np.zeros(1, np.int64)
    for each in maps:
        joint = found * (int(each.max()) + 1) + each
        _, first, inverse = np.unique(
            joint.ravel(), return_index=True, return_inverse=True
        )
        found = inverse.reshape(maps[0].shape)
    where = np.stack([each.ravel()[first] for each in maps], axis=1)
    return found.astype(np.int32), where.astype(np.int64)


def join(parts: Sequence[Candidates]) -> Candidates:
    """The masks of several sets of one image, over common regions, in their order.

    Args:
        parts: At least one; of images of one size.

    Returns:
        All masks; duplicates stay.

    Raises:
        ValueError: If the sizes differ.
    """
    sizes = {part.regions.shape for part in parts}
    if len(sizes) != 1:
        raise ValueError(
            f"candidates of images of {len(sizes)} sizes, {sorted(sizes)}; expected "
            f"those of one image."
        )
    if len(parts) == 1:
        return parts[0]
    regions, where = refined([part.regions for part in parts])
    member = [p.member[:, where[:, i]] for i, p in enumerate(parts)]
    return Candidates(regions, np.concatenate(member))


def from_masks(masks: np.ndarray) -> Candidates:
    """Masks as candidates; regions are the pixels that the same masks hold.

    Args:
        masks: bool [N, H, W], N at least 1; empty ones are left out.

    Raises:
        ValueError: If none has a pixel.
    """
    masks = masks[masks.any(axis=(1, 2))]
    if not len(masks):
        raise ValueError("no mask has a pixel; there are no candidates.")
    held = np.packbits(masks, axis=0).reshape(-1, masks[0].size).T  # A row a pixel.
    held = np.ascontiguousarray(held)
    words = held.view(np.dtype((np.void, held.shape[1]))).ravel()
    _, first, inverse = np.unique(words, return_index=True, return_inverse=True)
    regions = inverse.reshape(masks.shape[1:]).astype(np.int32)
    return Candidates(regions, masks.reshape(len(masks), -1)[:, first])


def without_duplicates(candidates: Candidates) -> tuple[Candidates, np.ndarray]:
    """Each mask once, in the order of their first appearance.

    Args:
        candidates: Of an image.

    Returns:
        They, and their places among those that were given, int64 [M].
    """
    packed = np.packbits(candidates.member, axis=1)
    words = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    places = np.sort(np.unique(words, return_index=True)[1])
    return Candidates(candidates.regions, candidates.member[places]), places


def with_rectangles(candidates: Candidates, boxes: np.ndarray) -> Candidates:
    """The candidates, and behind them filled boxes.

    Args:
        candidates: Of an image.
        boxes: Inside the image, integer [M, 4].

    Returns:
        N + M masks.
    """
    if not len(boxes):
        return candidates
    masks = np.zeros((len(boxes), *candidates.regions.shape), np.bool_)
    for number, (row0, col0, row1, col1) in enumerate(boxes.tolist()):
        masks[number, row0:row1, col0:col1] = True
    return join([candidates, from_masks(masks)])
