"""Images that are no files: bytes that came over a pipe or a network."""

import dataclasses
import io
from pathlib import Path
from typing import TypeAlias


@dataclasses.dataclass(frozen=True)
class Content:
    """An image's bytes, read where a file is; nothing of them is written.

    Attributes:
        name: What messages call it.
        data: The bytes.
        formats: Of Pillow, that are read; None: all. Some start other programs, as
            that of EPS does, which is nothing for the images of strangers.
    """

    name: str
    data: bytes = dataclasses.field(repr=False)
    formats: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return self.name


# Where an image is read from.
File: TypeAlias = str | Path | Content


def opened(file: File) -> str | Path | io.BytesIO:
    """What Pillow opens: the path, or the bytes as a stream."""
    return io.BytesIO(file.data) if isinstance(file, Content) else file


def formats_of(file: File) -> tuple[str, ...] | None:
    """The formats that may be read; None: all that Pillow knows."""
    return file.formats if isinstance(file, Content) else None


def first_bytes(file: File, count: int) -> bytes:
    """The first bytes of a file.

    Args:
        file: The file.
        count: How many, at most.
    """
    if isinstance(file, Content):
        return file.data[:count]
    with open(file, "rb") as stream:
        return stream.read(count)
