"""Memory that several processes see: each thing is written once, by any of them.

The memory is an anonymous file (Linux, memfd_create). It has no name, so that nothing
is left of it however the processes end, and a container's limit on /dev/shm is not its.
"""

import mmap
import os
import pickle
import sys
import threading
import weakref

import numpy as np

if sys.platform != "win32":
    import fcntl

AVAILABLE = hasattr(os, "memfd_create")
_ALIGNED = 64  # Bytes: of a cache line.
_WORD = 8


class SharedItems:
    """What can be pickled, by places, up to a size; threads and processes share it.

    A process to which it goes, pickled, opens the same memory, while the one that made
    it is there. Arrays are not copied when they are read, and cannot be written to.

    Args:
        count: Places.
        most_bytes: Of the memory, its table of places included.

    Raises:
        OSError: If the system has no such memory.
    """

    def __init__(self, count: int, most_bytes: int):
        if not AVAILABLE:
            raise OSError(
                "this system has no memfd_create, and processes share no memory "
                "without a name; keep items in each."
            )
        self._count = count
        head = _aligned(2 * _WORD * (count + 1))
        self._most = max(most_bytes, head)
        self._open(os.memfd_create("fcn_jax", os.MFD_CLOEXEC))
        os.ftruncate(self._file, self._most)
        self._map()
        self._table[0, 0] = head  # Where what is free begins.

    def _open(self, file: int) -> None:
        self._file, self._lock = file, threading.Lock()
        weakref.finalize(self, os.close, file)

    def _map(self) -> None:
        self._memory = mmap.mmap(self._file, self._most)
        rows = self._count + 1
        table = np.frombuffer(self._memory, np.int64, 2 * rows)
        # Of place i row i + 1: where what is there begins (0: it is not whole yet), and
        # whether somebody writes it.
        self._table = table.reshape(rows, 2)

    def __getstate__(self) -> tuple[str, int, int, int]:
        path = f"/proc/{os.getpid()}/fd/{self._file}"
        return path, os.fstat(self._file).st_ino, self._count, self._most

    def __setstate__(self, state: tuple[str, int, int, int]) -> None:
        path, number, self._count, self._most = state
        self._open(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        if os.fstat(self._file).st_ino != number:  # Its handle is another file's now.
            raise OSError(
                f"{path} is no longer the memory that items were kept in; keep the "
                f"one that made it until all who share it have opened it."
            )
        self._map()

    @property
    def bytes(self) -> int:
        """That are used."""
        return int(self._table[0, 0])

    def get(self, place: int) -> object:
        """What was put there; None: nothing, or it is not whole yet.

        Args:
            place: Of it.
        """
        start = int(self._table[place + 1, 0])  # One word, and it is written last.
        return _read(memoryview(self._memory), start) if start else None

    def put(self, place: int, value: object) -> None:
        """Keep something, if there is room and nobody else keeps it there.

        Args:
            place: Of it.
            value: That can be pickled, and is not None.
        """
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
        lengths = np.array([len(parts), *map(len, parts)], np.int64)
        parts = [memoryview(lengths.tobytes()), *parts]
        start = self._claim(place, sum(_aligned(len(part)) for part in parts))
        if not start:
            return
        end = start
        for part in parts:
            self._memory[end : end + len(part)] = part
            end += _aligned(len(part))
        with self._held():
            self._table[place + 1, 0] = start

    def _claim(self, place: int, size: int) -> int:
        """Where so many bytes are to be written; 0: nowhere."""
        with self._held():
            start = int(self._table[0, 0])
            if self._table[place + 1, 1] or start + size > self._most:
                return 0
            self._table[place + 1, 1] = 1
            self._table[0, 0] = start + size
        return start

    def _held(self) -> "_Held":
        return _Held(self._file, self._lock)


class _Held:
    """Of all threads of all processes one alone; a process that ends lets go."""

    def __init__(self, file: int, lock: threading.Lock):
        self._file, self._lock = file, lock

    def __enter__(self) -> None:
        self._lock.acquire()
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._lock.release()


def _read(memory: memoryview, start: int) -> object:
    """What `SharedItems.put` wrote; arrays are where it wrote them, not copied."""

    def words(first: int, count: int) -> np.ndarray:
        return np.frombuffer(memory, np.int64, count, first)

    count = int(words(start, 1)[0])
    end = start + _aligned(_WORD * (count + 1))
    parts: list[memoryview] = []
    for length in words(start + _WORD, count).tolist():
        parts.append(memory[end : end + length].toreadonly())
        end += _aligned(length)
    return pickle.loads(parts[0], buffers=parts[1:])


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
