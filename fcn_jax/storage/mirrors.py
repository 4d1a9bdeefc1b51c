"""Data in an object store (s3://, gs://, ...): copied to a local disk once, then read.

Files are read at random and again and again, which object stores answer slowly and for
money; what is copied is a folder as any other. It is named after what the store says of
every object (its size, and its ETag or what stands for it), so that it is copied anew
where something has changed; copies of before stay, and may be removed at any time.
"""

import hashlib
import importlib
import json
import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol, cast

import filelock

from fcn_jax.storage import files

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://?(?=[^/])")
# What stores say of an object that changes with it: S3; GCS; Azure; a disk; memory.
_VERSIONS = ("ETag", "etag", "generation", "md5Hash", "content_md5", "mtime", "created")
_DIGITS = 16
_SHARE = (
    "runs need a file system with locks, renaming and files that grow. Give a "
    "directory, of several hosts one that all see (NFS, Lustre, Filestore, EFS), and "
    "copy it when you like: aws s3 sync, gcloud storage rsync"
)


class FileSystem(Protocol):
    """What is used of a file system of fsspec."""

    def invalidate_cache(self) -> object:
        """Forget what was listed."""
        ...

    def find(self, path: str, *, detail: bool) -> Mapping[str, Mapping[str, object]]:
        """All objects below a path, and what is known of each.

        Args:
            path: Without the kind of address.
            detail: Whether more than names is wanted.
        """
        ...

    def get(self, rpath: list[str], lpath: list[str]) -> object:
        """Copy objects to files.

        Args:
            rpath: The objects.
            lpath: The files, one each.
        """
        ...


def is_address(place: str | Path) -> bool:
    """Whether a place is that of an object store, and no path.

    Args:
        place: Such as "s3://bucket/voc"; a `Path` made of it has lost a slash.
    """
    found = _ADDRESS.match(str(place))
    return found is not None and len(found[1]) > 1  # C:/ is a disk.


def check_local(place: str | Path, what: str, advice: str = _SHARE) -> None:
    """Refuse the address of an object store: there, it would be a folder named "s3:".

    Args:
        place: That was given.
        what: The flag or key.
        advice: What to do instead, a clause; of the directory of a run by default.

    Raises:
        ValueError: Saying what can be done.
    """
    if is_address(place):
        raise ValueError(f"{what}={place} is the address of an object store; {advice}.")


def mirrored(address: str, place: str | Path) -> Path:
    """A copy of all that is below an address; made where there is none.

    Args:
        address: Such as "s3://bucket/voc": of any file system that fsspec knows.
        place: Where copies are kept.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: If nothing is there.
        OSError: If it cannot be read, or there is no room for it.
        ValueError: If the kind of address is not known, or what reads it is missing.
    """
    system, root = _open(address)
    found = _listed(system, root, address)
    said = json.dumps([address.rstrip("/"), found])
    digits = hashlib.sha256(said.encode()).hexdigest()
    name = f"{PurePosixPath(root).name or 'data'}-{digits[:_DIGITS]}"
    place = Path(place).expanduser()
    folder = place / name
    if folder.is_dir():
        return folder
    with files.writing(folder, "config.data.data_dir"):
        place.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place / f".{name}.lock"):
            if not folder.is_dir():  # Another process may have made it.
                _copy(system, root, address, found, folder)
    return folder


def _open(address: str) -> tuple[FileSystem, str]:
    """What reads an address, and the path in it."""
    try:  # It is there where Orbax is; its stores are the extra [storage].
        core = importlib.import_module("fsspec.core")
        system, root = core.url_to_fs(address)
    except ImportError as error:
        raise ValueError(
            f"{address} needs a package that is not installed ({error}): "
            f'pip install "fcn-jax[storage]" has those of s3:// and gs://.'
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{address} is no address that is known ({error}); give a folder, or one "
            f"of s3:// or gs://."
        ) from error
    return cast("FileSystem", system), str(root).rstrip("/")


def _listed(
    system: FileSystem, root: str, address: str
) -> dict[str, tuple[int, list[str]]]:
    """The objects below a path by name: size and version; none is a mere folder."""
    system.invalidate_cache()
    try:
        every = system.find(root, detail=True)
    except FileNotFoundError:
        every = {}
    except Exception as error:  # Of the store's own library.
        raise OSError(
            f"{address} could not be listed ({type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no reason given'}); see "
            f"that the address is right, and that the environment has the keys to it."
        ) from error
    found: dict[str, tuple[int, list[str]]] = {}
    for path in sorted(every):
        name, said = path.removeprefix(root).strip("/"), every[path]
        if not name or path.endswith("/"):
            continue
        if ".." in name.split("/") or "\\" in name:
            raise ValueError(
                f"{address} holds {path!r}, which is no name of a file below a folder; "
                f"give the object another name."
            )
        versions = [str(said[key]) for key in _VERSIONS if said.get(key)]
        found[name] = int(str(said["size"])), versions
    if not found:
        raise FileNotFoundError(
            f"nothing is at {address}; see that bucket and folder are right."
        )
    return found


def _copy(
    system: FileSystem,
    root: str,
    address: str,
    found: Mapping[str, tuple[int, list[str]]],
    folder: Path,
) -> None:
    """Copy the objects, whole or not at all."""
    log, total = logging.getLogger(__name__), sum(size for size, _ in found.values())
    room = shutil.disk_usage(folder.parent).free
    if total > room:
        raise OSError(
            f"{address} has {total / 1e9:.2f} GB, and {folder.parent} room for "
            f"{room / 1e9:.2f}; set config.data.data_dir to a disk with more."
        )
    log.warning(
        "copying %d files (%.2f GB) from %s to %s ...",
        *(len(found), total / 1e9, address, folder),
    )

    def fill(part: Path) -> None:
        for name in found:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            names = list(found)
            system.get([f"{root}/{n}" for n in names], [f"{part / n}" for n in names])
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise OSError(
                f"{address} could not be copied ({type(error).__name__}: {error}); "
                f"nothing is kept of it. Try again."
            ) from error
        wrong = [n for n, (size, _) in found.items() if _size(part / n) != size]
        if wrong or _listed(system, root, address) != found:
            raise OSError(
                f"{address} changed while it was copied"
                f"{f' ({wrong[0]})' if wrong else ''}; nothing is kept of it. Try "
                f"again when it is at rest."
            )

    files.make_whole(folder, fill)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
