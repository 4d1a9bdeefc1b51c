"""Proposed segments of a source's images, kept as proposed boxes are."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fcn_jax.proposals.cache import Item
from fcn_jax.proposals.candidates import Candidates
from fcn_jax.proposals.pools import Pools

METHODS = ("segments", "mcg")
_MOST_BYTES = 2**30  # In memory: some thousand photographs' segments.


class SegmentCache:
    """The segments of images: made once and kept, or read from MCG's files.

    Args:
        method: "segments" (selective search's) or "mcg".
        directory: Where they are kept; "": in memory, those of the first images.
        num: Segments of an image at most.
        files: Directory of MCG's files.
        options: Further arguments of the method.

    Attributes:
        key: Digits that differ where they are made otherwise.

    Raises:
        ValueError: If the method, or an option of it, is not known, or there is no
            directory of MCG's files.
    """

    def __init__(
        self,
        method: str = "segments",
        directory: str | Path = "",
        *,
        num: int = 2000,
        files: str | Path = "",
        options: Mapping[str, object] | None = None,
    ):
        if method not in METHODS:
            raise ValueError(
                f"segments by {method!r} are not known; take one of "
                f"{', '.join(METHODS)} (config.data.objects.proposal_method)."
            )
        self._pools = Pools(
            method,
            directory=directory or None,
            num=num,
            files=files,
            options=options,
            most_bytes=_MOST_BYTES,
        )
        self.method, self.key = method, self._pools.key
        self.directory = Path(directory) if directory else None

    def __call__(self, image: np.ndarray, name: str) -> Candidates:
        """The segments of an image, best first.

        Args:
            image: uint8 RGB [H, W, 3].
            name: Its id.

        Raises:
            ValueError: As the method, naming the image.
            FileNotFoundError: If MCG's file is not there.
        """
        return self._pools(image, name, np.zeros((0, 4), np.int32))

    def of_item(self, item: Item) -> Candidates:
        """The segments of a source's item."""
        return self(item["image"], item["id"])

    def boxes_of(self, item: Item) -> np.ndarray:
        """Their tight boxes, int32 [M, 4]."""
        return self.of_item(item).boxes

    def count(self, item: Item) -> int:
        """How many a source's item has."""
        return len(self.of_item(item))
