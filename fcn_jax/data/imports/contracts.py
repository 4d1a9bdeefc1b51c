"""What an importer hands over: images, what their annotations hold, what that means.

An importer is a module with `read(source, places) -> Collection`. What it reads are
*values*, whole numbers that mean something in its format: indices, ids of categories,
colours as 0xRRGGBB. `label_table` makes classes of them, `writing` a folder.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from fcn_jax.data.image_files import Header

VOID = "void"
BACKGROUND = "background"
NOTHING = -1  # The value of pixels that no shape covers.

Colour = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Key:
    """What a value of a format means.

    Attributes:
        value: In the arrays.
        name: By the format; "": it gives none.
        colour: By the format; None: it gives none.
        default: The class that it is without a table of labels, or `VOID`; "": that is
            not known.
        internal: Whether the importer has numbered it: in a table it is its name alone.
    """

    value: int
    name: str = ""
    colour: Colour | None = None
    default: str = ""
    internal: bool = False


@dataclasses.dataclass(frozen=True)
class Example:
    """An annotated image.

    Attributes:
        name: Its id.
        image: Its file.
        split: Where it belongs; "": the format does not say.
        read: Reads or draws the annotation: given the header of the image, the values
            as int32 [H, W]. H and W are those of the image, as stored or turned
            upright.
        content: The image, where there is no file of it.
    """

    name: str
    image: Path
    split: str
    read: Callable[[Header], np.ndarray]
    content: bytes = b""


@dataclasses.dataclass
class Collection:
    """What an importer has found.

    Attributes:
        examples: The images.
        keys: The values that the format names, in its order.
        colours: Whether values are colours.
        notes: What was left out, a sentence each.
        upright: Whether photos are annotated as they are seen, by EXIF; else their
            sizes have to tell.
        names_missing: Which file of names the format has and the source has not, and
            where it comes from, as a clause; "": none is missing.
    """

    examples: Sequence[Example]
    keys: Sequence[Key] = ()
    colours: bool = False
    notes: list[str] = dataclasses.field(default_factory=lambda: [])
    upright: bool = False
    names_missing: str = ""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where files are, for formats that leave it open.

    Attributes:
        images: Folder of images, from the source; "": to be found.
        masks: Folder of masks likewise.
        by_colour: Whether the colours of palette masks count, and not their indices.
    """

    images: str = ""
    masks: str = ""
    by_colour: bool = False


class Importer(Protocol):
    """The function `read` of a format's module.

    A module whose sources are more than what lies in a folder also has a function
    `watched(source, places)`: the files and folders that they depend on.
    """

    def __call__(self, source: Path, places: Places) -> Collection:
        """What a source holds.

        Args:
            source: A folder, or a file that the format begins with.
            places: Where its files are.

        Returns:
            The images. Annotations are read when they are asked for.

        Raises:
            FileNotFoundError: If it is not there, or holds nothing of the format.
            ValueError: If a file of it cannot be understood.
        """
        ...


def background() -> Key:
    """The key of pixels that no shape covers."""
    return Key(NOTHING, BACKGROUND, default=BACKGROUND)


def code_of(colour: Sequence[int]) -> int:
    """A colour as a value, 0xRRGGBB."""
    red, green, blue = (int(c) for c in colour)
    return red << 16 | green << 8 | blue


def colour_of(value: int) -> Colour:
    """The colour of a value, RGB."""
    return value >> 16 & 255, value >> 8 & 255, value & 255
