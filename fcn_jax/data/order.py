"""In which order images come: epochs that are shuffled, or fixed shares of a batch."""

from typing import NamedTuple

import grain
import numpy as np

from fcn_jax.data.contracts import Source

MANY_IMAGES = 1 << 60  # Endless for all purposes; what truly is has no batches.


class Shares(NamedTuple):
    """Two groups of images, of which every batch has as many.

    Attributes:
        first: Which images are of the first group, bool [N].
        share: What of a batch they are, above 0 and below 1.
    """

    first: np.ndarray
    share: float

    def count(self, batch_size: int) -> int:
        """Images of the first group in a batch: the nearest whole number.

        Args:
            batch_size: Images of a batch.

        Raises:
            ValueError: If a batch would have none of one of the groups.
        """
        found = round(self.share * batch_size)
        if not 0 < found < batch_size:
            raise ValueError(
                f"a share of {self.share:g} of {batch_size} image(s) is {found}, which "
                f"leaves none of one kind; change config.data.strong_share or "
                f"config.batch_size."
            )
        return found


def shares_of(source: Source) -> Shares | None:
    """The groups that a source wants in each batch; None: images come as they do.

    Args:
        source: Whose `shares` say so, if it has any.
    """
    return getattr(source, "shares", None)


def endless(
    source: Source, batch_size: int, seed: int, *, shuffled: bool = True
) -> grain.MapDataset[int]:
    """Places in a source, one after the other, without end.

    Args:
        source: That is drawn from.
        batch_size: Images of a batch, over all processes.
        seed: Of the order.
        shuffled: Whether every epoch has an order of its own.

    Raises:
        ValueError: If a batch would have none of one of the source's groups.
    """
    shares = shares_of(source)
    if shares is None:
        return _epochs(grain.MapDataset.range(len(source)), seed, shuffled)
    groups = [
        _epochs(grain.MapDataset.source(members.tolist()), seed + number, shuffled)
        for number, members in enumerate(members_of(shares))
    ]
    mixed = _Mixed(groups[0], groups[1], batch_size, shares.count(batch_size))
    return grain.MapDataset.source(mixed).seed(seed)


def members_of(shares: Shares) -> tuple[np.ndarray, np.ndarray]:
    """The places of the images of each group, ascending."""
    return np.flatnonzero(shares.first), np.flatnonzero(~shares.first)


def redrawn(source: Source, place: int, rng: np.random.Generator) -> int:
    """Another image in the place of one, any of its group.

    Args:
        source: That is drawn from.
        place: In it.
        rng: Draws the other.
    """
    shares = shares_of(source)
    if shares is None:
        return int(rng.integers(len(source)))
    members = members_of(shares)[0 if shares.first[place] else 1]
    return int(members[rng.integers(len(members))])


def _epochs(
    places: grain.MapDataset[int], seed: int, shuffled: bool
) -> grain.MapDataset[int]:
    order = places.seed(seed)
    if shuffled:
        order = order.shuffle()
    return order.repeat(MANY_IMAGES // len(places))


class _Mixed:
    """Places of two groups, spread evenly over each batch."""

    def __init__(
        self,
        first: grain.MapDataset[int],
        second: grain.MapDataset[int],
        batch_size: int,
        count: int,
    ):
        self._first, self._second = first, second
        self._size, self._count = batch_size, count

    def __len__(self) -> int:
        return MANY_IMAGES

    def __getitem__(self, index: int) -> int:
        batch, row = divmod(int(index), self._size)
        before = row * self._count // self._size  # Rows of the first group, so far.
        if (row + 1) * self._count // self._size > before:
            place = self._first[batch * self._count + before]
        else:
            place = self._second[batch * (self._size - self._count) + row - before]
        assert place is not None  # Nothing is filtered out of either.
        return place
