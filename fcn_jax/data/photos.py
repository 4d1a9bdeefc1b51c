"""Photographs as people give them to a command: files, folders, a list or bytes."""

import contextlib
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from fcn_jax.data import image_files
from fcn_jax.data.image_files import PHOTO_ENDINGS

STDIN = "-"
_MOST_PIXELS = 2_000_000_000  # Of an image that its owner names on a command line.


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


def listed(given: Iterable[str], stdin: BinaryIO) -> list[Photo]:
    """The images that a command line names, each once, in its order.

    Args:
        given: Files, folders (all images below them, sorted), or "-": an image, or
            paths a line each, from the standard input.
        stdin: That input.

    Returns:
        The images. Two that would have one name get their endings into it.

    Raises:
        FileNotFoundError: If there is no such file or folder, or a folder holds none.
        ValueError: If nothing is given, or the standard input is empty.
    """
    photos = [photo for each in given for photo in _of(each, stdin)]
    if not photos:
        raise ValueError("no image is given; name files or folders of images.")
    unique = list({photo.path or photo.content: photo for photo in photos}.values())
    return _told_apart(unique)


def _of(given: str, stdin: BinaryIO) -> Iterator[Photo]:
    if given == STDIN:
        yield from _of_stdin(stdin)
        return
    path = Path(given).expanduser()
    if not path.exists():
        raise FileNotFoundError(
            f"{given} does not exist; name files or folders of images."
        )
    if not path.is_dir():
        yield Photo(path.stem, path)
        return
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in PHOTO_ENDINGS and not file.name.startswith(".")
    )
    if not found:
        raise FileNotFoundError(
            f"{given} holds no image ({', '.join(PHOTO_ENDINGS)}); name a folder that "
            f"does."
        )
    for file in found:
        yield Photo(file.relative_to(path).with_suffix("").as_posix(), file)


def _of_stdin(stdin: BinaryIO) -> Iterator[Photo]:
    content = stdin.read()
    if not content.strip():
        raise ValueError("the standard input is empty; give an image, or paths, there.")
    try:
        with Image.open(io.BytesIO(content)):
            pass
    except OSError:  # No image: paths.
        for line in content.decode("utf-8", "replace").splitlines():
            if line.strip():
                yield from _of(line.strip(), io.BytesIO())
        return
    yield Photo("stdin", None, content)


def _told_apart(photos: Sequence[Photo]) -> list[Photo]:
    """Photos whose names differ, by their endings, then by numbers."""
    taken: set[str] = set()
    found: list[Photo] = []
    names = [photo.name for photo in photos]
    for photo in photos:
        name = photo.name
        if names.count(name) > 1 and photo.path is not None:
            name = f"{name}{photo.path.suffix}"
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        found.append(photo._replace(name=unique))
    return found


def read(photo: Photo) -> np.ndarray:
    """Read an image as it is seen: uint8 RGB [H, W, 3].

    It is turned as its EXIF orientation says; of 16 bits a channel the upper 8 count;
    transparency is dropped.

    Args:
        photo: Of `listed`.

    Raises:
        FileNotFoundError: If the file is gone.
        ValueError: If it cannot be read whole.
    """
    if photo.path is not None:
        return image_files.read_photo(photo.path, upright=True, deep=True)
    with Image.open(io.BytesIO(photo.content)) as image:
        return np.array(image.convert("RGB"))


@contextlib.contextmanager
def room_for_large_images() -> Generator[None]:
    """Within it, images of more pixels are read than Pillow takes from strangers."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
