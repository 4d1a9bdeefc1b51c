"""One file from the network: resumed, bounded, checked, and whole or not there."""

import contextlib
import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import BinaryIO

import filelock
from tqdm import tqdm

from fcn_jax.storage import files

LARGEST = 4 << 30  # Bytes; where no size is known, an endless answer ends here.
_CHUNK = 1 << 20
_TIMEOUT = 30  # Seconds without a byte.
_TRIES = 5  # Requests an address.
_PAUSE = 1.0  # Seconds before the second request; doubled each time.
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))  # HTTP: ask again.
_TITLES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}


class DownloadError(OSError):
    """No address gave the file; says what each of them answered."""


class _WriteError(OSError):
    """The disk, not the network: neither another try nor another address helps."""


class _ContentError(OSError):
    """The address answers, with something else: asking again does not help."""


def download(
    addresses: Sequence[str],
    path: str | Path,
    *,
    checksums: Sequence[str] = (),
    size: int | None = None,
    largest: int = LARGEST,
) -> None:
    """Download a file, from the first address that gives the right one.

    It appears as `path` only when it is whole and right. Until then it grows as
    `path`.part, which stays when the connection or the disk fails, or the program is
    interrupted; the next call goes on from there if the server can. A part with a wrong
    checksum is removed. Without checksums nothing could tell whether an old part
    belongs to the file, so then each call starts anew. Of several that want it at once
    one downloads it; the others wait, and take what it has got.

    Args:
        addresses: http or https, tried in order.
        path: The file; its directory is made if there is none.
        checksums: Such as "md5:0123...", any of which is right.
        size: Bytes of the file, if known.
        largest: Bytes after which to stop, if `size` is not known.

    Raises:
        DownloadError: If no address gave the file, or it could not be written.
        ValueError: If an address is not one of http or https.
    """
    for address in addresses:
        if not re.match(r"https?://[^/]", address, re.IGNORECASE):
            raise ValueError(
                f"{address!r} is not an address to download from; it should start with "
                f"http:// or https://."
            )
    path = Path(path)
    there = path.exists()
    with _alone(path):
        if there or not path.exists() or mismatch(path, checksums):
            _from_one_of(addresses, path, checksums, size, largest)


