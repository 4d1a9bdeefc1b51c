"""A source whose images are decoded once, as far as memory allows."""

import dataclasses
import threading
from collections.abc import Mapping

import numpy as np

from fcn_jax.data.contracts import Item, Source


class CachedSource:
    """A source that keeps what it has read.

    Everything but the items is that of the source. Threads may share it.

    Args:
        source: What is read from.
        most_bytes: Of the arrays that are kept; the first that are read stay.

    Attributes:
        bytes: Of the arrays that are kept.
    """

    def __init__(self, source: Source, most_bytes: int):
        self._source, self._most = source, most_bytes
        self.name, self.split = source.name, source.split
        self.channels, self.heads = source.channels, source.heads
        self._items: dict[int, Item] = {}
        self._lock = threading.Lock()
        self.bytes = 0

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
        found = self._items.get(index)
        if found is not None:
            return found
        item = self._source[index]
        size = _size(item)
        with self._lock:
            if index not in self._items and self.bytes + size <= self._most:
                self._items[index] = item
                self.bytes += size
        return item


def _size(item: Item) -> int:
    """The bytes of an item's arrays; masks of instances may not be read yet."""
    names = ("image", "labels", "regions", "segments")
    return sum(_bytes(item.get(name)) for name in names)


def _bytes(value: object) -> int:
    """Those of an array, or of the arrays in what holds some."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return sum(_bytes(getattr(value, field.name)) for field in fields)
    return 0
