"""What a data set is, in a few digits: whether it is what a run began with."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

from fcn_jax.data import contracts
from fcn_jax.data.contracts import Source
from fcn_jax.storage import files

_DIGITS = 16
# Stands before the digits of the content of files; those without it are older, and made
# in another way.
_OF_FILES = "2:"
# A file that changed so shortly before it was read may change again and keep its time:
# clocks of file systems step by up to 2 s (FAT).
_SETTLED_NS = 2_000_000_000
Fingerprint = dict[str, str]  # What is looked at, and its digits.


class FileDigests:
    """Digests of the content of files, of which only those that changed are read.

    A file is as it was where its size and its times of change are. The digests are kept
    in a file of their own; without it, or where it is damaged, all are read again.

    Args:
        path: Where they are kept; None: nowhere.

    Attributes:
        read: Files whose content was read.
    """

    def __init__(self, path: str | Path | None = None):
        self._path = Path(path) if path is not None else None
        self._known = _read(self._path)
        self._found: dict[str, list[object]] = {}
        self.read = 0

    def of(self, path: Path) -> str:
        """The digest of a file's content.

        Args:
            path: The file.
        """
        name, stat = str(path.absolute()), path.stat()
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        known = self._known.get(name)
        if isinstance(known, list) and known[:3] == state and len(known) == 4:
            digest = str(known[3])
        else:
            begin = time.time_ns()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[: 2 * _DIGITS]
            self.read += 1
            if begin - stat.st_mtime_ns < _SETTLED_NS:
                return digest
        self._found[name] = [*state, digest]
        return digest

    def forget(self) -> None:
        """Read every file again."""
        self._known, self._found = {}, {}

    def save(self) -> None:
        """Keep what was found since; of files that were not asked for, nothing."""
        if self._path is not None and self._found and self._found != self._known:
            files.write_text(self._path, json.dumps(self._found))


def _read(path: Path | None) -> dict[str, list[object]]:
    """The digests that a file keeps."""
    try:
        found = json.loads(path.read_text("utf-8")) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def of(source: Source, digests: FileDigests | None = None) -> Fingerprint:
    """The fingerprint of a source.

    Args:
        source: One that has a method `fingerprint` answers itself; of others name,
            split, classes, and the sizes of the images count.
        digests: Of files, where some are known; None: all are read.

    Returns:
        Digits by what they stand for; equal where that is.
    """
    own = getattr(source, "fingerprint", None)
    if own is not None:
        return own(digests or FileDigests())
    classes = [f"{h.name} {' '.join(h.classes)}" for h in contracts.heads_of(source)]
    return {
        "name": digits([source.name, source.split, str(len(source))]),
        "classes": digits(classes),
        "sizes": digits([str(source.image_sizes().tolist())]),
    }


def with_objects(source: Source, digests: FileDigests | None = None) -> Fingerprint:
    """The fingerprint of a source whose objects are looked at.

    Args:
        source: As for `of`; of one that has a method `object_fingerprint` the masks of
            objects count too.
        digests: Of files, where some are known; None: all are read.
    """
    own = getattr(source, "object_fingerprint", None)
    return of(source, digests) | (own(digests) if own is not None else {})


def differing(now: Fingerprint, then: Fingerprint) -> list[str]:
    """What differs between two fingerprints.

    What only the new one looks at does not: the other was made before that was.

    Args:
        now: The new one.
        then: The one that was recorded.
    """
    return [name for name in then if not _alike(now.get(name), then[name])]


def _alike(now: str | None, then: str) -> bool:
    """Whether digits are the same, or cannot be compared."""
    if now is None:
        return False
    if now.startswith(_OF_FILES) != then.startswith(_OF_FILES):
        return True
    return now == then


def digits(texts: Iterable[str]) -> str:
    """Of texts, in their order.

    Args:
        texts: Whatever counts.
    """
    total = hashlib.sha256()
    for text in texts:
        total.update(text.encode(errors="surrogatepass"))  # Names of files.
        total.update(b"\0")
    return total.hexdigest()[:_DIGITS]


def digits_of_files(paths: Iterable[Path | None], digests: FileDigests) -> str:
    """Of the content of files, in their order.

    Args:
        paths: The files; None stands for one that is not there.
        digests: Those that are known.
    """
    found = [digests.of(path) if path is not None else "" for path in paths]
    return _OF_FILES + digits(found)
