"""Convolutions of Keras 3 that are numbered anew in every nested model.

Keras 3 knows a layer by its class and its number within its model: the convolutions of
a VGG-16 made of five models are block1/layers/conv2d, block1/layers/conv2d_1,
block2/layers/conv2d, ... Their order is that of the models and of the numbers, and is
taken only where the shapes bear it out: every convolution takes what the one before it
gives.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fcn_jax.weights.errors import WeightsError

_KERNEL = re.compile(r"^(?P<model>.*/)?conv2d(_(?P<number>\d+))?/vars/0$")
_LAYER = re.compile(
    r"^(?P<model>.*/)?(?P<layer>(?P<kind>dense|conv2d)(_\d+)?/vars/\d)$"
)
_SIDE = 3  # Of the convolutions of a trunk; others are scores and skips.


class _Convolution(NamedTuple):
    model: str
    number: int
    name: str
    shape: tuple[int, ...]


def renumbered(
    path: str | Path, arrays: Mapping[str, np.ndarray], num_convolutions: int
) -> dict[str, str]:
    """Names as of one model, for convolutions of several.

    Args:
        path: The file, for errors.
        arrays: Its arrays.
        num_convolutions: That the trunk of the net has.

    Returns:
        Name in the file -> "conv2d_7/vars/0" and so on. Where one model holds them all
        they keep theirs, and a layer of another is none of the encoder's.

    Raises:
        WeightsError: If their order does not follow from the shapes.
    """
    found = [c for c in map(_convolution, arrays, arrays.values()) if c]
    models = {each.model for each in found}
    if len(models) < 2:
        return _heads(arrays, models) if models else {}
    found.sort(key=lambda each: (_natural(each.model), each.number))
    _check(path, found, num_convolutions)
    names: dict[str, str] = {}
    for position, each in enumerate(found):
        layer = f"conv2d_{position}" if position else "conv2d"
        for part in ("0", "1"):
            names[each.name[:-1] + part] = f"{layer}/vars/{part}"
    others = _heads(arrays, set(), ("conv2d",))
    return others | {old: new for old, new in names.items() if old in arrays}


def note(names: Mapping[str, str]) -> str:
    """How it is known which convolution is which, a sentence; "" where names tell.

    Args:
        names: What `renumbered` returned.
    """
    taken = [name for name, new in names.items() if _KERNEL.match(new)]
    if not taken:
        return ""
    models = {_KERNEL.sub(lambda match: match["model"] or "", name) for name in taken}
    return (
        f"its {len(taken)} convolutions are numbered anew in each of {len(models)} "
        f"models; they are taken in the order of these and of their numbers, in which "
        f"each takes the channels that the one before it gives"
    )


def _heads(
    arrays: Mapping[str, np.ndarray],
    models: set[str],
    kinds: Sequence[str] = ("dense", "conv2d"),
) -> dict[str, str]:
    """Names for the numbered layers of models other than those of the convolutions.

    A dense layer behind them is no fc6, a convolution that scores no conv1_1.
    """
    found: dict[str, str] = {}
    for name in arrays:
        match = _LAYER.match(name)
        if match and match["kind"] in kinds and (match["model"] or "") not in models:
            found[name] = f"{match['model'] or ''}head_{match['layer']}"
    return found


def _convolution(name: str, array: np.ndarray) -> _Convolution | None:
    match = _KERNEL.match(name)
    if not match or array.ndim != 4 or array.shape[:2] != (_SIDE, _SIDE):
        return None
    number = int(match["number"] or 0)
    return _Convolution(match["model"] or "", number, name, array.shape)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which block10 comes after block9."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _check(
    path: str | Path, found: Sequence[_Convolution], num_convolutions: int
) -> None:
    """Raise unless each takes what the one before gives, and they are as many."""
    pairs = itertools.pairwise(found)
    chained = all(a.shape[3] == b.shape[2] for a, b in pairs)
    if chained and len(found) == num_convolutions:
        return
    listed = ", ".join(
        f"{each.name} {'x'.join(map(str, each.shape))}" for each in found
    )
    raise WeightsError(
        path,
        f"its convolutions are numbered anew in each of its models, and these are not "
        f"the {num_convolutions} of the net in a row: {listed}",
        "expected each to take what the one before it gives; save the part that is the "
        "encoder by itself",
    )
