"""Zip archives, with the members checked before anything is read of them.

`.npz` and `.pth` are zip archives. Python's `zipfile` believes what their directory
says; here a member that claims more than there is, or two of one name, are refused.
"""

import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from fcn_jax.weights.errors import WeightsError

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_MOST_MEMBERS = 100_000
_AGAIN = "expected a whole zip archive: download or copy it again"
ZIP_MAGIC = b"PK\x03\x04"


def open_stored(path: str | Path) -> dict[str, memoryview]:
    """The members of an archive without compression, as PyTorch writes it.

    Args:
        path: The archive.

    Returns:
        Views of the file, which is mapped into memory, by member name.

    Raises:
        WeightsError: If it is torn, has two members of one name, is encrypted or
            compressed, or a member lies outside the file or over another.
    """
    path = Path(path)
    members = _members(path)
    with open(path, "rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    found, spans = {}, []
    for info in members:
        if info.compress_type != zipfile.ZIP_STORED:
            raise WeightsError(
                path,
                f"member {info.filename!r} is compressed",
                "expected it stored as it is, as torch.save and Keras write it",
            )
        start = _data_start(path, view, info)
        end = start + info.file_size
        if info.file_size != info.compress_size or end > len(view):
            raise WeightsError(
                path, f"member {info.filename!r} reaches beyond the file", _AGAIN
            )
        spans.append((start, end))
        found[info.filename] = view[start:end]
    _check_apart(path, spans)
    return found


def read_members(path: str | Path, largest_growth: int, spare: int) -> dict[str, bytes]:
    """The members of an archive, compressed or not.

    Args:
        path: The archive.
        largest_growth: How many times the size of the file all members together may
            have.
        spare: Bytes that they may have beyond that.

    Returns:
        Their bytes by name.

    Raises:
        WeightsError: As of `open_stored`, or if they would take more memory.
    """
    path = Path(path)
    members = _members(path)
    size = path.stat().st_size
    total = sum(info.file_size for info in members)
    if total > largest_growth * size + spare:
        raise WeightsError(
            path,
            f"its members unpack to {total:,} bytes, the file has {size:,}",
            f"expected at most {largest_growth} times as many; if it is meant, save it "
            f"again without compression (np.savez)",
        )
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in members:
            try:
                with archive.open(info) as member:
                    # One byte more than it claims would show that the claim is false.
                    data = member.read(info.file_size + 1)
            except ZIP_ERRORS as error:
                raise WeightsError(
                    path, f"member {info.filename!r} is damaged ({error})", _AGAIN
                ) from error
            if len(data) != info.file_size:
                raise WeightsError(
                    path,
                    f"member {info.filename!r} has {len(data)} bytes, its directory "
                    f"says {info.file_size}",
                    _AGAIN,
                )
            found[info.filename] = data
    return found


ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


def _members(path: Path):
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except FileNotFoundError:
        raise
    except ZIP_ERRORS as error:
        raise WeightsError(path, f"no zip archive ({error})", _AGAIN) from error
    if len(members) > _MOST_MEMBERS:
        raise WeightsError(path, f"it has {len(members):,} members", _AGAIN)
    names = set()
    for info in members:
        if info.filename in names:
            raise WeightsError(
                path, f"two members are named {info.filename!r}", "expected each once"
            )
        names.add(info.filename)
        if info.flag_bits & 1:
            raise WeightsError(
                path, f"member {info.filename!r} is encrypted", "expected plain weights"
            )
        if info.file_size < 0 or info.compress_size < 0 or info.header_offset < 0:
            raise WeightsError(
                path, f"member {info.filename!r} has a negative size", _AGAIN
            )
    return members


def _data_start(path: Path, view: memoryview, info: zipfile.ZipInfo):
    """Where the bytes of a member begin: behind its local header."""
    try:
        fields = _LOCAL_HEADER.unpack_from(view, info.header_offset)
    except struct.error as error:
        raise WeightsError(
            path, f"member {info.filename!r} begins beyond the file", _AGAIN
        ) from error
    if fields[0] != b"PK\x03\x04":
        raise WeightsError(
            path, f"member {info.filename!r} is not where it should be", _AGAIN
        )
    return info.header_offset + _LOCAL_HEADER.size + fields[-2] + fields[-1]


def _check_apart(path: Path, spans: Iterable[tuple[int, int]]):
    last = 0
    for start, end in sorted(spans):
        if start < last:
            raise WeightsError(path, "two of its members overlap", _AGAIN)
        last = max(last, end)
