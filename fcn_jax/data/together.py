"""A source and another one behind it, as one: more images to train on."""

import numpy as np

from fcn_jax.data import contracts, fingerprints
from fcn_jax.data.contracts import Item, Source
from fcn_jax.data.fingerprints import FileDigests, Fingerprint


class Together:
    """The images of a source, then those of another with the same classes.

    Everything but the items is that of the first.

    Args:
        first: The data set of a run.
        extra: What is trained on beside it.

    Attributes:
        ids: Of the images of both; () where one does not tell.
        notes: Those of both, and how many images the second adds.

    Raises:
        ValueError: If the classes, or the channels of the images, differ.
    """

    def __init__(self, first: Source, extra: Source):
        self._first, self._extra = first, extra
        self.name, self.split = first.name, first.split
        self.channels, self.heads = first.channels, contracts.heads_of(first)
        _check_same(first, extra)
        ids: list[tuple[str, ...]] = [
            tuple(getattr(each, "ids", ())) for each in (first, extra)
        ]
        self.ids: tuple[str, ...] = (*ids[0], *ids[1]) if all(ids) else ()
        self.notes = [
            *getattr(first, "notes", ()),
            f"{len(extra)} of these images are from {extra.name} {extra.split}",
            *getattr(extra, "notes", ()),
        ]

    def __getattr__(self, name: str) -> object:
        if name in ("_first", "_extra"):  # Of one that is being copied.
            raise AttributeError(name)
        return getattr(self._first, name)

    def __len__(self) -> int:
        return len(self._first) + len(self._extra)

    def __getitem__(self, index: int) -> Item:
        count = len(self._first)
        return self._first[index] if index < count else self._extra[index - count]

    def image_sizes(self) -> np.ndarray:
        """Heights and widths, int32 [len(self), 2]."""
        both = (self._first.image_sizes(), self._extra.image_sizes())
        return np.concatenate(both)

    def image_ids(self) -> list[str]:
        """Of the images of both, in their order."""
        return [*contracts.ids_of(self._first), *contracts.ids_of(self._extra)]

    def fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """What both are; see `fingerprints.of`.

        Args:
            digests: Of files, where some are known.
        """
        return _of_both(
            fingerprints.of(self._first, digests),
            fingerprints.of(self._extra, digests),
        )

    def object_fingerprint(self, digests: FileDigests | None = None) -> Fingerprint:
        """The masks of objects of both, where they have any.

        Args:
            digests: Of files, where some are known.
        """
        sources = (self._first, self._extra)
        own = [getattr(source, "object_fingerprint", None) for source in sources]
        return _of_both(*(each(digests) if each is not None else {} for each in own))


def _of_both(first: Fingerprint, extra: Fingerprint) -> Fingerprint:
    return first | {f"extra {name}": value for name, value in extra.items()}


def _check_same(first: Source, extra: Source) -> None:
    """Refuse another data set whose labels mean something else."""
    for what, value in (
        ("classes", lambda s: [(h.name, h.classes) for h in contracts.heads_of(s)]),
        ("channels", lambda s: getattr(s, "channels", "rgb")),
    ):
        ours, theirs = value(first), value(extra)
        if ours != theirs:
            raise ValueError(
                f"config.data.extra: the {what} of {extra.name} are {_text(theirs)}, "
                f"and those of {first.name} {_text(ours)}; they must be the same, in "
                f"the same order."
            )


def _text(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    classes = [name for _, names in value for name in names]
    return f"{len(classes)} ({', '.join(classes[:3])}, ...)"
