"""What a data set looks like as its authors give it: which files, and what they hold.

A layout is told the names of all files (`trees`), names the image and the labels of
each example, and makes labels of a file's content by a table: what a value, an id or a
colour, is called, and so which class it is. What the table does not have is refused.
"""

import dataclasses
import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import scipy.io

from fcn_jax.data import image_files
from fcn_jax.data.content import Content
from fcn_jax.data.contracts import Head, Labels
from fcn_jax.data.label_sets import IGNORE_LABEL, VOC
from fcn_jax.data.official.trees import Part, Tree

VOID = ""  # The name of what is no class.


class Member(NamedTuple):
    """The files of an example.

    Attributes:
        name: Its id.
        image: Name of the image.
        labels: Names of the labels, by head.
    """

    name: str
    image: str
    labels: Mapping[str, str]


class Layout(Protocol):
    """A data set as its authors give it.

    Attributes:
        name: Of the data set.
        variant: Which of its label sets: how many classes.
        heads: What its labels say.
        splits: Their names.
        inside: A folder that its root has.
        parts: Its archives.
    """

    name: str
    variant: str
    heads: tuple[Head, ...]
    splits: tuple[str, ...]
    inside: str
    parts: tuple[Part, ...]

    def members(self, tree: Tree, split: str) -> Sequence[Member]:
        """The examples of a split, whether their files are there or not.

        Args:
            tree: All files.
            split: One of `splits`.

        Raises:
            FileNotFoundError: If what names them is not there.
            ValueError: If the files say that they are another data set's.
        """
        ...

    def decode(self, data: bytes, head: str, where: str) -> np.ndarray:
        """The labels of a file.

        Args:
            data: Its content.
            head: Of which they are.
            where: The file, for messages.

        Returns:
            uint8 [H, W].

        Raises:
            ValueError: If it cannot be read, or holds what is no value of the data set.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Table:
    """Which class each value of a data set's files is.

    Attributes:
        names: By value: the name of a class, or `VOID`.
        classes: In the order of the labels.
        what: The values in words, for messages.
    """

    names: Mapping[int, str]
    classes: tuple[str, ...]
    what: str

    @functools.cached_property
    def _values(self) -> tuple[np.ndarray, np.ndarray]:
        """All values, sorted, and the label of each."""
        values = np.array(sorted(self.names), np.int64)
        labels = [
            IGNORE_LABEL if name == VOID else self.classes.index(name)
            for name in map(self.names.__getitem__, values.tolist())
        ]
        return values, np.array(labels, np.uint8)

    def labels(self, found: np.ndarray, where: str, show: str = "{}") -> np.ndarray:
        """The labels of values.

        Args:
            found: Whole numbers [H, W].
            where: The file, for messages.
            show: How a message writes a value.

        Returns:
            uint8 [H, W].

        Raises:
            ValueError: Naming a value that is in no line of the table.
        """
        values, labels = self._values
        places = np.minimum(np.searchsorted(values, found), len(values) - 1)
        wrong = values[places] != found
        if wrong.any():
            held, counts = np.unique(found[wrong], return_counts=True)
            raise ValueError(
                f"{where} holds {show.format(int(held[0]))} ({counts[0]} pixels"
                + (f", and {len(held) - 1} other such values" * (len(held) > 1))
                + f"); expected {self.what}. It is of another data set or by another "
                f"table of labels: get the official file."
            )
        return labels[places]


def read_mat(data: bytes, key: str, where: str, what: str) -> np.ndarray:
    """A matrix of whole numbers in a MATLAB file.

    Args:
        data: The file.
        key: Name of the matrix.
        where: The file, for messages.
        what: The data set, for messages.

    Returns:
        int64 [H, W].

    Raises:
        ValueError: If it is no such file.
    """
    try:
        content = scipy.io.loadmat(io.BytesIO(data))
    except Exception as error:  # Whatever a torn file makes of the reader.
        raise ValueError(
            f"{where} cannot be read as a MATLAB file ({type(error).__name__}: "
            f"{error}); expected labels of {what}. Get the archive again."
        ) from error
    if key not in content:
        held = ", ".join(name for name in content if not name.startswith("__"))
        raise ValueError(
            f"{where} holds {held or 'nothing'} and no {key}; expected labels of "
            f"{what}. It is of another data set: get the official archive."
        )
    values = np.asarray(content[key])
    whole = values.dtype.kind in "biuf" and values.ndim == 2
    if not whole or not np.array_equal(values, np.floor(values)):
        raise ValueError(
            f"{where}: {key} is {values.dtype} {values.shape}; expected whole numbers "
            f"[H, W], the labels of {what}. Get the official archive."
        )
    return values.astype(np.int64)


def read_png(data: bytes, where: str, *, by_colour: bool = False) -> np.ndarray:
    """What an image of labels holds, int32 [H, W]; colours as 0xRRGGBB.

    Args:
        data: The file.
        where: The file, for messages.
        by_colour: Whether colours count.

    Raises:
        ValueError: If it cannot be read whole, or was compressed with loss.
    """
    return image_files.read_values(Content(where, data), by_colour=by_colour)


def palette_of(colours: Iterable[Sequence[int]]) -> np.ndarray:
    """The colours of all labels, uint8 [256, 3]; VOC's where none are given.

    Args:
        colours: Those of the classes, RGB.
    """
    palette = VOC.palette.copy()
    given = np.array([tuple(colour) for colour in colours], np.uint8)
    palette[: len(given)] = given
    return palette


def chosen(name: str, given: str, known: Sequence[str]) -> str:
    """Which of a data set's label sets is wanted; the first where none is.

    Args:
        name: Of the data set.
        given: What the config says; "": nothing.
        known: The label sets.

    Raises:
        ValueError: If it is not known.
    """
    if given and given not in known:
        raise ValueError(
            f"config.data.classes={given!r} is not known for data set {name!r}; use "
            f"{' or '.join(map(repr, known))}."
        )
    return given or known[0]


def checked_members(layout: Layout, tree: Tree, split: str) -> list[Member]:
    """The examples of a split, once all of their files are there.

    Args:
        layout: Of the data set.
        tree: Its files.
        split: The split.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If there is no such split, or it is empty.
    """
    if split not in layout.splits:
        raise ValueError(
            f"{layout.name} has no split {split!r}; there are "
            f"{', '.join(layout.splits)}."
        )
    found = list(layout.members(tree, split))
    if not found:
        raise ValueError(
            f"{tree.where} holds no image of {layout.name}'s split {split!r}. "
            f"{tree.remedy}"
        )
    missing = [
        name
        for member in found
        for name in (member.image, *member.labels.values())
        if name not in tree.names
    ]
    if missing:
        more = f" (and {len(missing) - 1} other files)" if len(missing) > 1 else ""
        raise FileNotFoundError(
            f"{tree.where} holds no {missing[0]}{more}, which the split {split!r} of "
            f"{layout.name} names, of {len(found)} images. {tree.remedy}"
        )
    return found


def read_labels(layout: Layout, tree: Tree, member: Member) -> Labels:
    """The labels of an example: one array, or one for each head.

    Args:
        layout: Of the data set.
        tree: Its files.
        member: The example.

    Raises:
        ValueError: As `Layout.decode`.
    """
    found = {
        head: layout.decode(tree.read(name), head, tree.place(name))
        for head, name in member.labels.items()
    }
    return found if tuple(found) != ("",) else found[""]
