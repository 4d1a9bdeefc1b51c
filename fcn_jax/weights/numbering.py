"""Layers that a file knows by number alone: Keras 3's conv2d_7, PyTorch's features.24.

A convolution more or fewer, and each behind it would get the kernel of its neighbour;
many fit by shape, and nothing would tell. So numbers count only where the convolutions
of the file are those of the net, one for one.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fcn_jax.models.encoders import Encoder
from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.names import HWIO, Entry, NamedArrays
from fcn_jax.weights.reports import Mismatch

_COUNTED = re.compile(r"^conv2d(_(?P<number>\d+))?$")  # By their order.
_PLACED = re.compile(r"^features\.(?P<number>\d+)$")  # By the place in a list.


class _Convolution(NamedTuple):
    number: int
    layer: str
    shape: tuple[int, ...]  # Rows, columns, in, out.

    def __str__(self) -> str:
        return f"{self.layer} {'x'.join(map(str, self.shape))}"


def check(
    path: str | Path,
    encoder: Encoder,
    named: NamedArrays,
    shapes: Mapping[str, tuple[int, ...]],
    mismatched: Sequence[Mismatch],
) -> None:
    """Refuse convolutions known by number alone that are not those of the encoder.

    Args:
        path: The file, for errors.
        encoder: Of the net.
        named: The arrays of the file under our names.
        shapes: Of the net's variables, by name.
        mismatched: The arrays that have another shape in the net.

    Raises:
        WeightsError: If there is one more or one fewer, or one has another shape.
    """
    sources = {entry.target: entry for entry in named.entries}
    wrong = [each for each in mismatched if _COUNTED.match(sources[each[0]].layer)]
    if wrong:
        listed = "; ".join(
            f"{sources[name].source} is {_shape(theirs)}, {name.split('/')[1]} of the "
            f"net {_shape(ours)}"
            for name, theirs, ours in wrong[:3]
        )
        raise _refused(path, f"{len(wrong)} are not those of the encoder: {listed}")
    table = encoder.foreign_names(
        named.convention, {entry.layer for entry in named.entries}
    )
    for pattern, placed in ((_COUNTED, False), (_PLACED, True)):
        ours = _of_net(pattern, encoder, table, shapes)
        theirs = _of_file(pattern, named.entries)
        if not ours or not theirs:
            continue
        known = [each.layer for each in ours]
        if placed:
            good = all(each.layer in known for each in theirs)
        else:
            theirs = _in_a_row(theirs, ours)
            good = [each.layer for each in theirs] == known
        if not good:
            raise _refused(
                path,
                f"the file has {len(theirs)}, the encoder {len(ours)}: in the file "
                f"{', '.join(map(str, theirs))}; in the net "
                f"{', '.join(map(str, ours))}",
            )


def _of_net(
    pattern: re.Pattern[str],
    encoder: Encoder,
    table: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
) -> list[_Convolution]:
    """The convolutions of the net that such a file numbers, under its names."""
    convolutions = encoder.convolutions()
    found = [
        _Convolution(_number(match), layer, shapes[f"params/{ours}/kernel"])
        for layer, ours in table.items()
        if (match := pattern.match(layer)) and ours in convolutions
    ]
    return sorted(found)


def _of_file(pattern: re.Pattern[str], entries: Sequence[Entry]) -> list[_Convolution]:
    """The convolutions that the file numbers."""
    found = []
    for entry in entries:
        match, shape = pattern.match(entry.layer), entry.array.shape
        if match and len(shape) == 4 and entry.target.endswith("/kernel"):
            if entry.layout != HWIO:
                shape = (*shape[2:], shape[1], shape[0])
            found.append(_Convolution(_number(match), entry.layer, shape))
    return sorted(found)


def _in_a_row(
    theirs: Sequence[_Convolution], ours: Sequence[_Convolution]
) -> list[_Convolution]:
    """Those of the file that could be the encoder's, first to last.

    What else a net has is numbered behind its encoder: a decoder, scores. It is told by
    its window, by its channels, or by taking something else than what came before.
    """
    windows = {each.shape[:2] for each in ours}
    known = {each.shape for each in ours}
    found: list[_Convolution] = []
    for each in theirs:
        if each.shape[:2] not in windows:
            continue
        if len(found) >= len(ours) and not (
            each.shape in known and each.shape[2] == found[-1].shape[3]
        ):
            break
        found.append(each)
    return found


def _number(match: re.Match[str]) -> int:
    return int(match["number"] or 0)


def _refused(path: str | Path, what: str) -> WeightsError:
    return WeightsError(
        path,
        f"its convolutions are known by number alone, and {what}",
        "expected the encoder's convolutions alone and in its order; save the part "
        "that is the encoder by itself",
    )


def _shape(shape: tuple[int, ...]):
    return "x".join(map(str, shape))
