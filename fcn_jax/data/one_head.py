"""One head of a source with several, as a source with one."""

from collections.abc import Sequence

import numpy as np

from fcn_jax import messages
from fcn_jax.data import contracts, fingerprints
from fcn_jax.data.contracts import Head, Item, Source
from fcn_jax.data.fingerprints import FileDigests, Fingerprint


def chosen(heads: Sequence[Head], name: str, whose: str) -> str:
    """The name of a head, once there is one of that name.

    Args:
        heads: Of a data set or a network.
        name: That is wanted.
        whose: What has them, for the message.

    Raises:
        ValueError: If there is none, naming those that there are.
    """
    names = [head.name for head in heads]
    if names == [""]:
        raise ValueError(f"--head={name}: {whose} has one head; leave --head out.")
    if name not in names:
        raise ValueError(messages.unknown_name("--head", name, names))
    return name


class OneOfHeads:
    """A source whose labels are those of one head; the head has no name here.

    Args:
        source: A source with several heads.
        name: Of the head.

    Raises:
        ValueError: If there is no such head.
    """

    def __init__(self, source: Source, name: str):
        heads = contracts.heads_of(source)
        self._source = source
        self._name = chosen(heads, name, source.name)
        self.name, self.split = f"{source.name}, {name}", source.split
        self.channels = source.channels
        self.heads = tuple(
            Head("", h.classes, h.palette, h.ignore_label, h.may_be_absent)
            for h in heads
            if h.name == name
        )

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Item:
        item = self._source[index]
        return {
            "image": item["image"],
            "labels": item["labels"][self._name],
            "id": item["id"],
        }

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        return self._source.image_sizes()

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """That of the source; see `fingerprints.of`.

        Args:
            digests: Of files, where some are known.
        """
        return fingerprints.of(self._source, digests)
