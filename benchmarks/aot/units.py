"""What the products of a compiled step cost a unit that multiplies squares.

A TPU v5e has four matrix units, each of 128 x 128 multipliers, and 197 TFLOP/s of
bfloat16 where all of them have something to multiply (cloud.google.com/tpu/docs/v5e;
cloud.google.com/tpu/docs/system-architecture-tpu-vm). What is less than 128 wide is
filled up with zeros (cloud.google.com/tpu/docs/performance-guide), so 3, 21 or 64
channels take as long as 128.

Assumed here, and published nowhere:
    A product is [rows, contracted] x [contracted, columns], and each of its three sides
        counts as the next multiple of 128: a unit holds 128 contracted values of 128
        columns, and is filled anew in the time of 128 rows.
    A convolution is one product for each position of its window, over its input
        channels, or one for each position of its output, over window and channels
        together, as gradients of kernels must be; whichever costs less.
    Groups of a convolution are products of their own.
A compiler that folds rows and columns of a map into its channels spends less than this
says; none can spend less than the FLOPs.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.aot.text import Array, Operation


class Product(NamedTuple):
    """A convolution or a product of matrices.

    Attributes:
        layer: That it belongs to.
        rows: Of its left side, and of its output.
        contracted: Values in each of its sums.
        columns: Of its right side, and of its output.
        flops: Two for each value that is multiplied; zeros around maps are none.
    """

    layer: str
    rows: int
    contracted: int
    columns: int
    flops: int

    def padded_flops(self, side: int) -> float:
        """FLOPs that a unit spends on it, zeros included.

        Args:
            side: Of the unit, in multipliers.
        """
        return self.flops * _factor((self.rows, self.contracted, self.columns), side)


def _factor(sides: Sequence[int], side: int) -> float:
    """How much larger a product is with each side filled up."""
    return math.prod(-(-each // side) * side / each for each in sides)


def products(found: Sequence[Operation], side: int) -> list[Product]:
    """The products of a program, as XLA itself writes them; those of loops count once.

    Args:
        found: The program; of calls of libraries, such as cuDNN, nothing is counted.
        side: Of the unit, in multipliers.
    """
    arrays = {(each.computation, each.name): each.arrays for each in found}
    listed: list[Product] = []
    for each in found:
        if each.opcode not in ("convolution", "dot"):
            continue
        names = re.findall(r"%([\w.\-]+)", each.text)[:2]
        lhs, rhs = (arrays[each.computation, name][0] for name in names)
        if not math.prod(each.arrays[0].shape):
            continue
        if each.opcode == "dot":
            listed.append(_dot(each, lhs, rhs))
        else:
            listed.append(_convolution(each, lhs, rhs, side))
    return listed


def _dot(each: Operation, lhs: Array, rhs: Array) -> Product:
    batch = _product(lhs, _dimensions(each.text, "lhs_batch_dims"))
    contracted = _product(lhs, _dimensions(each.text, "lhs_contracting_dims"))
    rows = math.prod(lhs.shape) // (batch * contracted)
    columns = math.prod(rhs.shape) // (batch * contracted)
    flops = 2 * batch * rows * contracted * columns
    return Product(each.layer, rows, contracted, columns, flops)


def _product(array: Array, dimensions: Sequence[int]) -> int:
    return math.prod(array.shape[d] for d in dimensions)


def _dimensions(text: str, name: str) -> list[int]:
    match = re.search(rf"{name}={{([\d,]*)}}", text)
    return [int(n) for n in match[1].split(",") if n] if match else []


def _convolution(each: Operation, lhs: Array, rhs: Array, side: int) -> Product:
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", each.text)
    if labels is None:
        raise ValueError(
            f"{each.name}: a convolution without dim_labels, which say what its "
            f"dimensions are, came: ({each.text[:200]}; give XLA's text as it is."
        )
    of_lhs, of_rhs, of_output = (
        dict(zip(names, array.shape, strict=True))
        for names, array in zip(
            labels.groups(), (lhs, rhs, each.arrays[0]), strict=True
        )
    )
    window = _window(each.text)
    spatial = [label for label in of_output if label.isdigit()]
    pairs = math.prod(
        _pairs(of_lhs[d], of_output[d], {k: v[int(d)] for k, v in window.items()})
        for d in spatial
    )
    groups = math.prod(
        int(n) for n in re.findall(r"(?:feature|batch)_group_count=(\d+)", each.text)
    )
    batch, features, contracted = of_output["b"], of_output["f"], of_rhs["i"]
    flops = 2 * batch * features * contracted * pairs
    positions = math.prod(of_output[d] for d in spatial)
    taps = math.prod(of_rhs[d] for d in spatial)
    columns = features // groups
    readings = [
        (batch * positions, contracted, columns),
        (batch, contracted * taps, columns),
    ]
    sides = min(readings, key=lambda sides: _factor(sides, side))
    return Product(each.layer, *sides, flops)


def _window(text: str) -> dict[str, list[list[int]]]:
    """The parts of a window, for each of its dimensions; pads have two values."""
    match = re.search(r"window={([^}]*)}", text)
    parts = dict(part.split("=") for part in match[1].split()) if match else {}
    return {
        name: [[int(n) for n in each.split("_")] for each in value.split("x")]
        for name, value in parts.items()
    }


def _pairs(given: int, output: int, window: Mapping[str, list[int]]) -> int:
    """Pairs of an output and a value that it sums, along one dimension.

    Args:
        given: Values of the input.
        output: Values of the output.
        window: Its parts in this dimension.
    """
    size, stride = window.get("size", [1])[0], window.get("stride", [1])[0]
    apart = window.get("lhs_dilate", [1])[0]
    reach = window.get("rhs_dilate", [1])[0]
    before = window.get("pad", [0])[0]
    place = np.arange(output)[:, None] * stride + np.arange(size) * reach - before
    inside = (place >= 0) & (place <= (given - 1) * apart) & (place % apart == 0)
    return int(inside.sum())


class Padding(NamedTuple):
    """What a layer costs the unit.

    Attributes:
        layer: Its name.
        flops: Of its products.
        padded_flops: That the unit spends on them.
    """

    layer: str
    flops: float
    padded_flops: float


def by_layer(listed: Sequence[Product], side: int) -> list[Padding]:
    """Layers by what their padding costs, most first.

    Args:
        listed: The products of a program.
        side: Of the unit, in multipliers.
    """
    sums: dict[str, tuple[float, float]] = {}
    for each in listed:
        flops, padded = sums.get(each.layer, (0, 0))
        sums[each.layer] = flops + each.flops, padded + each.padded_flops(side)
    found = [Padding(layer, *both) for layer, both in sums.items()]
    return sorted(found, key=lambda each: each.flops - each.padded_flops)
