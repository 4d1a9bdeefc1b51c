"""Keras' `.h5`, the `.weights.h5` of Keras 3, and its `.keras` archives.

HDF5 is read by `pyfive`, in Python alone: a damaged file cannot crash the process.
What it may read is counted, so that a file that points back at itself ends too. Behind
a user block it would read zeros without an error: the format's mark must come first.
"""

import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np

from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.formats import archives, extras

_AGAIN = "expected weights that Keras saved: download or copy them again"
MEMBER = "model.weights.h5"  # Of a `.keras` archive.
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_LEAST_BLOCK = 512  # Bytes of a user block; others are twice as large, and so on.
_CONTIGUOUS = 1  # HDF5's layout class of arrays in one piece.
_DEEPEST, _MOST_NODES = 32, 20_000  # A net has tens of layers; optimisers have more.
# How often a file may be read, and its bytes; a whole one needs each about once.
_READS_A_BYTE, _SPARE_READS, _TIMES, _SPARE = 1 / 8, 50_000, 4, 1 << 22


class _TooMuch(Exception):
    """A file was read more often than any that is whole."""


class _Counted:
    """A file in memory that lets itself be read only so often."""

    closed = False

    def __init__(self, data: mmap.mmap | memoryview | bytes):
        self._data, self._at = data, 0
        self._reads = int(len(data) * _READS_A_BYTE) + _SPARE_READS
        self._bytes = len(data) * _TIMES + _SPARE

    def read(self, size: int | None = -1):
        start = min(self._at, len(self._data))
        end = len(self._data) if size is None or size < 0 else start + size
        found = bytes(self._data[start : min(end, len(self._data))])
        self._at = start + len(found)
        self._reads -= 1
        self._bytes -= len(found)
        if self._reads < 0 or self._bytes < 0:
            raise _TooMuch
        return found

    def seek(self, offset: int, whence: int = 0):
        base = {0: 0, 1: self._at, 2: len(self._data)}[whence]
        self._at = base + offset
        if self._at < 0:
            raise ValueError("a position before the file")
        self._reads -= 1
        if self._reads < 0:
            raise _TooMuch
        return self._at

    def tell(self):
        return self._at

    def close(self):
        """Nothing is open."""

    def seekable(self):
        return True

    def readable(self):
        return True


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The floating-point arrays of a file.

    Args:
        path: The `.h5`, or a `.keras` archive.

    Returns:
        Arrays by the path of their data set, such as
        "block1_conv1/block1_conv1/kernel:0", as stored (bfloat16 too); integers and
        text are left out.

    Raises:
        WeightsError: If it is torn or holds no weights, if they are compressed, or if
            a user block stands before them.
        ImportError: If the package `pyfive` is missing.
    """
    path = Path(path)
    pyfive = extras.require("pyfive", path)
    data = _data(path)
    _check_mark(path, data)
    found = {}
    try:
        root = pyfive.File(_Counted(data))
        _collect(pyfive, path, root, "", 0, found, data)
    except WeightsError:
        raise
    except _TooMuch as error:
        raise WeightsError(path, "it points back at itself", _AGAIN) from error
    except Exception as error:  # Whatever a damaged file makes pyfive stumble over.
        what = str(error) or "no more is known"
        raise WeightsError(
            path, f"no HDF5 ({type(error).__name__}: {what[:200]})", _AGAIN
        ) from error
    if not found:
        raise WeightsError(path, "it holds no array of numbers", _AGAIN)
    return found


def _data(path: Path) -> mmap.mmap | memoryview | bytes:
    """The bytes of the HDF5 file, which a `.keras` archive holds as a member."""
    with open(path, "rb") as file:
        if not path.stat().st_size:
            return b""
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if mapped[:4] != archives.ZIP_MAGIC:
        return mapped
    return archives.open_stored(path)[MEMBER]


def _check_mark(path: Path, data: mmap.mmap | memoryview | bytes) -> None:
    """Refuse what does not begin as HDF5 does."""
    at = 0
    while at < len(data):  # At 0, 512, 1024, 2048 and so on, by the format.
        if data[at : at + len(HDF5_MAGIC)] == HDF5_MAGIC:
            break
        at = 2 * at or _LEAST_BLOCK
    else:
        raise WeightsError(
            path, f"no HDF5 (it begins with {bytes(data[:8])!r})", _AGAIN
        )
    if at:
        raise WeightsError(
            path,
            f"HDF5 behind a user block of {at} bytes, as MATLAB writes it",
            "expected HDF5 from the first byte on, as Keras saves it (h5unjam -i IN -o "
            "OUT --delete takes the block off)",
        )


def _collect(
    pyfive: ModuleType,
    path: Path,
    group: Any,
    prefix: str,
    depth: int,
    found: dict[str, np.ndarray],
    data: mmap.mmap | memoryview | bytes,
):
    """Add the arrays below a group."""
    if depth > _DEEPEST or len(found) > _MOST_NODES:
        raise _TooMuch
    for name in group:
        node = group[name]
        if isinstance(node, pyfive.Dataset):
            array = _array(path, node, f"{prefix}{name}", data)
            if array is not None:
                found[f"{prefix}{name}"] = array
        elif isinstance(node, pyfive.Group):
            _collect(pyfive, path, node, f"{prefix}{name}/", depth + 1, found, data)


def _array(path: Path, dataset: Any, name: str, data: mmap.mmap | memoryview | bytes):
    """A view of a data set's values; None for what is no floating point."""
    dtype = np.dtype(dataset.dtype)
    if dtype.itemsize == 2 and dtype.kind == "V" and _says_bfloat16(dataset.attrs):
        dtype = np.dtype(ml_dtypes.bfloat16)  # Two opaque bytes, and an attribute.
    elif dtype.kind != "f":
        return None
    if dataset.id.layout_class != _CONTIGUOUS:
        raise WeightsError(
            path,
            f"array {name!r} is stored in pieces, perhaps compressed",
            "expected it in one piece, as Keras saves it (h5repack -l CONTI -f NONE "
            "IN OUT rewrites it)",
        )
    start = dataset.id.data_offset
    size = math.prod(dataset.shape) * dtype.itemsize
    if start is None or start < 0 or start + size > len(data) or not size:
        raise WeightsError(
            path,
            f"array {name!r} of shape {dataset.shape} does not lie within the file",
            _AGAIN,
        )
    return np.frombuffer(data, dtype, size // dtype.itemsize, start).reshape(
        dataset.shape
    )


def _says_bfloat16(attributes: Mapping[str, object]) -> bool:
    said = attributes.get("dtype", "")
    return (said.decode() if isinstance(said, bytes) else str(said)) == "bfloat16"
