"""Arrays that take long to make, kept in files whose names say what they came from."""

import contextlib
import hashlib
import json
import logging
import zipfile
import zlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from fcn_jax.storage import files

Arrays = dict[str, np.ndarray]
_TRIES = 5


def digest(*parts: object) -> str:
    """16 hexadecimal digits that differ where the parts do.

    Args:
        parts: Arrays (their dtype, shape and content count), or what JSON can hold.
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype}{part.shape}".encode())
            contiguous: Any = np.ascontiguousarray(part)
            total.update(contiguous)
        else:
            total.update(json.dumps(part, sort_keys=True).encode())
        total.update(b"\0")
    return total.hexdigest()[:16]


def cached(
    path: str | Path, make: Callable[[], Arrays], names: Collection[str] = ()
) -> Arrays:
    """The arrays of an .npz file; where there is none, they are made and written.

    The file appears whole or not at all, also when threads or processes write it at
    once. One that cannot be read is made anew.

    Args:
        path: The file; its directory is made.
        make: Returns the arrays.
        names: That are among them; a file without them is made anew.

    Returns:
        Name -> array.

    Raises:
        OSError: If it cannot be written; naming it.
    """
    path = Path(path)
    problem = ""
    try:
        found = _read(path)
        missing = sorted(set(names) - found.keys())
        if not missing:
            return found
        problem = f"it lacks {', '.join(missing)}"
    except FileNotFoundError:
        pass
    except (
        ValueError,
        EOFError,
        KeyError,
        OSError,
        NotImplementedError,  # Of a compression that zipfile does not know.
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        problem = str(error)
    if problem:
        logging.getLogger(__name__).warning(
            "%s cannot be read (%s); it is made anew", path, problem
        )
    arrays = make()
    files.write_whole(path, lambda part: _write(part, arrays))
    return arrays


def _read(path: Path) -> Arrays:
    """The arrays of a file, read again where that is not the file's fault.

    NumPy reads the header of an array with Python's `literal_eval`, and Python 3.11
    counts how deep that is in one place for all threads: once in thousands of reads
    beside others it says "AST constructor recursion depth mismatch"
    (github.com/python/cpython/issues/106905).

    Raises:
        SystemError: If it says so time and again.
    """
    for _ in range(_TRIES - 1):
        with contextlib.suppress(SystemError):
            return _read_once(path)
    return _read_once(path)


def _read_once(path: Path) -> Arrays:
    # NumPy leaves files open that it cannot read.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _write(path: Path, arrays: Arrays) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
