"""The files below a folder by their ids, whatever their endings."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fcn_jax import messages


class Listing:
    """The files below a folder, by id; every directory is read once.

    Args:
        folder: Where they lie.
        endings: That count, in lower case, the preferred first.

    Raises:
        FileNotFoundError: If the folder is a link to nothing.
    """

    def __init__(self, folder: Path, endings: Sequence[str]):
        check_link(folder)
        self.folder, self._endings = folder, endings
        self._directories: dict[Path, dict[str, Path]] = {}
        self._ids: list[str] | None = None

    def find(self, name: str) -> Path | None:
        """The file of an id, whatever its ending and the case of that.

        Args:
            name: The id, perhaps with sub-folders.

        Raises:
            FileNotFoundError: If it is a link to nothing.
        """
        place = self.folder / name
        path = self._files_of(place.parent).get(place.name)
        if path is not None:
            check_link(path)
        return path

    def ids(self) -> list[str]:
        """The ids of all files, sorted."""
        if self._ids is not None:
            return self._ids
        found = {
            path.relative_to(self.folder).with_suffix("").as_posix()
            for path in below(self.folder)
            if path.suffix.lower() in self._endings
        }
        self._ids = sorted(found)
        return self._ids

    def beside(self, name: str) -> list[str]:
        """Names of files that an id may have meant: other endings, and longer names.

        Args:
            name: The id.
        """
        place = self.folder / name
        if not place.parent.is_dir():
            return []
        found = (p.name for p in place.parent.iterdir() if not p.name.startswith("."))
        return sorted(n for n in found if n.startswith(place.name))[:3]

    def _files_of(self, directory: Path) -> dict[str, Path]:
        if directory not in self._directories:
            files: dict[str, Path] = {}
            found = directory.iterdir() if directory.is_dir() else ()
            for path in sorted(found, key=self._rank):
                if path.suffix.lower() in self._endings:
                    files.setdefault(path.stem, path)
            self._directories[directory] = files
        return self._directories[directory]

    def _rank(self, path: Path) -> tuple[int, str]:
        ending = path.suffix.lower()
        known = ending in self._endings
        return (self._endings.index(ending) if known else 0, path.name)


def check_link(path: Path) -> None:
    """Raise where a path is a link to nothing, such as to a disk that is not mounted.

    Args:
        path: Any path.

    Raises:
        FileNotFoundError: Naming the link and its target.
    """
    dead = messages.dead_link(path)
    if dead:
        raise FileNotFoundError(f"{dead}; mend the link, or take it off the lists.")


def below(folder: Path, leave_out: Path | None = None) -> Iterator[Path]:
    """What lies below a folder and is none itself; nothing hidden.

    Links to folders are followed, but none in circles; folders that may not be read are
    passed over.

    Args:
        folder: The folder; it need not be there.
        leave_out: A folder that is not looked into; None: there is none.
    """
    yield from _below(folder, (os.path.realpath(leave_out),) if leave_out else ())


def _below(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    here = os.path.realpath(folder)
    if here in above or not folder.is_dir():
        return
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except PermissionError:
        return
    for path in found:
        if path.is_dir():
            yield from _below(path, (*above, here))
        else:
            yield path
