"""What a compiled step has twice, and which branches it still has.

XLA for GPUs makes a kernel of each fusion, and of two with the same body one, unless
their arguments overlap or are aligned in other ways: `distinct` is the least that it
makes of `count`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.aot.text import Operation

# What an operation is called, where it came from and what may change at each place.
_ASIDE = re.compile(
    r', (?:metadata|frontend_attributes)=\{(?:"(?:[^"\\]|\\.)*"|[^"{}]|\{[^{}]*\})*\}|'
    r'"(?:operation_queue_id|reification_cost|force_earliest_schedule)":'
    r'(?:"[^"]*"|\[[^\]]*\]|\w+),?|/\*index=\d+\*/'
)
_NAME = re.compile(r"%([\w.\-]+)")


class Body(NamedTuple):
    """A body that fusions have.

    Attributes:
        fusions: Those that have it, in the order of the program.
    """

    fusions: tuple[Operation, ...]


def bodies(found: Sequence[Operation]) -> list[Body]:
    """The distinct bodies of a program's fusions, those that most fusions have first.

    Two are the same if they compute the same of arrays of the same shapes and layouts;
    the names of operations, and the layers that they come from, do not count.

    Args:
        found: A program.
    """
    inside: dict[str, list[Operation]] = {}
    for each in found:
        inside.setdefault(each.computation, []).append(each)
    known: dict[str, str] = {}
    same: dict[str, list[Operation]] = {}
    for each in found:
        called = re.search(r"calls=%([\w.\-]+)", each.text)
        if each.opcode == "fusion" and called:
            kind = re.search(r"kind=\w+", each.text)
            body = _body(called[1], inside, known)
            same.setdefault(f"{kind and kind[0]} {body}", []).append(each)
    listed = [Body(tuple(fusions)) for fusions in same.values()]
    return sorted(listed, key=lambda body: -len(body.fusions))


def _body(
    name: str, inside: Mapping[str, Iterable[Operation]], known: dict[str, str]
) -> str:
    """A computation without names: its operations by their place in it.

    Args:
        name: Of the computation.
        inside: Operations by the computation that they stand in.
        known: Bodies that were asked for before; this one is added.
    """
    if name in known:
        return known[name]
    places: dict[str, str] = {}
    lines: list[str] = []

    def renamed(match: re.Match[str]) -> str:
        if match[1] in places:
            return places[match[1]]
        return f"<{_body(match[1], inside, known)}>" if match[1] in inside else "?"

    for each in inside.get(name, ()):
        rest = _NAME.sub(renamed, _ASIDE.sub("", each.text))
        lines.append(f"{each.arrays}{each.opcode}({rest}")
        places[each.name] = f"%{len(places)}"
    known[name] = "\n".join(lines)
    return known[name]


def branches(found: Sequence[Operation]) -> list[Operation]:
    """What a compiled program decides while it runs.

    Args:
        found: The program.
    """
    return [each for each in found if each.opcode == "conditional"]


def lowered_branches(program: str) -> int:
    """Branches in a step as JAX gives it to XLA.

    `jax.lax.platform_dependent` is two, of what is known: XLA takes them away.

    Args:
        program: Its StableHLO, as `jax.stages.Lowered.as_text` writes it.
    """
    return len(re.findall(r"\bstablehlo\.(?:case|if)\b", program))