@contextlib.contextmanager
def _alone(path: Path) -> Generator[None]:
    """Hold what becomes a file, whose part two would write into each other's bytes."""
    name = path.with_name(f".{path.name}.lock")
    lock = filelock.FileLock(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(NotImplementedError):  # A file system without locks.
            lock.acquire()
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            name.unlink()
        lock.release()


def _not_written(path: Path, error: OSError) -> DownloadError:
    advice = files.remedy(error, "directory")
    return DownloadError(f"{path} cannot be written: {error}. {advice}.")


def _from_one_of(
    addresses: Sequence[str],
    path: Path,
    checksums: Sequence[str],
    size: int | None,
    largest: int,
) -> None:
    part = path.with_name(path.name + ".part")
    try:
        if not checksums:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error
    failures = []
    for address in addresses:
        try:
            _download_right(_Transfer(address, part, size, largest), checksums)
            files.give_name(part, path)
        except _WriteError as error:
            raise DownloadError(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            failures.append(f"{address}: {_text(error)}")
        else:
            return
    kept = ""
    if (length := _length(part)) and checksums:
        kept = f" {length:,} bytes of it are kept as {part}; try again to go on."
    raise DownloadError(
        f"{path.name} could not be downloaded ({'; '.join(failures)}).{kept}"
    )


def check(path: str | Path, checksums: Sequence[str]) -> None:
    """Raise unless a file has one of the checksums.

    Args:
        path: The file.
        checksums: Such as "md5:0123...".

    Raises:
        ValueError: Naming the file, its checksum and the right ones.
    """
    if wrong := mismatch(Path(path), checksums):
        raise ValueError(
            f"{path} {wrong}. It is incomplete or another file: delete it and get it "
            f"again."
        )


def digest(path: str | Path, kind: str) -> str:
    """The checksum of a file, in hex; `kind` is "md5", "sha1" or "sha256".

    Args:
        path: The file.
        kind: "md5", "sha1" or "sha256".
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(kind, usedforsecurity=False)
        ).hexdigest()


def mismatch(path: Path, checksums: Sequence[str]) -> str:
    """What is wrong with a file's checksum; empty if it is right, or none is known.

    Args:
        path: The file.
        checksums: Such as "md5:0123...".
    """
    pairs = [checksum.split(":") for checksum in checksums]
    found = {
        kind: digest(path, kind) for kind in dict.fromkeys(kind for kind, _ in pairs)
    }
    if not pairs or any(found[kind] == right for kind, right in pairs):
        return ""
    came = " and ".join(f"{_TITLES[kind]} checksum {x}" for kind, x in found.items())
    return f"has the {came}; expected {' or '.join(right for _, right in pairs)}"


def _download_right(transfer: "_Transfer", checksums: Sequence[str]) -> None:
    while True:
        transfer.complete()
        wrong = mismatch(transfer.part, checksums)
        if not wrong:
            return
        transfer.part.unlink()
        # What an earlier call or address left may be to blame: once more, all of it.
        if not transfer.inherited:
            raise _ContentError(f"what came {wrong}; it was removed")
        transfer.inherited = False


class _Transfer:
    """A file from one address, in as many requests as it takes.

    Attributes:
        part: What has come.
        inherited: Whether some of it came from another address or in an earlier call.
    """

    def __init__(self, address: str, part: Path, size: int | None, largest: int):
        self.part = part
        self.inherited = _length(part) > 0
        self._address = address
        self._size = size
        self._largest = largest if size is None else size
        self._version = None  # What If-Range takes, of the first answer.

    def complete(self) -> None:
        """Ask until all of the file has come."""
        pause = _PAUSE
        for left in reversed(range(_TRIES)):
            try:
                if self._size is None or _length(self.part) != self._size:
                    self._ask()
                return
            except (_WriteError, _ContentError):
                raise
            except urllib.error.HTTPError as error:
                error.close()
                if not left or error.code not in _TRANSIENT:
                    raise
            except (OSError, http.client.HTTPException):
                if not left:
                    raise
            time.sleep(pause)
            pause *= 2

    def _ask(self) -> None:
        start = _length(self.part)
        headers = {"User-Agent": "fcn_jax", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if self._version and not self.inherited:
                headers["If-Range"] = self._version
        request = urllib.request.Request(self._address, headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code != 416 or not start:
                raise
            error.close()
            if error.headers.get("Content-Range") == f"bytes */{start}":
                return  # There is no more: all of it is here.
            self.part.unlink()
            raise OSError(f"the server has no byte {start:,} of the file") from error
        with answer:
            if answer.status == 206:
                came = answer.headers.get("Content-Range", "")
                if not came.startswith(f"bytes {start}-"):
                    self.part.unlink(missing_ok=True)
                    raise OSError(
                        f"the server was asked to go on from byte {start:,} and "
                        f"answered {came!r}"
                    )
            else:  # It cannot go on, or the file has changed since.
                start = 0
            self._receive(answer, start)

    def _receive(self, answer: http.client.HTTPResponse, start: int) -> None:
        total = None if answer.length is None else start + answer.length
        if self._size is not None and total not in (None, self._size):
            raise _ContentError(
                f"the file there has {total:,} bytes; expected {self._size:,}"
            )
        if total is not None and total > self._largest:
            raise _ContentError(
                f"the file there has {total:,} bytes; expected at most "
                f"{self._largest:,}"
            )
        etag = answer.headers.get("ETag", "W/")
        weak = etag.startswith("W/")
        self._version = answer.headers.get("Last-Modified") if weak else etag
        self.inherited = self.inherited and start > 0
        bar = tqdm(
            total=total,
            initial=start,
            unit="B",
            unit_scale=True,
            desc=self.part.stem,
            disable=None,
        )
        with bar, _open(self.part, start) as file:
            while chunk := answer.read1(_CHUNK):
                start += len(chunk)
                if start > self._largest:
                    break
                _write(file, chunk, self.part)
                bar.update(len(chunk))
        if start > self._largest:
            self.part.unlink()
            raise _ContentError(
                f"more than {self._largest:,} bytes came; stopped and removed them"
            )
        expected = self._size if total is None else total
        if expected is not None and start != expected:
            raise OSError(f"{start:,} bytes of {expected:,} came")


def _open(part: Path, start: int) -> BinaryIO:
    try:
        return part.open("ab" if start else "wb", buffering=0)
    except OSError as error:
        raise _WriteError(
            f"{part} cannot be written: {error}. {files.remedy(error, 'directory')}."
        ) from error


def _write(file: BinaryIO, chunk: bytes, part: Path) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise _WriteError(
            f"{part} cannot be written: {error}. The {_length(part):,} bytes that are "
            f"there are kept. {files.remedy(error, 'directory')}, and try again."
        ) from error


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _text(error: Exception) -> str:
    """What an error says, without the wrapping of urllib."""
    if isinstance(error, urllib.error.URLError) and not isinstance(
        error, urllib.error.HTTPError
    ):
        return str(error.reason)
    if isinstance(error, TimeoutError):
        return f"no byte came for {_TIMEOUT} seconds"
    return str(error) or type(error).__name__
