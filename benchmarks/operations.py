"""Where the time of a step goes on this device, operation by operation.

python -m benchmarks.operations                        # FCN-8s, training, bfloat16
python -m benchmarks.operations --net deconvnet --task inference --count 40
python -m benchmarks.operations --batch 1 --size 224 224 --dtype float32    # a CPU
python -m benchmarks.operations --smoke                # a tiny net, any device

The step is that of fcn_jax train or eval, compiled on a GPU without command buffers,
which hide what runs in them. A few steps are recorded by jax.profiler. Prints JSON:
`operations`, the longest first, each with the milliseconds of a step, its share, XLA's
name and kind and the layer that it belongs to; `layers`, the same summed by layer;
`step_ms` by the clock, and what of it no operation accounts for. Programs and tuned
operations of other runs are used where $JAX_COMPILATION_CACHE_DIR has them, and it is
said what was there.
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

import jax

from benchmarks.aot import text
from benchmarks.common import compiling, machine, steps, timing

_WITHOUT_GRAPHS = {"xla_gpu_enable_command_buffer": ""}


def recorded(folder: Path) -> Counter[str]:
    """Nanoseconds by XLA's names of operations, of all that a profile holds.

    Args:
        folder: Where jax.profiler wrote it.
    """
    found: Counter[str] = Counter()
    for path in folder.rglob("*.xplane.pb"):
        for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
            for line in plane.lines:
                for event in line.events:
                    name = dict(event.stats).get("hlo_op")
                    if name:
                        found[str(name)] += event.duration_ns
    return found


def table(
    times: Counter[str], operations: list[text.Operation], steps_taken: int
) -> list[dict[str, object]]:
    """The operations of a profile, the longest first.

    Args:
        times: Nanoseconds by name, over all steps.
        operations: Of the compiled step, which say where each comes from.
        steps_taken: How many were recorded.
    """
    known = {each.name: each for each in operations}
    total = sum(times.values()) or 1
    rows: list[dict[str, object]] = []
    for name, nanoseconds in times.most_common():
        each = known.get(name)
        rows.append(
            {
                "ms": round(nanoseconds / steps_taken / 1e6, 4),
                "share": round(nanoseconds / total, 4),
                "layer": each.layer if each else "",
                "kind": each.opcode if each else "",
                "name": name,
            }
        )
    return rows


def by_layer(rows: list[dict[str, object]]) -> dict[str, float]:
    """Milliseconds of a step by layer, the longest first."""
    found: Counter[str] = Counter()
    for row in rows:
        found[str(row["layer"] or "unknown")] += row["ms"]
    return {layer: round(ms, 4) for layer, ms in found.most_common()}


def profile(arguments: argparse.Namespace, case: steps.Case) -> dict[str, object]:
    """Compile a step, run it, record it."""
    devices = jax.local_devices()[:1]
    step = steps.build_step(case, arguments.task, devices, arguments.dtype)
    lowered = steps.lower(step, devices)
    options = _WITHOUT_GRAPHS if machine.on_gpu() else {}
    compiled, compilation = compiling.compiled(lowered, options)
    *carried, batch = steps.example_arguments(step, devices)

    def run() -> None:
        result = compiled(*carried, batch)
        if step.optimizer is not None:
            carried[0] = result[0]
        jax.block_until_ready(result)

    for _ in range(2):
        run()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            seconds = [timing.seconds(run) for _ in range(arguments.steps)]
        times = recorded(Path(folder))
    rows = table(times, text.operations(compiled.as_text()), arguments.steps)
    step_ms = 1e3 * sum(seconds) / len(seconds)
    counted = sum(times.values()) / arguments.steps / 1e6
    return {
        **compilation,
        "step_ms": round(step_ms, 3),
        "unaccounted_ms": round(step_ms - counted, 3),
        "layers": by_layer(rows),
        "operations": rows[: arguments.count],
    }


def main() -> None:
    """Profile what the command line says, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=steps.CASES, default="fcn8s")
    parser.add_argument("--task", choices=steps.TASKS, default="training")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--batch", type=int, help="images")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="of images"
    )
    parser.add_argument("--steps", type=int, default=5, help="that are recorded")
    parser.add_argument("--count", type=int, default=60, help="of operations listed")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    case = steps.resized(steps.CASES[arguments.net], arguments.batch, arguments.size)
    if arguments.smoke:
        case, arguments.steps = steps.tiny(case), 1
    report = {
        **vars(arguments),
        "batch": case.batch,
        "size": case.size,
        **profile(arguments, case),
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
