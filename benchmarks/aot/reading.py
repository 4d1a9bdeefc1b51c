"""What came of a step: seconds to compile, memory, and what its text says."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax

from benchmarks.aot import chips, repeats, sums, text, units

_LARGEST = 12


def describe(
    lowered: jax.stages.Lowered,
    chip: chips.Chip,
    options: Mapping[str, str | bool | int | float] | None = None,
    place: Path | None = None,
) -> dict[str, object]:
    """Compile a step, and say what came of it.

    Args:
        lowered: The step, traced.
        chip: That it is for.
        options: Of its compiler.
        place: Where the compiled text is written; None: nowhere.
    """
    start, cpu_start = time.perf_counter(), time.process_time()
    compiled = lowered.compile(dict(options or {}) or None)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    program = compiled.as_text()
    if place:
        place.write_text(program)
    return {
        "compile_s": round(seconds, 1),
        "compile_cpu_s": round(cpu, 1),
        "lowered_branches": repeats.lowered_branches(lowered.as_text()),
        **memory_of(compiled, chip),
        **read(program, flops_of(compiled), chip),
    }


def flops_of(compiled: jax.stages.Compiled) -> float:
    """The FLOPs of a step, of one device, as its compiler counts; 0: it does not."""
    cost = compiled.cost_analysis() or {}
    cost = cost[0] if isinstance(cost, list) else cost
    return float(cost.get("flops", 0))


def memory_of(compiled: jax.stages.Compiled, chip: chips.Chip) -> dict[str, object]:
    """The memory of a compiled step by kind, GiB a device, and whether it fits."""
    memory = compiled.memory_analysis()
    kinds = {
        "arguments": memory.argument_size_in_bytes,
        "outputs": memory.output_size_in_bytes - memory.alias_size_in_bytes,
        "temporaries": memory.temp_size_in_bytes,
        "code": memory.generated_code_size_in_bytes,
    }
    total = sum(kinds.values())
    found = {kind: round(size / 2**30, 3) for kind, size in kinds.items()}
    return {"memory_gib": {**found, "total": round(total / 2**30, 3)}} | {
        "fits": total <= chip.memory
    }


def read(program: str, flops: float, chip: chips.Chip) -> dict[str, object]:
    """What the text of a compiled step says.

    Args:
        program: The text.
        flops: Of the step; 0: those of its convolutions are counted.
        chip: That it is for.
    """
    found = text.operations(program)
    outer = [each for each in found if each.computation == "ENTRY" and each.bytes]
    written = sum(each.bytes for each in outer)
    given = sum(
        array.bytes
        for each in found
        if (each.computation, each.opcode) == ("ENTRY", "parameter")
        for array in each.arrays
    )
    padded = sum(a.padded_bytes for each in outer for a in each.written)
    convolutions = text.convolutions(found)
    flops = flops or sum(each.flops for each in convolutions)
    counted = Counter(
        (c.layer, c.kind, "x".join(map(str, c.window)), _written(c.output))
        for c in convolutions
    )
    reduced = sums.all_reduces(found)
    return {
        "tflop": round(flops / 1e12, 3),
        "least_ms": {
            "by_flops": round(1e3 * flops / chip.flops, 2),
            "by_writes": round(1e3 * written / chip.bandwidth, 2),
            "by_bytes": round(1e3 * (given + written) / chip.bandwidth, 2),
        },
        **(_unit_cost(found, chip) if chip.unit else {}),
        "written_gb": round(written / 1e9, 3),
        "padding_gb": round((padded - written) / 1e9, 3),
        "num_convolutions": len(convolutions),
        "distinct_convolutions": len(
            {(c.kind, c.window, c.output[:2]) for c in convolutions}
        ),
        "largest_window": max((max(c.window) for c in convolutions), default=0),
        "convolutions": [[*key, count] for key, count in counted.items()],
        "largest_writes": [
            [each.layer, each.name, [_written(a) for a in each.written], each.bytes]
            for each in text.largest_writes(found, _LARGEST)
        ],
        "kernel_transpositions": [
            [each.layer, each.name, [_written(a) for a in each.arrays]]
            for each in text.kernel_transpositions(found)
        ],
        "all_reduces": {
            "count": len(reduced),
            "gb": round(sum(each.bytes for each in reduced) / 1e9, 3),
            "beside_other_work": sum(bool(each.convolutions) for each in reduced),
        },
        "collectives": sums.collectives(found),
        "fusions": _fusions(found),
        "branches": len(repeats.branches(found)),
    }


def _fusions(found: Sequence[text.Operation]) -> dict[str, object]:
    """How many there are, how many bodies they have, and which most of them have."""
    bodies = repeats.bodies(found)
    return {
        "count": sum(len(body.fusions) for body in bodies),
        "distinct": len(bodies),
        "most_repeated": [
            [body.fusions[0].layer, body.fusions[0].name, len(body.fusions)]
            for body in bodies[:_LARGEST]
            if len(body.fusions) > 1
        ],
    }


def _unit_cost(found: Sequence[text.Operation], chip: chips.Chip) -> dict[str, object]:
    """What a TPU spends, by its compiler and by its matrix unit."""
    layers = units.by_layer(units.products(found, chip.unit), chip.unit)
    flops = sum(each.flops for each in layers)
    padded = sum(each.padded_flops for each in layers)
    return {
        "estimated_megacycles": round(text.estimated_cycles(found) / 1e6, 3),
        "matrix_unit": {
            "products_tflop": round(flops / 1e12, 3),
            "padded_tflop": round(padded / 1e12, 3),
            "least_ms": round(1e3 * padded / chip.flops, 2),
            "worst_layers_gflop": [
                [
                    each.layer,
                    round(each.flops / 1e9, 2),
                    round(each.padded_flops / 1e9, 2),
                ]
                for each in layers[:_LARGEST]
                if each.padded_flops > each.flops
            ],
        },
    }


def _written(array: text.Array) -> str:
    """An array in XLA's words."""
    return f"{array.dtype}{list(array.shape)}{{{array.layout}}}"
