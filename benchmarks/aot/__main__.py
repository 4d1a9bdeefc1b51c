"""Compile training and inference for an H100 or a TPU v5e that is not there.

python -m benchmarks.aot cuda                          # all nets, both tasks
python -m benchmarks.aot cuda --nets fcn8s --tasks training --text out/
python -m benchmarks.aot tpu --nets fcn8s --devices 4
python -m benchmarks.aot cuda --candidates as_is wide_scores channels_8

Needs an environment of its own, .venv-aot (make aot makes it; 2 GB): JAX with the CUDA
plugin and nvcc, and libtpu; neither a device nor a driver. The steps are those of train
and eval at full width, in bfloat16. Prints JSON, an object a step: seconds to trace and
to compile; FLOPs (for a GPU those of the convolutions); memory by kind, and what of it
is padding to a TPU's tiles; the least time that FLOPs and the bytes written allow by
the chip's data sheet; what writes most, with its layer; float32 kernels that are
transposed; sums over devices, and what runs beside them; with --convolutions each of
them with window, type and layout. cuDNN's algorithms are chosen on a device: no time
here stands for its speed.
"""

import argparse
import itertools
import json
import time
from collections import Counter
from pathlib import Path

from benchmarks.aot import chips, text

chips.prepare()

import jax  # noqa: E402  What it looks for is said before.

from benchmarks import candidates  # noqa: E402
from benchmarks.common import steps  # noqa: E402

_LARGEST = 12


def describe(
    lowered: jax.stages.Lowered, chip: chips.Chip, place: Path | None = None
) -> dict[str, object]:
    """Compile a step, and say what came of it.

    Args:
        lowered: The step, traced.
        chip: That it is for.
        place: Where the compiled text is written; None: nowhere.
    """
    start = time.perf_counter()
    compiled = lowered.compile()
    seconds = time.perf_counter() - start
    program = compiled.as_text()
    if place:
        place.write_text(program)
    return {"compile_s": round(seconds, 1), **memory_of(compiled, chip)} | read(
        program, flops_of(compiled), chip
    )


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
    padded = sum(a.padded_bytes for each in outer for a in each.arrays)
    convolutions = text.convolutions(found)
    flops = flops or sum(each.flops for each in convolutions)
    counted = Counter(
        (c.layer, c.kind, "x".join(map(str, c.window)), _written(c.output))
        for c in convolutions
    )
    sums = text.all_reduces(found)
    return {
        "tflop": round(flops / 1e12, 3),
        "least_ms": {
            "by_flops": round(1e3 * flops / chip.flops, 2),
            "by_writes": round(1e3 * written / chip.bandwidth, 2),
        },
        "written_gb": round(written / 1e9, 3),
        "padding_gb": round((padded - written) / 1e9, 3),
        "num_convolutions": len(convolutions),
        "distinct_convolutions": len(
            {(c.kind, c.window, c.output[:2]) for c in convolutions}
        ),
        "largest_window": max((max(c.window) for c in convolutions), default=0),
        "convolutions": [[*key, count] for key, count in counted.items()],
        "largest_writes": [
            [each.layer, each.name, [_written(a) for a in each.arrays], each.bytes]
            for each in text.largest_writes(found, _LARGEST)
        ],
        "kernel_transpositions": [
            [each.layer, each.name, [_written(a) for a in each.arrays]]
            for each in text.kernel_transpositions(found)
        ],
        "all_reduces": {
            "count": len(sums),
            "gb": round(sum(s.bytes for s in sums) / 1e9, 3),
            "beside_other_work": sum(bool(s.convolutions) for s in sums),
        },
    }


def _written(array: text.Array) -> str:
    """An array in XLA's words."""
    return f"{array.dtype}{list(array.shape)}{{{array.layout}}}"


def main() -> None:
    """Compile what the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chip", choices=sorted(chips.CHIPS))
    parser.add_argument("--nets", nargs="+", choices=steps.CASES, default=[])
    parser.add_argument("--tasks", nargs="+", choices=steps.TASKS, default=steps.TASKS)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--batch", type=int, help="images a device")
    parser.add_argument("--size", type=int, nargs=2, help="height and width")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument(
        "--candidates",
        nargs="+",
        choices=candidates.CANDIDATES,
        default=[candidates.AS_IS],
        help="ways to compute the step",
    )
    parser.add_argument("--convolutions", action="store_true", help="list them")
    parser.add_argument("--text", type=Path, help="folder for the compiled texts")
    arguments = parser.parse_args()
    chip = chips.CHIPS[arguments.chip]
    devices = chips.devices(arguments.chip, arguments.devices)
    if arguments.text:
        arguments.text.mkdir(parents=True, exist_ok=True)
    nets, tasks = arguments.nets or steps.CASES, arguments.tasks
    for net, task, way in itertools.product(nets, tasks, arguments.candidates):
        case = steps.resized(steps.CASES[net], arguments.batch, arguments.size)
        candidate = candidates.CANDIDATES[way]
        start = time.perf_counter()
        _, lowered = candidates.traced(candidate, case, task, devices, arguments.dtype)
        found: dict[str, object] = {
            "net": net,
            "task": task,
            "candidate": way,
            "device": f"{len(devices)} x {devices[0].device_kind}",
            "batch": case.batch,
            "size": case.size,
            "dtype": arguments.dtype,
            "jax": jax.__version__,
            "trace_s": round(time.perf_counter() - start, 1),
        }
        name = f"{arguments.chip}_{net}_{task}_{way}.txt"
        place = arguments.text / name if arguments.text else None
        found |= describe(lowered, chip, place)
        if not arguments.convolutions:
            del found["convolutions"]
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
