"""The files of a data set by their names: of a folder, or of archives.

A name is the path below the folder that the data set's authors made, with slashes;
whether that folder is unpacked, or lies in one archive or two, is the same to a layout.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from fcn_jax.data.sources import archives
from fcn_jax.data.sources.archive_reader import ArchiveReader


class Tree(Protocol):
    """Files by name.

    Attributes:
        where: What messages call all of them.
        remedy: What to do where one is missing, a sentence.
        names: Of all files.
    """

    where: str
    remedy: str
    names: frozenset[str]

    def place(self, name: str) -> str:
        """What messages call a file.

        Args:
            name: Of the file.
        """
        ...

    def read(self, name: str) -> bytes:
        """The content of a file that is there.

        Args:
            name: Of the file.
        """
        ...


class Folder:
    """A folder that is unpacked.

    Args:
        root: The folder.
        inside: A file or folder that it has, by which it is also found one below.
        what: What it should be, for messages.

    Raises:
        FileNotFoundError: If it is not there, or is another.
    """

    remedy = "Unpack the archives again, or take it off the list."

    def __init__(self, root: str | Path, inside: str, what: str):
        root = Path(root).expanduser()
        if not root.is_dir():
            raise FileNotFoundError(
                f"{root} does not exist; set --config.data.root to the folder of "
                f"{what}, or leave it empty and put its archives into "
                f"--config.data.manual_dir."
            )
        found = [p for p in (root, *sorted(root.iterdir())) if (p / inside).exists()]
        if not found:
            raise FileNotFoundError(
                f"{root} holds no {inside}; expected the folder of {what} as its "
                f"authors have it. Name it with --config.data.root."
            )
        self.root, self.where = found[0], str(found[0])
        self.names = frozenset(_below(self.root))

    def place(self, name: str) -> str:
        """See `Tree`.

        Args:
            name: Of the file.
        """
        return str(self.root / name)

    def read(self, name: str) -> bytes:
        """See `Tree`.

        Args:
            name: Of the file.
        """
        return (self.root / name).read_bytes()


def _below(folder: Path, start: str = "", above: tuple[str, ...] = ()) -> Iterable[str]:
    """The names of all files below a folder; links are followed, but none in circles.

    Raises:
        OSError: If a folder cannot be read.
    """
    here = os.path.realpath(folder)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                inside = f"{start}{entry.name}/"
                yield from _below(Path(entry.path), inside, (*above, here))
            elif not _is_of_macos(start + entry.name):
                yield start + entry.name


def _is_of_macos(name: str) -> bool:
    """Whether it is what macOS writes beside a file, named almost as the file is."""
    *folders, file = name.split("/")
    return file.startswith("._") or "__MACOSX" in folders


class Part(NamedTuple):
    """An archive of a data set.

    Attributes:
        archive: A name of `archives.ARCHIVES`.
        root: The folder inside it that is taken; "": all of it.
        mount: The folder that it becomes; "": it is the data set's own.
        flat: Whether folders inside it are left out of the names.
    """

    archive: str
    root: str = ""
    mount: str = ""
    flat: bool = False


class Packed:
    """Archives, read without unpacking them.

    Args:
        parts: The archives.
        download_dir: Where downloads are kept.
        manual_dir: Where archives are that were put there by hand; then nothing is
            downloaded.

    Raises:
        FileNotFoundError: If one is not in `manual_dir`.
        OSError: If one cannot be downloaded, or there is no room.
        ValueError: If one is damaged, or another.
    """

    remedy = "The archive is not the official one, or damaged: get it again."

    def __init__(
        self, parts: Sequence[Part], download_dir: Path, manual_dir: str | None
    ):
        self._readers: list[ArchiveReader] = []
        self._files: dict[str, Callable[[], bytes]] = {}
        self._places: dict[str, str] = {}
        # All are found before one is opened, which may take minutes.
        paths = [archives.find(p.archive, download_dir, manual_dir) for p in parts]
        try:
            for part, path in zip(parts, paths, strict=True):
                self._add(part, ArchiveReader(path, part.root, download_dir))
        except BaseException:
            self.close()
            raise
        self.where = " and ".join(map(str, paths))
        self.names = frozenset(self._files)

    def _add(self, part: Part, reader: ArchiveReader) -> None:
        self._readers.append(reader)
        for name in reader.names():
            if _is_of_macos(name):
                continue
            short = name.rpartition("/")[2] if part.flat else name
            ours = f"{part.mount}/{short}" if part.mount else short
            self._places[ours] = f"{reader.path}, {name}"
            self._files[ours] = _reads(reader, name)

    def place(self, name: str) -> str:
        """See `Tree`.

        Args:
            name: Of the file.
        """
        return self._places[name]

    def read(self, name: str) -> bytes:
        """See `Tree`.

        Args:
            name: Of the file.
        """
        return self._files[name]()

    def close(self) -> None:
        """Close all archives."""
        for reader in self._readers:
            reader.close()


def _reads(reader: ArchiveReader, name: str) -> Callable[[], bytes]:
    return lambda: reader.read(name)
