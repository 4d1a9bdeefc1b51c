"""NumPy's `.npz`: a zip archive of `.npy` arrays."""

import ast
import math
import struct
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.formats import archives

_MAGIC = b"\x93NUMPY"
# Compressed weights are two thirds of plain ones; a file that grows more than this
# holds zeros.
_LARGEST_GROWTH, _SPARE = 16, 1 << 20
_LONGEST_HEADER = 10_000  # Bytes; as NumPy itself allows.
_AGAIN = "expected arrays of numbers, as np.savez writes them"
_TWO_BYTES = np.dtype("V2")  # As which NumPy writes bfloat16, unknown to it.


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an archive.

    Args:
        path: The `.npz`.

    Returns:
        Arrays by name, as stored; integers and text are left out.

    Raises:
        WeightsError: If it is torn, holds objects or two arrays of one name, or an
            array's size is not that of its shape.
    """
    path = Path(path)
    found = {}
    for member, data in archives.read_members(path, _LARGEST_GROWTH, _SPARE).items():
        name = member.removesuffix(".npy")
        if name in found:
            raise WeightsError(path, f"two arrays are named {name!r}", _AGAIN)
        array = _array(path, name, data)
        if array is not None:
            found[name] = array
    if not found:
        raise WeightsError(path, "it holds no array of numbers", _AGAIN)
    return found


def _array(path: Path, name: str, data: bytes):
    if not data.startswith(_MAGIC) or len(data) < 12:
        raise WeightsError(path, f"member {name!r} is no .npy array", _AGAIN)
    major = data[6]
    layout = "<H" if major == 1 else "<I"
    (length,) = struct.unpack_from(layout, data, 8)
    start = 8 + struct.calcsize(layout) + length
    if major not in (1, 2, 3) or length > _LONGEST_HEADER or start > len(data):
        raise WeightsError(path, f"array {name!r} has a damaged header", _AGAIN)
    try:
        header = ast.literal_eval(data[start - length : start].decode("utf-8"))
        dtype, shape = np.dtype(header["descr"]), tuple(header["shape"])
        order = "F" if header["fortran_order"] else "C"
        if not all(type(n) is int for n in shape):  # Nor is True one.
            raise ValueError(f"a shape {shape}")
        size = math.prod(shape) * dtype.itemsize
    except Exception as error:
        raise WeightsError(
            path, f"array {name!r} has a damaged header ({error})", _AGAIN
        ) from error
    if dtype.hasobject:
        raise WeightsError(
            path,
            f"array {name!r} holds Python objects, which could run code",
            _AGAIN,
        )
    if min(shape, default=0) < 0 or size != len(data) - start or len(shape) > 32:
        raise WeightsError(
            path,
            f"array {name!r}, {dtype} {shape}, has {len(data) - start} bytes",
            f"expected {size}",
        )
    if dtype == _TWO_BYTES:
        dtype = np.dtype(ml_dtypes.bfloat16)
    elif dtype.kind != "f":
        return None
    if not size:
        return None
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays under their names, without compression.

    Args:
        path: The file.
        arrays: By name.
    """
    with open(path, "wb") as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
