"""Photographs and label PNGs of the same names in two folders a split.

images/FOLDER/ID.jpg, annotations/FOLDER/ID.png
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from fcn_jax.data.contracts import Head
from fcn_jax.data.official import layouts
from fcn_jax.data.official.layouts import Member, Table
from fcn_jax.data.official.trees import Part, Tree

_END = ".jpg"


@dataclasses.dataclass(frozen=True)
class ParallelFolders:
    """A data set of one head that lies so; see `layouts.Layout`.

    Attributes:
        table: What the values of its PNGs say.
        folders: What its splits are called there, by name.
    """

    name: str
    variant: str
    heads: tuple[Head, ...]
    parts: tuple[Part, ...]
    table: Table
    folders: Mapping[str, str]
    inside: str = "annotations"

    @property
    def splits(self) -> tuple[str, ...]:
        """See `Layout`."""
        return tuple(self.folders)

    def members(self, tree: Tree, split: str) -> Sequence[Member]:
        """See `Layout`: all images of the split.

        Args:
            tree: All files.
            split: A key of `folders`.
        """
        folder = self.folders[split]
        start = f"images/{folder}/"
        names = sorted(
            name.removeprefix(start).removesuffix(_END)
            for name in tree.names
            if name.startswith(start) and name.endswith(_END)
        )
        return [
            Member(n, f"{start}{n}{_END}", {"": f"annotations/{folder}/{n}.png"})
            for n in names
        ]

    def decode(self, data: bytes, head: str, where: str) -> np.ndarray:
        """See `Layout`.

        Args:
            data: A PNG.
            head: "".
            where: The file, for messages.
        """
        del head
        return self.table.labels(layouts.read_png(data, where), where)
