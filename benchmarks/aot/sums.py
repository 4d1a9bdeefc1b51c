"""Sums over devices in a compiled step, and what its schedule has beside them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.aot.text import Operation

_COLLECTIVE = re.compile(
    r"(all-reduce|all-gather|reduce-scatter|all-to-all|ragged-all-to-all|"
    r"collective-permute|collective-broadcast)(?:-start)?"
)
_WORK = {"fusion", "convolution", "dot", "custom-call"}
# What hands on the result of a sum that has begun, and takes no time of its own.
_HANDED_ON = {"get-tuple-element", "tuple", "bitcast", "async-update", "opt-barrier"}


class Overlap(NamedTuple):
    """A sum over devices, and what the schedule has between its start and its end.

    Attributes:
        bytes: Of what is summed.
        convolutions: Fusions and convolutions that run meanwhile.
    """

    bytes: int
    convolutions: int


def collectives(found: Sequence[Operation]) -> dict[str, int]:
    """How often devices exchange something, by what they do; {}: they never do.

    Args:
        found: A program; what stands inside fusions and loops counts too.
    """
    kinds = [_COLLECTIVE.fullmatch(each.opcode) for each in found]
    return dict(sorted(Counter(kind[1] for kind in kinds if kind).items()))


def all_reduces(found: Sequence[Operation]) -> list[Overlap]:
    """The sums over devices, in the order of the schedule.

    XLA writes them in four forms:
        `all-reduce`: nothing runs beside it.
        `all-reduce-start` and `all-reduce-done`: beside what stands between them.
        `async-start` and `async-done` of a computation that sums: likewise.
        A fusion of a computation that sums (for TPUs; `async-collective-start`): until
            a fusion that ends sums takes what it gave, and if none does, beside the
            convolutions that it is fused with.

    Args:
        found: A program.
    """
    inside: dict[str, list[Operation]] = {}
    for each in found:
        inside.setdefault(each.computation, []).append(each)
    outer = inside.get("ENTRY", [])
    sums: list[Overlap] = []
    for position, each in enumerate(outer):
        if each.opcode == "all-reduce":
            sums.append(Overlap(_summed(each), 0))
        elif each.opcode == "all-reduce-start":
            done = _work_beside(each, outer[position + 1 :], inside)
            sums.append(Overlap(_summed(each), done or 0))
        elif each.opcode in ("async-start", "fusion"):
            begun = [
                other
                for other in _called(each, inside)
                if other.opcode in ("all-reduce", "all-reduce-start")
            ]
            if not begun:
                continue
            beside = _work_beside(each, outer[position + 1 :], inside)
            if beside is None:
                called = _called(each, inside)
                beside = sum(other.opcode in ("convolution", "dot") for other in called)
            sums += [Overlap(_summed(other), beside) for other in begun]
    return sums


def _summed(each: Operation) -> int:
    """Bytes of a sum, wherever they lie; its start is written with the shape of it."""
    return sum(array.bytes for array in each.arrays)


def _called(each: Operation, inside: Mapping[str, list[Operation]]) -> list[Operation]:
    """All that stands in the computations that an operation calls, at any depth."""
    found: list[Operation] = []
    for name in re.findall(r"(?:calls|called_computations)=\{?%([\w.\-]+)", each.text):
        for other in inside.get(name, []):
            found += [other, *_called(other, inside)]
    return found


def _work_beside(
    start: Operation,
    after: Sequence[Operation],
    inside: Mapping[str, list[Operation]],
) -> int | None:
    """What runs between the start of a sum and its end; None: it has no end.

    Args:
        start: Of the sum.
        after: What the schedule has after it.
        inside: Operations by the computation that they stand in.
    """
    given, beside = {start.name}, 0
    for other in after:
        takes = given & set(re.findall(r"%([\w.\-]+)", other.text))
        if takes and _ends(other, inside):
            return beside
        if takes and other.opcode in _HANDED_ON:
            given.add(other.name)
            continue
        beside += other.opcode in _WORK
        # A fusion that goes on with the sum while it computes something else.
        if takes and other.opcode == "fusion" and "async-collective" in other.name:
            given.add(other.name)
    return None


def _ends(each: Operation, inside: Mapping[str, list[Operation]]) -> bool:
    """Whether an operation waits for a sum that was begun before it."""
    if each.opcode in ("all-reduce-done", "async-done"):
        return True
    return each.opcode == "fusion" and (
        "async-collective-done" in each.name
        or any(other.opcode == "all-reduce-done" for other in _called(each, inside))
    )
