"""Everything that is timed, in one run: JSON, a table and a plot.

python -m benchmarks.speed                              # everything, on JAX's device
python -m benchmarks.speed --only fcn8s_training pooling
python -m benchmarks.speed --device gpu --limit 300    # as far as the time goes
python -m benchmarks.speed --render                     # the page from the JSON alone
python -m benchmarks.speed --smoke --out /tmp/speed

Each measurement is a process of its own: a script of this folder with its arguments,
which times ours and PyTorch's sides in turns. What it prints goes into
OUT/speed_<device>.json, where it replaces the measurement of that name and leaves the
others; from these files OUT/performance.md and OUT/speed.png are written. What fails or
takes too long is recorded as unmeasured, with the reason, where no figure of it is
there. Prints the JSON. On a GPU the sides of a net are processes of their own, one
after the other, and the dtype is bfloat16.
"""

import argparse
import dataclasses
import functools
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.reports import performance_report
from fcn_jax.storage import files

HERE = Path(__file__).parent
FCN8S = ("--model", "fcn8s", "--size", "320", "320")
DECONVNET = ("--model", "deconvnet", "--size", "224", "224")
# As the goals for a GPU have them.
GPU_STEPS = {
    "fcn8s": ("--model", "fcn8s", "--size", "500", "500", "--batch", "8"),
    "deconvnet": ("--model", "deconvnet", "--size", "224", "224", "--batch", "64"),
}
DTYPES = {"cpu": "float32", "gpu": "bfloat16"}  # Where none is asked for.


SIDES = ("ours", "pytorch", "pytorch_compiled")


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A script and its arguments.

    Attributes:
        script: Name of the file in this folder.
        cpu: Arguments on a CPU.
        gpu: Arguments on a GPU.
        takes_dtype: Whether there is an option --dtype.
        sides: On a GPU each in a process of its own, so that one that hangs costs
            itself alone; (): one process does all.
        on: Devices on which it says something.
        minutes: After which it is stopped on a CPU.
        gpu_seconds: After which it, or a side of it, is stopped on a GPU.
        limit: Its option that says how many seconds it has; "": it has none.
    """

    script: str
    cpu: tuple[str, ...] = ()
    gpu: tuple[str, ...] = ()
    takes_dtype: bool = True
    sides: tuple[str, ...] = ()
    on: tuple[str, ...] = ("cpu", "gpu")
    minutes: float = 15
    gpu_seconds: float = 60
    limit: str = ""


def _networks(net, task):
    """Both sides of a net; a batch that two cores and 12 GB can do."""
    cpu = {"fcn8s": FCN8S, "deconvnet": DECONVNET}[net]
    small = ("--batch", "1") if net == "fcn8s" else ("--batch", "2", "--width", "0.5")
    gpu = ("--task", task, *GPU_STEPS[net], "--repeats", "20", "--threads", "8")
    return Measurement(
        "networks",
        ("--task", task, *cpu, *small),
        gpu,
        sides=SIDES,
        gpu_seconds=150,
    )


def _memory(net, task, side):
    """One side alone, for the peak of its memory."""
    both = _networks(net, task)
    alone = ("--sides", side, "--repeats", "1")
    return dataclasses.replace(both, cpu=both.cpu + alone, sides=(), on=("cpu",))


def _by_net(script, seconds, limit=""):
    """Of the training step of each net, on a GPU."""
    return {
        f"{script}_{net}": Measurement(
            script, gpu=("--net", net), on=("gpu",), gpu_seconds=seconds, limit=limit
        )
        for net in GPU_STEPS
    }


TASKS = ("training", "inference")
# The most telling first: on a machine that is lent there may be no time for the rest.
MEASUREMENTS = {
    **{f"{net}_{task}": _networks(net, task) for task in TASKS for net in GPU_STEPS},
    "crf": Measurement("crf", gpu=("--no-peer",), takes_dtype=False, gpu_seconds=90),
    "pooling": Measurement("pooling"),
    "device_parity": Measurement("device_parity", takes_dtype=False, on=("gpu",)),
    "determinism": Measurement("determinism", on=("gpu",), gpu_seconds=150),
    "startup": Measurement("startup", takes_dtype=False, gpu_seconds=150),
    "proposals": Measurement("deconvnet", gpu=("--width", "1"), takes_dtype=False),
    "mixed_sizes": Measurement(
        "mixed_sizes",
        cpu=("--width", "1", "--images", "12", "--batch", "1"),
        gpu=("--width", "1", "--images", "200"),
        takes_dtype=False,
    ),
    "input_pipeline": Measurement(
        "input_pipeline", gpu=("--workers", "16"), takes_dtype=False
    ),
    "convolutions": Measurement("convolutions", takes_dtype=False, on=("cpu",)),
    "stages": Measurement("roofline.stages", gpu=("--batch", "8")),
    **_by_net("candidates", 280, limit="--limit"),
    **_by_net("operations", 100),
    **{
        f"memory_{net}_{task}_{side}": _memory(net, task, side)
        for net in GPU_STEPS
        for task in TASKS
        for side in SIDES
    },
}


def measure(name, arguments, left):
    """What the script of one measurement prints, or why there is nothing.

    Args:
        name: A key of `MEASUREMENTS`.
        arguments: Of the command line.
        left: Seconds that are left for all.
    """
    what = MEASUREMENTS[name]
    module = f"benchmarks.{what.script}"
    options = _options(name, what, arguments)
    on_gpu = arguments.device == "gpu"
    own = min(what.gpu_seconds if on_gpu else 60 * what.minutes, left)
    own = left if arguments.smoke else own
    if what.sides and on_gpu:
        found, end = {}, time.monotonic() + left
        for side in what.sides:
            seconds = min(own, end - time.monotonic())
            command = [*options, "--sides", side]
            found[side] = _printed_by(module, command, arguments, seconds)
        return joined(found) | {"arguments": options}
    if what.limit:
        options += [what.limit, str(round(min(own, 10**6)))]
    return _printed_by(module, options, arguments, own) | {"arguments": options}


def _options(name, what, arguments):
    """The arguments of a measurement's script."""
    if not arguments.smoke:
        options = list(what.gpu if arguments.device == "gpu" else what.cpu)
        dtype = arguments.dtype or DTYPES[arguments.device]
        return options + (["--dtype", dtype] if what.takes_dtype else [])
    options = ["--smoke"]
    if what.script == "networks":
        net, task = name.removeprefix("memory_").split("_")[:2]
        options += ["--model", net, "--task", task]
        if name.startswith("memory"):
            options += ["--sides", what.cpu[what.cpu.index("--sides") + 1]]
    if what.script in ("candidates", "operations"):
        options += what.gpu
    return options


