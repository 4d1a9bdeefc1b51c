"""What a data set is, in a few digits: whether it is what a run began with."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from fcn_jax.data import contracts
from fcn_jax.data.contracts import Source

_DIGITS = 16
Fingerprint = dict[str, str]  # What is looked at, and its digits.


def of(source: Source) -> Fingerprint:
    """The fingerprint of a source.

    Args:
        source: One that has a method `fingerprint` answers itself; of others name,
            split, classes, and the sizes of the images count.

    Returns:
        Digits by what they stand for; equal where that is.
    """
    own = getattr(source, "fingerprint", None)
    if own is not None:
        return own()
    classes = [f"{h.name} {' '.join(h.classes)}" for h in contracts.heads_of(source)]
    return {
        "name": digits([source.name, source.split, str(len(source))]),
        "classes": digits(classes),
        "sizes": digits([str(source.image_sizes().tolist())]),
    }


def digits(texts: Iterable[str]) -> str:
    """Of texts, in their order.

    Args:
        texts: Whatever counts.
    """
    total = hashlib.sha256()
    for text in texts:
        total.update(text.encode())
        total.update(b"\0")
    return total.hexdigest()[:_DIGITS]


def digits_of_files(paths: Iterable[Path | None]) -> str:
    """Of the content of files, in their order.

    Args:
        paths: The files; None stands for one that is not there.
    """
    total = hashlib.sha256()
    for path in paths:
        content = path.read_bytes() if path is not None else b""
        total.update(f"{len(content)} ".encode())
        total.update(content)
    return total.hexdigest()[:_DIGITS]
