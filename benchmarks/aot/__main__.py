"""Compile training and inference for an H100 or a TPU v5e that is not there.

python -m benchmarks.aot cuda                          # all nets, both tasks
python -m benchmarks.aot cuda --nets fcn8s --tasks training --text out/
python -m benchmarks.aot tpu --nets fcn8s --devices 4 --effort -1
python -m benchmarks.aot cuda --candidates as_is wide_scores channels_8

Needs an environment of its own, .venv-aot (make aot makes it; 2 GB): JAX with the CUDA
plugin and nvcc, and libtpu; neither a device nor a driver. The steps are those of train
and eval at full width, in bfloat16. Prints JSON, an object a step: seconds to trace and
to compile, of the clock and of all cores; FLOPs (for a GPU those of the convolutions);
memory by kind, and what of it is padding to a TPU's tiles; the least time by the chip's
data sheet for the FLOPs, for the bytes written, and for those and the arguments, and
that of a TPU's 128 x 128 units, which channels may not fill (`benchmarks.aot.units`),
with the layers that lose most by it; the cycles that a TPU's compiler expects; what
writes most, with its layer; float32 kernels that are transposed; what devices exchange,
their sums and what runs beside them; fusions and how many bodies they have; branches
that are left; with --convolutions each convolution with window, type and layout.
cuDNN's algorithms are chosen on a device: no time here stands for its speed.
"""

import argparse
import dataclasses
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.aot import chips

chips.prepare()

import jax  # noqa: E402  What it looks for is said before.

from benchmarks import candidates  # noqa: E402
from benchmarks.aot import reading  # noqa: E402
from benchmarks.common import steps  # noqa: E402


def refusal(arguments: argparse.Namespace) -> str:
    """What is wrong with a command line; "": nothing.

    Args:
        arguments: Of `main`.
    """
    try:
        chips.check(arguments.chip, arguments.devices)
    except (ValueError, ImportError) as error:
        return str(error)
    if not -1 <= arguments.effort <= 1:
        return f"--effort {arguments.effort:g}: give a number from -1 to 1."
    nets = arguments.nets or list(steps.CASES)
    for way in arguments.candidates:
        candidate = candidates.CANDIDATES[way]
        if candidate.families and not set(nets) & set(candidate.families):
            return (
                f"--candidates {way}: {', '.join(nets)} cannot be computed so; "
                f"{', '.join(candidate.families)} can: name one in --nets."
            )
        foreign = [key for key in candidate.compiler if key.startswith("xla_gpu_")]
        if arguments.chip == "tpu" and foreign:
            return (
                f"--candidates {way}: {foreign[0]} is an option of XLA for GPUs alone; "
                f"compile for cuda, or leave {way} out."
            )
    return ""


def main() -> None:
    """Compile what the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chip", choices=sorted(chips.CHIPS))
    parser.add_argument("--nets", nargs="+", choices=steps.CASES, default=[])
    parser.add_argument("--tasks", nargs="+", choices=steps.TASKS, default=steps.TASKS)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--batch", type=int, help="images a device")
    parser.add_argument("--size", type=int, nargs=2, help="height and width")
    parser.add_argument("--width", type=float, default=1.0, help="of the nets")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument(
        "--candidates",
        nargs="+",
        choices=candidates.CANDIDATES,
        default=[candidates.AS_IS],
        help="ways to compute the step",
    )
    parser.add_argument(
        "--effort", type=float, default=0.0, help="of the compiler, from -1 to 1"
    )
    parser.add_argument("--convolutions", action="store_true", help="list them")
    parser.add_argument("--text", type=Path, help="folder for the compiled texts")
    arguments = parser.parse_args()
    wrong = refusal(arguments)
    if wrong:
        parser.error(wrong)
    devices = chips.devices(arguments.chip, arguments.devices)
    if arguments.text:
        arguments.text.mkdir(parents=True, exist_ok=True)
    for net, task, way in itertools.product(
        arguments.nets or steps.CASES, arguments.tasks, arguments.candidates
    ):
        if net in (candidates.CANDIDATES[way].families or steps.CASES):
            found = compiled(arguments, devices, net, task, way)
            print(json.dumps(found), flush=True)


def compiled(
    arguments: argparse.Namespace, devices: Sequence, net: str, task: str, way: str
) -> dict[str, object]:
    """A step compiled, and what came of it.

    Args:
        arguments: Of `main`.
        devices: That it is for.
        net: Of `steps.CASES`.
        task: Of `steps.TASKS`.
        way: Of `candidates.CANDIDATES`.
    """
    case = steps.resized(steps.CASES[net], arguments.batch, arguments.size)
    case = dataclasses.replace(case, width=arguments.width)
    candidate = candidates.CANDIDATES[way]
    options = dict(candidate.compiler)
    if arguments.effort:
        options["exec_time_optimization_effort"] = arguments.effort
    start = time.perf_counter()
    _, lowered = candidates.traced(
        candidate, case, task, list(devices), arguments.dtype
    )
    found: dict[str, object] = {
        "net": net,
        "task": task,
        "candidate": way,
        "options": options,
        "device": f"{len(devices)} x {devices[0].device_kind}",
        "batch": case.batch,
        "size": case.size,
        "width": case.width,
        "dtype": arguments.dtype,
        "jax": jax.__version__,
        "trace_s": round(time.perf_counter() - start, 1),
    }
    name = f"{arguments.chip}_{net}_{task}_{way}.txt"
    found |= reading.describe(
        lowered,
        chips.CHIPS[arguments.chip],
        options,
        arguments.text / name if arguments.text else None,
    )
    if not arguments.convolutions:
        del found["convolutions"]
    return found


if __name__ == "__main__":
    main()
