"""A source whose images are decoded once, as far as memory allows."""

import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import numpy as np

from fcn_jax.data.contracts import Item, Source
from fcn_jax.data.shared_items import SharedItems

_LATER = "objects"  # May be read only when it is asked for: masks of instances.


class CachedSource:
    """A source that keeps what it has read.

    Everything but the items is that of the source. Threads may share it, and with
    `shared` the processes that it goes to, pickled: what one has read all have.

    Args:
        source: What is read from.
        most_bytes: Of the arrays that are kept; the first that are read stay.
        shared: Whether other processes take part. Masks of instances that are read when
            they are asked for are not kept then.

    Raises:
        OSError: If processes are to take part and cannot on this system.
    """

    def __init__(self, source: Source, most_bytes: int, shared: bool = False):
        self._source = source
        kept = _KeptByAll if shared else _Kept
        self._kept = kept(source, most_bytes)
        self.name, self.split = source.name, source.split
        self.channels, self.heads = source.channels, source.heads

    @property
    def bytes(self) -> int:
        """Of what is kept."""
        return self._kept.bytes

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
        found = self._kept.get(index)
        if found is not None:
            return found
        item = self._source[index]
        self._kept.put(index, item)
        return item


class _Kept:
    """What this process has read."""

    def __init__(self, source: Source, most_bytes: int):
        del source
        self._most, self.bytes = most_bytes, 0
        self._items: dict[int, Item] = {}
        self._lock = threading.Lock()

    def get(self, index: int) -> Item | None:
        return self._items.get(index)

    def put(self, index: int, item: Item) -> None:
        size = _size(item)
        with self._lock:
            if index not in self._items and self.bytes + size <= self._most:
                self._items[index] = item
                self.bytes += size


class _KeptByAll:
    """What any process has read."""

    def __init__(self, source: Source, most_bytes: int):
        self._source = source
        self._memory = SharedItems(len(source), most_bytes)

    @property
    def bytes(self) -> int:
        return self._memory.bytes

    def get(self, index: int) -> Item | None:
        found = self._memory.get(index)
        if found is None:
            return None
        names, values = cast(tuple[tuple[str, ...], dict[str, object]], found)
        read = functools.partial(self._source.__getitem__, index)
        return _HalfKept(names, values, read)

    def put(self, index: int, item: Item) -> None:
        lazy = not isinstance(item, dict)
        kept = {name: item[name] for name in item if not (lazy and name == _LATER)}
        self._memory.put(index, (tuple(item), kept))


class _HalfKept(Mapping[str, object]):
    """An item of which some values are kept, and others read when they are asked for.

    Args:
        names: Of all values.
        kept: Those that are.
        read: Reads the item.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        kept: Mapping[str, object],
        read: Callable[[], Item],
    ):
        self._names, self._kept, self._read = names, kept, read

    def __getitem__(self, name: str) -> object:
        if name in self._kept or name not in self._names:
            return self._kept[name]
        return self._read()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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
