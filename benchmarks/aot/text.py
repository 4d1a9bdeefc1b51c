"""What the text of a compiled step says: convolutions, writes, transpositions."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_BITS = {
    "pred": 8, "u8": 8, "s8": 8, "u16": 16, "s16": 16, "bf16": 16, "f16": 16,
    "u32": 32, "s32": 32, "f32": 32, "u64": 64, "s64": 64, "f64": 64,
}  # fmt: skip
# These write nothing.
_VIEWS = {"parameter", "get-tuple-element", "tuple", "bitcast", "constant", "while"}
_ARRAY = re.compile(r"([a-z]+\d*)\[([\d,]*)\](?:\{([^}]*)\})?")
_INSTRUCTION = re.compile(
    r"\s*(?:ROOT )?%?(?P<name>[\w.\-]+) = (?P<shape>\(.*?\)|\S+) "
    r"(?P<opcode>[\w\-]+)\((?P<rest>.*)"
)
_HEAD = re.compile(r"(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) .*\{\s*$")
_LAYER = re.compile(
    r"(?:de)?(?:conv|bn)\d_\d|(?:un)?pool\d|fc\d[\w\-]*|bnfc\d|drop\d|"
    r"(?:up)?score\w*|seg[\w\-]*|crf"
)


class Array(NamedTuple):
    """An array that an operation writes.

    Attributes:
        dtype: In XLA's words, such as "bf16".
        shape: Its dimensions.
        layout: Dimensions from the fastest, and tiles: "3,2,1,0:T(8,128)".
    """

    dtype: str
    shape: tuple[int, ...]
    layout: str

    @property
    def bytes(self) -> int:
        """What it takes without padding."""
        return math.prod(self.shape) * _BITS.get(self.dtype, 0) // 8

    @property
    def on_chip(self) -> bool:
        """Whether it lies within a TPU's chip, S(1) or S(2), not in its HBM."""
        return bool(re.search(r"S\([12]\)", self.layout))

    @property
    def padded_bytes(self) -> int:
        """What it takes in the tiles of its layout."""
        tile = re.search(r"T\(([\d,]+)\)", self.layout)
        if not tile or not self.shape:
            return self.bytes
        order = [int(n) for n in self.layout.split(":")[0].split(",") if n]
        sides = [int(n) for n in tile[1].split(",")]
        shape = list(self.shape)
        for dimension, side in zip(order, reversed(sides), strict=False):
            shape[dimension] = -(-shape[dimension] // side) * side
        return math.prod(shape) * _BITS.get(self.dtype, 0) // 8


class Operation(NamedTuple):
    """An instruction of a compiled program.

    Attributes:
        name: Its own.
        opcode: Of XLA.
        arrays: What it writes, a few of them where it is a tuple.
        path: Where it comes from in the traced program.
        text: The rest of its line: operands and attributes.
        computation: That it stands in.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    path: str
    text: str
    computation: str

    @property
    def written(self) -> tuple[Array, ...]:
        """The arrays that it writes to the chip's large memory.

        Views write nothing; what begins and ends in two operations, the second writes.
        """
        if self.opcode in _VIEWS or self.opcode.endswith("-start"):
            return ()
        return tuple(each for each in self.arrays if not each.on_chip)

    @property
    def bytes(self) -> int:
        """What it writes there."""
        return sum(each.bytes for each in self.written)

    @property
    def layer(self) -> str:
        """The layer that it belongs to, as far as its path says; else its own end."""
        parts = [p for p in self.path.split("/") if _LAYER.fullmatch(p)]
        found = parts[-1] if parts else self.path.rpartition("/")[2] or self.opcode
        return f"{found}, backward" if "transpose(" in self.path else found


class Convolution(NamedTuple):
    """A convolution of a compiled program.

    Attributes:
        layer: That it belongs to.
        kind: What computes it, such as "convForward" of cuDNN.
        window: Height and width.
        output: What it writes.
        flops: Of cuDNN's, which XLA does not count; else 0.
    """

    layer: str
    kind: str
    window: tuple[int, ...]
    output: Array
    flops: int


def operations(text: str) -> list[Operation]:
    """All instructions of a compiled program.

    Args:
        text: Of XLA, as `jax.stages.Compiled.as_text` returns it.
    """
    found: list[Operation] = []
    computation = ""
    for line in text.splitlines():
        match = _INSTRUCTION.match(line)
        if match is None:
            head = _HEAD.match(line)
            if head:
                computation = "ENTRY" if head["entry"] else head["name"]
            continue
        path = re.search(r'op_name="((?:[^"\\]|\\.)*)"', match["rest"])
        arrays = tuple(_arrays(match["shape"]))
        found.append(
            Operation(
                match["name"],
                match["opcode"],
                arrays,
                path[1] if path else "",
                match["rest"],
                computation,
            )
        )
    return found


def _arrays(text: str) -> Iterator[Array]:
    """The arrays in the text of a shape, which may be a tuple."""
    for dtype, shape, layout in _ARRAY.findall(text):
        yield Array(dtype, tuple(int(n) for n in shape.split(",") if n), layout)


def convolutions(found: Sequence[Operation]) -> list[Convolution]:
    """The convolutions of a program, however they are computed."""
    listed: list[Convolution] = []
    arrays = {each.name: each.arrays for each in found}
    for each in found:
        target = re.search(r'custom_call_target="__cudnn\$(\w+)"', each.text)
        if not target and each.opcode != "convolution":
            continue
        window = re.search(r"window=\{size=([\dx]+)", each.text)
        sides = tuple(int(n) for n in window[1].split("x")) if window else (1, 1)
        kind = target[1] if target else each.opcode
        output = each.arrays[0]
        operands = re.findall(r"%([\w.\-]+)", each.text)[:2]
        given = [arrays[name][0] for name in operands] if target else []
        flops = _flops(kind, output, given) if target else 0
        listed.append(Convolution(each.layer, kind, sides, output, flops))
    return listed


def _flops(kind: str, output: Array, given: Sequence[Array]) -> int:
    """Of a convolution of cuDNN or one of its gradients; maps are NHWC, kernels OHWI.

    All three take two for each value of the larger maps and each weight of a feature.
    """
    maps, kernel = {
        "convBackwardInput": (given[0], given[1]),
        "convBackwardFilter": (given[1], output),
    }.get(kind, (output, given[1]))
    return 2 * math.prod(maps.shape) * math.prod(kernel.shape) // maps.shape[-1]


def estimated_cycles(found: Sequence[Operation]) -> int:
    """Cycles that XLA's compiler for TPUs expects of a program; 0: it does not say.

    What stands in loops counts once. It chooses between windows of its operations by
    them; nobody says how near they come to a chip.
    """
    return sum(
        int(cycles)
        for each in found
        if each.computation == "ENTRY"
        for cycles in re.findall(r'"estimated_cycles":"(\d+)"', each.text)
    )


def largest_writes(found: Sequence[Operation], count: int) -> list[Operation]:
    """What writes most, largest first; operations inside others do not count."""
    outer = [each for each in found if each.computation == "ENTRY" and each.bytes]
    return sorted(outer, key=lambda each: -each.bytes)[:count]


def kernel_transpositions(
    found: Sequence[Operation], least: int = 1 << 20
) -> list[Operation]:
    """Transpositions and copies of float32 kernels, [..., kh, kw, I, O].

    Args:
        found: A program.
        least: Bytes from which on they count.
    """
    return [
        each
        for each in found
        if each.computation == "ENTRY"
        and ("transpose" in each.name or each.opcode == "copy")
        and any(
            a.dtype == "f32" and len(a.shape) in (4, 5) and a.bytes >= least
            for a in each.arrays
        )
    ]
