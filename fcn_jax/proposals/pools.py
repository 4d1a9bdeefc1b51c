"""Pools of candidate masks, one an image, made once and kept.

A pool never changes while a net is trained (BoxSup): it is kept in a file whose name
says what it was made from, or in memory.
"""

import functools
import inspect
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from fcn_jax.proposals import grabcut, mcg, opencv, segments
from fcn_jax.proposals.candidates import Candidates
from fcn_jax.storage import array_cache

METHODS = ("segments", "mcg", "grabcut")
_FUNCTIONS: dict[str, Callable[..., Candidates]] = {
    "segments": segments.propose,
    "grabcut": grabcut.propose,
}
_REVISION = 1  # Counted up when a method changes what it returns.
_FIELDS = ("shape", "regions", "member")


class Pools:
    """The candidate masks of images, by a method. Threads may share it.

    Args:
        method: "segments", "mcg" or "grabcut".
        directory: Where pools are kept; None: in memory. Those of MCG are its files.
        files: Directory of MCG's files, ID.mat each.
        num: Masks of an image at most; of "grabcut" all are kept.
        options: Further arguments of the method.
        most_bytes: Kept in memory; the first pools that are made stay.

    Attributes:
        key: Digits that differ where pools are made otherwise.
        method: As given.
        directory: As given.

    Raises:
        ValueError: If the method, or an option of it, is not known, or there is no
            directory of MCG's files.
    """

    def __init__(
        self,
        method: str = "segments",
        *,
        directory: str | Path | None = None,
        files: str | Path = "",
        num: int = 2000,
        options: Mapping[str, object] | None = None,
        most_bytes: float = math.inf,
    ):
        options = dict(options or {})
        if num < 1:
            raise ValueError(f"candidates: num={num}; give 1 or more.")
        _check(method, options)
        if method == "mcg" and not files:
            raise ValueError(
                "candidates of method 'mcg' are read from files that MCG has written, "
                "ID.mat for each image; give their directory "
                "(--config.data.boxsup.mcg_dir=DIR), or take 'segments'."
            )
        self.method, self._num, self._options = method, num, options
        self.directory = Path(directory).expanduser() if directory else None
        self._files = Path(files).expanduser()
        version = "" if method == "mcg" else opencv.version()
        made = {**_defaults(method), **options}
        self.key = array_cache.digest(_REVISION, method, num, made, version)
        self._kept: dict[str, Mapping[str, np.ndarray]] = {}
        self._most_bytes, self._bytes = most_bytes, 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        """Without what is kept: of a whole data set it may be gigabytes."""
        return {**self.__dict__, "_kept": {}, "_bytes": 0, "_lock": None}

    def __setstate__(self, state: Mapping[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def key_of(self, names: Callable[[], Iterable[str]]) -> str:
        """Digits that differ where the candidates of these images do.

        Args:
            names: Gives the ids of the images, which "mcg" alone asks for: the lengths
                of their files count, which those of another form hardly have.

        Returns:
            `key`; of "mcg" with more digits behind it.
        """
        if self.method != "mcg":
            return self.key
        paths = [self._file(name) for name in names()]
        lengths = [path.stat().st_size if path.is_file() else -1 for path in paths]
        return f"{self.key}-{array_cache.digest(lengths)}"

    def _file(self, name: str) -> Path:
        """MCG's file of an image."""
        return self._files / f"{name}.mat"

    def __call__(self, image: np.ndarray, name: str, boxes: np.ndarray) -> Candidates:
        """The candidates of an image, made where they are not there.

        Args:
            image: uint8 RGB [H, W, 3].
            name: Its id.
            boxes: (row0, col0, row1, col1), integer [K, 4]; of "grabcut".

        Raises:
            ValueError: As the method, naming the image.
            FileNotFoundError: If MCG's file is not there.
        """
        if self.method == "mcg":
            return mcg.read(self._file(name), self._num)
        make = functools.partial(self._make, image, name, boxes)
        seen = (boxes,) if self.method == "grabcut" else ()
        # Images of one name may differ: photographs have none.
        content = array_cache.digest(self.key, name, image, *seen)
        if self.directory is None:
            return _unpacked(self._in_memory(content, make))
        readable = re.sub(r"[^\w.-]", "_", name)
        path = self.directory / f"{readable}-{content}.npz"
        return _unpacked(array_cache.cached(path, make, _FIELDS))

    def _in_memory(
        self, content: str, make: Callable[[], dict[str, np.ndarray]]
    ) -> Mapping[str, np.ndarray]:
        """What is kept of an image, or is made and, where there is room, kept."""
        found = self._kept.get(content)
        if found is not None:
            return found
        found = make()
        size = sum(array.nbytes for array in found.values())
        with self._lock:  # Another thread may have made it meanwhile.
            if content not in self._kept and self._bytes + size <= self._most_bytes:
                self._kept[content] = found
                self._bytes += size
        return found

    def _make(self, image: np.ndarray, name: str, boxes: np.ndarray):
        propose = _FUNCTIONS[self.method]
        try:
            if self.method == "grabcut":
                found = propose(image, boxes, **self._options)
            else:
                found = propose(image, num=self._num, **self._options)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        return _packed(found)


def _check(method: str, options: Mapping[str, object]) -> None:
    if method not in METHODS:
        raise ValueError(
            f"candidates: method {method!r} is not known; there are "
            f"{', '.join(METHODS)}."
        )
    known = _defaults(method)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"candidates: {method} has no option {unknown[0]!r}; it has "
            f"{', '.join(sorted(known)) or 'none'}."
        )


def _defaults(method: str) -> dict[str, object]:
    """The options of a method, and what they are where they are left out."""
    if method not in _FUNCTIONS:
        return {}
    taken = inspect.signature(_FUNCTIONS[method]).parameters.values()
    found = {p.name: p.default for p in taken if p.default is not p.empty}
    found.pop("num", None)
    return found


def _packed(found: Candidates) -> dict[str, np.ndarray]:
    """Small arrays: eight masks a byte."""
    return {
        "shape": np.array(found.member.shape, np.int32),
        "regions": found.regions.astype(np.min_scalar_type(found.num_regions)),
        "member": np.packbits(found.member, axis=1),
    }


def _unpacked(arrays: Mapping[str, np.ndarray]) -> Candidates:
    count, regions = arrays["shape"].tolist()
    member = np.unpackbits(arrays["member"], axis=1, count=regions)[:count]
    return Candidates(arrays["regions"].astype(np.int32), member.astype(np.bool_))
