"""Photographs as people give them to a command: files, folders, a list or bytes."""

import contextlib
import functools
import hashlib
import io
import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from fcn_jax.data import image_files
from fcn_jax.data.content import Content
from fcn_jax.data.image_files import PHOTO_ENDINGS
from fcn_jax.data.sources import listing

STDIN = "-"
_MOST_PIXELS = 2_000_000_000  # Of an image that its owner names on a command line.
TooManyPixels = Image.DecompressionBombError  # Beyond twice `_MOST_PIXELS`.
_NOT_AN_IMAGE = (
    *(UnidentifiedImageError, OSError, SyntaxError, ValueError),
    TooManyPixels,  # Of a header that lies, too.
)


class Photo(NamedTuple):
    """An image to be read.

    Attributes:
        name: Of what is made of it, without an ending; may hold folders.
        path: The file; None: it came as bytes.
        content: Its bytes, where it has no file.
    """

    name: str
    path: Path | None
    content: bytes = b""

    @property
    def source(self) -> str:
        """Where it comes from: the file's whole path, or a hash of its bytes."""
        if self.path is not None:
            return str(self.path.resolve())
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


def listed(
    given: Iterable[str],
    stdin: BinaryIO,
    leave_out: Path | None = None,
    endings: Sequence[str] = PHOTO_ENDINGS,
) -> list[Photo]:
    """The images that a command line names, each once, in its order.

    Args:
        given: Files, folders (all images below them, sorted, none that is hidden), or
            "-": an image, or paths a line each, from the standard input.
        stdin: That input.
        leave_out: A folder that is not looked into; None: there is none.
        endings: Of what is taken from folders, in lower case.

    Returns:
        The images. Two that would have one name get their endings into it.

    Raises:
        FileNotFoundError: If there is no such file or folder, or a folder holds none.
        ValueError: If nothing is given, or the standard input holds neither.
    """
    of = functools.partial(_of, leave_out=leave_out, endings=endings)
    with room_for_large_images():
        photos = [photo for each in given for photo in of(each, stdin)]
    if not photos:
        raise ValueError("no image is given; name files or folders of images.")
    return _told_apart(list({photo.source: photo for photo in photos}.values()))


def _of(
    given: str, stdin: BinaryIO, leave_out: Path | None, endings: Sequence[str]
) -> Iterator[Photo]:
    if given == STDIN:
        yield from _of_stdin(stdin.read(), leave_out, endings)
        return
    path = Path(given)
    if not given or not path.exists():
        raise FileNotFoundError(
            f"{given!r} does not exist; name files or folders of images."
        )
    if path.is_file():
        yield Photo(path.stem, path)
        return
    if not path.is_dir():
        raise FileNotFoundError(f"{given} is neither a file nor a folder; name one.")
    found = sorted(_below(path, leave_out, endings))
    if not found:
        raise FileNotFoundError(
            f"{given} holds no image ({', '.join(endings)}); name a folder that does."
        )
    for file in found:
        yield Photo(file.relative_to(path).with_suffix("").as_posix(), file)


def _below(
    folder: Path, leave_out: Path | None, endings: Sequence[str]
) -> Iterator[Path]:
    """The images below a folder, in no order."""
    for file in listing.below(folder, leave_out):
        # A link to nothing is named later, as an image that cannot be read.
        is_file = file.is_file() or file.is_symlink()
        if is_file and file.suffix.lower() in endings:
            yield file


def _of_stdin(
    content: bytes, leave_out: Path | None, endings: Sequence[str]
) -> Iterator[Photo]:
    if not content.strip():
        raise ValueError("the standard input is empty; give an image, or paths, there.")
    try:
        with Image.open(io.BytesIO(content)):
            pass
    except _NOT_AN_IMAGE as error:
        if b"\0" in content:  # No paths either.
            raise ValueError(
                f"the standard input is no readable image ({type(error).__name__}), "
                f"nor paths, a line each; give one of these."
            ) from error
        for line in content.splitlines():
            if line.strip() and line.strip() != STDIN.encode():
                yield from _of(
                    os.fsdecode(line.strip()), io.BytesIO(), leave_out, endings
                )
        return
    yield Photo(f"stdin_{hashlib.sha256(content).hexdigest()[:8]}", None, content)


def _told_apart(photos: Sequence[Photo]) -> list[Photo]:
    """Photos whose names differ, by their endings, then by numbers."""
    taken: set[str] = set()
    found: list[Photo] = []
    numbers: dict[str, int] = {}
    counts = Counter(photo.name for photo in photos)
    for photo in photos:
        name = photo.name
        if counts[name] > 1 and photo.path is not None:
            name = f"{name}{photo.path.suffix}"
        unique = name
        while unique in taken:
            numbers[name] = numbers.get(name, 1) + 1
            unique = f"{name}_{numbers[name]}"
        taken.add(unique)
        found.append(photo._replace(name=unique))
    return found


def read(photo: Photo) -> np.ndarray:
    """Read an image as it is seen: uint8 RGB [H, W, 3].

    It is turned as its EXIF orientation says; of 9 to 16 bits a channel the upper 8
    count; transparency is dropped.

    Args:
        photo: Of `listed`.

    Raises:
        FileNotFoundError: If the file is gone.
        ValueError: If it cannot be read whole, has more bits, or uses so few of them
            that it would be almost black.
    """
    if photo.path is not None:
        return image_files.read_photo(photo.path, upright=True, deep=True)
    content = Content("the standard input", photo.content)
    return image_files.read_photo(content, upright=True, deep=True)


def pixels(photo: Photo) -> int:
    """How many pixels an image has, by its header; 0 where that cannot be read.

    Args:
        photo: Of `listed`.
    """
    try:
        with Image.open(photo.path or io.BytesIO(photo.content)) as image:
            return image.width * image.height
    except _NOT_AN_IMAGE:
        return 0  # Who reads it is told why.


@contextlib.contextmanager
def room_for_large_images() -> Generator[None]:
    """Within it, images of more pixels are read than Pillow takes from strangers."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
