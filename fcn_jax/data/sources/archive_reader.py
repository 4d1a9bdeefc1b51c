"""Files of an archive, read without unpacking it."""

import errno
import gzip
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

_GZIP = b"\x1f\x8b"  # How a file starts that is compressed by it.
_ZIP = b"PK"
_CHUNK = 1 << 20
# What reading such a file raises where it is not whole, or another.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    EOFError,
    zlib.error,
    NotImplementedError,  # A zip by a method that Python has not.
)


class ArchiveReader:
    """Files of an archive by name, without unpacking it.

    Args:
        path: A tar, one compressed by gzip, or a zip.
        root: The folder inside it that names are relative to; "": the archive.
        scratch: Where what gzip has compressed is decompressed to, into a file without
            a name.

    Raises:
        ValueError: If it is no readable archive.
        OSError: If there is no room to decompress it.
    """

    def __init__(self, path: Path, root: str, scratch: Path):
        self.path, self._root = path, f"{root}/" if root else ""
        self._file = path.open("rb")
        try:
            self._open(scratch)
        except BaseException as error:
            self._file.close()
            if isinstance(error, _DAMAGE):
                raise self._damaged(error) from error
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise OSError(
                    errno.ENOSPC,
                    f"no room in {scratch} to decompress {path}; make some, or use "
                    f"another data_dir",
                ) from error
            raise

    def _open(self, scratch: Path) -> None:
        start = self._file.read(len(_GZIP))
        self._file.seek(0)
        self._zip = self._tar = None
        if start == _ZIP:
            self._zip = zipfile.ZipFile(self._file)
            self._members = {
                member.filename.removeprefix("./"): member
                for member in self._zip.infolist()
                if not member.is_dir()
            }
            return
        if start == _GZIP:
            self._file = _decompressed(self._file, scratch)
        self._file.seek(0)
        self._tar = tarfile.open(fileobj=self._file, mode="r:")  # noqa: SIM115
        self._members = {
            member.name.removeprefix("./"): member
            for member in self._tar
            if not member.isdir()
        }

    def names(self) -> Iterable[str]:
        """The names of all files, from the root."""
        start = len(self._root)
        return [n[start:] for n in self._members if n.startswith(self._root)]

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return f"{self._root}{name}" in self._members

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            ValueError: If there is none, or it is damaged.
        """
        if not self.has(name):
            raise ValueError(
                f"{self.path} holds no {self._root}{name}, which its lists name; the "
                f"archive is not the official one, or damaged. Get it again."
            )
        member = self._members[f"{self._root}{name}"]
        try:
            if isinstance(member, zipfile.ZipInfo):
                assert self._zip is not None
                return self._zip.read(member)
            assert self._tar is not None
            file = self._tar.extractfile(member)
            return file.read() if file else b""  # A file always has content.
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def read_list(self, name: str) -> list[str]:
        """The ids in a list, an id a line."""
        return self.read(name).decode().split()

    def close(self) -> None:
        """Close the file."""
        for each in (self._zip, self._tar, self._file):
            if each is not None:
                each.close()

    def _damaged(self, error: BaseException) -> ValueError:
        return ValueError(
            f"{self.path} cannot be read as an archive ({error}); it is truncated or "
            f"corrupt. Delete it and get it again."
        )


def _decompressed(file: IO[bytes], scratch: Path) -> IO[bytes]:
    """What a file holds that is compressed by gzip, as a file; closes the former.

    To go back in a compressed file is to decompress it again from its start: with three
    files an image, which lie far apart in SBD's archive, that would take days.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    plain = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115
    try:
        file.seek(0)
        with file, gzip.open(file) as content:
            shutil.copyfileobj(content, plain, _CHUNK)
    except BaseException:
        plain.close()
        raise
    return plain