def _printed_by(module, options, arguments, seconds):
    """What a script prints within so many seconds."""
    if seconds < 1:
        return {"unmeasured": "no time was left for it"}
    platform = {"cpu": "cpu", "gpu": "cuda"}[arguments.device]
    environment = os.environ | {
        # Parity asks for the CPU too.
        "JAX_PLATFORMS": platform if platform == "cpu" else f"{platform},cpu",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONPATH": str(HERE.parent),
    }
    if arguments.smoke and not _has_gpu():
        environment["JAX_PLATFORMS"] = "cpu"
    command = [sys.executable, "-m", module, *options]
    try:
        answer = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=None if math.isinf(seconds) else seconds,
        )
    except subprocess.TimeoutExpired:
        return {"unmeasured": f"stopped after {seconds:.0f} s"}
    try:
        # Some say by their status that what they found is not good.
        return json.loads(answer.stdout)
    except ValueError:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        return {"unmeasured": f"status {answer.returncode}: {last}"}


def joined(found):
    """One report of sides that were measured each in a process of its own.

    Args:
        found: By side, what `benchmarks.networks` printed for it alone.
    """
    seconds, unmeasured = {}, {}
    for side, report in found.items():
        if isinstance(report["unmeasured"], str):
            unmeasured[side] = report["unmeasured"]
        elif side in report["unmeasured"]:
            unmeasured[side] = report["unmeasured"][side]
        elif side in report["seconds"]:
            seconds[side] = report["seconds"][side]
        else:
            unmeasured[side] = "PyTorch is not installed"
    parts = {
        "seconds": seconds,
        "prepared_s": {s: found[s]["prepared_s"][s] for s in seconds},
        "device_peak_mib_of": {s: found[s]["device_peak_mib"] for s in seconds},
    }
    if "ours" not in seconds:
        return parts | {"unmeasured": f"ours: {unmeasured['ours']}"}
    ours = seconds["ours"]
    ratio = {side: ours / theirs for side, theirs in seconds.items() if side != "ours"}
    return found["ours"] | parts | {"ratio": ratio, "unmeasured": unmeasured}


def _has_gpu():
    return default_device() == "gpu"


@functools.cache
def default_device():
    """That of JAX, asked in another process, which gives its memory back."""
    code = "import jax; print(jax.default_backend())"
    answer = subprocess.check_output([sys.executable, "-c", code], text=True)
    return "gpu" if answer.split()[-1] == "gpu" else "cpu"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=tuple(MEASUREMENTS), nargs="+", default=None)
    parser.add_argument("--device", choices=("cpu", "gpu"))
    parser.add_argument("--dtype", choices=("float32", "bfloat16"))
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds in all")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.limit
    found = {}
    for device in ("cpu", "gpu"):
        path = arguments.out / f"speed_{device}.json"
        found[device] = json.loads(path.read_text()) if path.exists() else {}
    if not arguments.render:
        device = arguments.device = arguments.device or default_device()
        names = [name for name, what in MEASUREMENTS.items() if device in what.on]
        for name in arguments.only or names:
            start = time.monotonic()
            report = measure(name, arguments, end - start)
            print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
            keep(found[device], name, report)
            files.write_json(arguments.out / f"speed_{device}.json", found[device])
    page = performance_report.render(found)
    files.write_text(arguments.out / "performance.md", page)
    performance_report.plot(found, arguments.out / "speed.png")
    print(json.dumps(found, indent=2))


def keep(found, name, report):
    """Put a report in its place, unless it says nothing where another said something.

    Args:
        found: What was measured on a device, by name; is changed.
        name: Of the measurement.
        report: What came of it now.
    """
    before = found.get(name, {"unmeasured": ""})
    nothing = isinstance(report.get("unmeasured"), str)
    if nothing:
        print(f"{name}: unmeasured: {report['unmeasured']}", file=sys.stderr)
    if nothing and not isinstance(before.get("unmeasured"), str):
        return
    found[name] = report


if __name__ == "__main__":
    main()
