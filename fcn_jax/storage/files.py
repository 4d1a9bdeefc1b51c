"""Files that appear under their name only when they are whole."""

import contextlib
import errno
import glob
import json
import os
import shutil
import socket
import tempfile
import threading
import zlib
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]  # Those who read a value know its type.


_LONG_NAME = 200  # Bytes.
_REMEDIES = {  # Of what the disk says, not the file.
    errno.ENOSPC: "Make room",
    errno.EDQUOT: "Make room in your quota",
    errno.EROFS: "Mount it for writing",
    errno.EACCES: "Get the right to write there",
    errno.EPERM: "Get the right to write there",
    errno.EIO: "Mend the disk",
}


def remedy(error: BaseException, place: str = "place", otherwise: str = "") -> str:
    """What a user can do where something could not be written, in a clause.

    Args:
        error: What came of it; libraries have errors of their own, that hold the
            system's text.
        place: What else can be chosen.
        otherwise: What to do where it is not known what is wrong.
    """
    cause: BaseException | None = error
    while cause is not None:
        for number, advice in _REMEDIES.items():
            same = isinstance(cause, OSError) and cause.errno == number
            if same or os.strerror(number) in str(cause):
                return f"{advice} or choose another {place}"
        cause = cause.__cause__
    if not otherwise:
        return f"Choose another {place}"
    return f"{otherwise} or choose another {place}"


@contextlib.contextmanager
def writing(path: str | Path, place: str = "place") -> Generator[None]:
    """Name what could not be written, and what to do: the system says neither.

    Args:
        path: What is written.
        place: What else can be chosen.

    Raises:
        OSError: If the disk is full or may not be written to; naming the file.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        raise OSError(
            error.errno,
            f"{path} could not be written ({error.strerror}); what was there is as it "
            f"was. {remedy(error, place)}",
        ) from error


def check_place(path: str | Path, given: str = "") -> None:
    """Refuse a path where nothing can be written, before any work is done for it.

    Whether a right suffices is known to who tries (a mount may be of another mind): a
    file without a name is made in the nearest folder that is there, and is gone again.

    Args:
        path: A file, or a folder to write into; folders above may be missing.
        given: The path as its user knows it, such as a flag with its value.

    Raises:
        NotADirectoryError: If what it would lie in is a file.
        OSError: If no file can be made there.
    """
    path, given = Path(path).absolute(), given or str(path)
    there = path.parent
    try:
        there = path if path.is_dir() else there
        there = next(place for place in (there, *there.parents) if place.exists())
        if there.is_dir():
            with tempfile.TemporaryFile(dir=there):
                return
    except OSError as error:
        raise OSError(
            f"{given} cannot be written ({there}: {error.strerror}). {remedy(error)}."
        ) from error
    raise NotADirectoryError(
        f"{given} cannot be written ({there} is a file). Choose another place."
    )


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then give it that name.

    Whatever interrupts it, `path` holds what it held before, or all of the new; when
    `write` fails, nothing else is left behind.

    Args:
        path: The file; its directory is made if there is none.
        write: Called with the path of the file to fill.

    Raises:
        OSError: If the disk is full or may not be written to; naming the file.
    """
    path = Path(path)
    part = part_of(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(part)
            give_name(part, path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def give_name(part: Path, path: Path) -> None:
    """Rename a file or a directory that is whole, so that a power cut leaves it so.

    Args:
        part: What is there.
        path: Its name from now on, in the same directory.
    """
    if part.is_dir():
        for place in part.rglob("*"):
            _to_disk(place)
    _to_disk(part)
    os.replace(part, path)
    _to_disk(path.parent)


def part_of(path: Path) -> Path:
    """What `write_whole` fills in this thread before it gives it the name of `path`."""
    # Two may write at once, perhaps on two machines.
    writer = f"{_host()}-{os.getpid()}-{threading.get_ident()}"
    return path.with_name(f"{_start_of_parts(path)}{writer}.part")


def _start_of_parts(path: Path) -> str:
    """What the names of a path's parts begin with."""
    # Of a long name a part, so that what is added has room in a file system's 255.
    name = path.name if len(os.fsencode(path.name)) < _LONG_NAME else path.name[-40:]
    return f".{name}."


def remove_stale_parts(folder: str | Path) -> None:
    """Remove what processes of this machine were writing when they were killed.

    Args:
        folder: All that is below it is looked at; it need not be there.
    """
    _remove_stale(list(Path(folder).rglob(".*.part")))


def _remove_stale(parts: Iterable[Path]) -> None:
    """Remove the files and folders among some whose writers do not live any more."""
    for part in parts:
        host, _, rest = part.name.split(".")[-2].partition("-")
        process = rest.partition("-")[0]
        if host == _host() and process.isdigit() and not _lives(int(process)):
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part, ignore_errors=True)
                continue
            with contextlib.suppress(OSError):
                part.unlink()


def _host() -> str:
    """This machine, in a few letters that a name of a file may have."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _lives(process: int) -> bool:
    if os.name == "nt":
        return True  # There a signal of 0 would end it.
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # It is another user's.
    return True


def _to_disk(path: Path) -> None:
    """Return when a file, or the names in a directory, would outlive a power cut."""
    if path.is_dir() and os.name == "nt":
        return  # Directories cannot be opened there.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: str | Path, value: object) -> None:
    """Write JSON whole or not at all.

    Args:
        path: The file.
        value: What JSON can hold.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all; makes its directory.

    Args:
        path: The file.
        text: Its content.
    """
    write_whole(path, lambda part: part.write_text(text, "utf-8"))


def make_whole(path: str | Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` fill a folder beside `path`, then give it that name.

    Whatever interrupts it, the folder is there with all that is in it, or not at all;
    when `fill` fails, nothing is left behind, and what a killed process leaves is
    removed by who makes the folder next.

    Args:
        path: The folder; nothing may be there but an empty one.
        fill: Called with the path of the folder to fill.

    Raises:
        FileExistsError: If something is there.
    """
    path = Path(path)
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(
            f"{path} is there already; name a folder that is not, or remove it."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    start = _start_of_parts(path)
    before = list(path.parent.glob(f"{glob.escape(start)}*.part"))
    _remove_stale(p for p in before if p.name.count(".") == start.count(".") + 1)
    part.mkdir()
    try:
        fill(part)
        if path.is_dir():
            path.rmdir()
        give_name(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
