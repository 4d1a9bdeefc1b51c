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
there, and is told at the end. All is over after --limit seconds, 25 minutes: a process
whose time is up is ended, with all that it started. Scripts that keep what they know as
they go on are asked to stop before that; of what they were in the middle of when they
did not, the rest stays. Prints the JSON. On a GPU the sides of a net are processes of
their own, one after the other, and the dtype is bfloat16.
"""

import argparse
import dataclasses
import functools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import processes, rows
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
LIMIT = 1500  # Seconds in all.
# Of the time after which a script is ended: until then it is to stop by itself.
_STOPS_AT = 0.9
# Of its share, where others leave it: the first compilation may take longer than that.
_AT_MOST = 1.6


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
        minutes: After which it is ended on a CPU.
        gpu_seconds: After which it, or a side of it, is ended on a GPU.
        stops: Whether it stops by itself, and keeps what it knows
            (`common.time_limits`): it is ended later then, if there is time.
    """

    script: str
    cpu: tuple[str, ...] = ()
    gpu: tuple[str, ...] = ()
    takes_dtype: bool = True
    sides: tuple[str, ...] = ()
    on: tuple[str, ...] = ("cpu", "gpu")
    minutes: float = 8
    gpu_seconds: float = 60
    stops: bool = False


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
        gpu_seconds=200,
    )


def _by_net(script, seconds, stops=False):
    """Of the training step of each net, on a GPU."""
    return {
        f"{script}_{net}": Measurement(
            script, gpu=("--net", net), on=("gpu",), gpu_seconds=seconds, stops=stops
        )
        for net in GPU_STEPS
    }


def _startup(net):
    """A first step on a GPU, cold and warm; what it tuned others need not tune."""
    step = {"fcn8s": ("500", "8"), "deconvnet": ("224", "64")}[net]
    size = ("--size", step[0], "--batch", step[1])
    return Measurement(
        "startup",
        gpu=("--net", net, *size, "--repeats", "2", "--share"),
        on=("gpu",),
        gpu_seconds=200,
        stops=True,
    )


TASKS = ("training", "inference")
# The most telling first: on a machine that is lent there may be no time for the rest.
MEASUREMENTS = {
    **{f"{net}_{task}": _networks(net, task) for task in TASKS for net in GPU_STEPS},
    "pooling": Measurement("pooling"),
    "proposals": Measurement("deconvnet", gpu=("--width", "1"), takes_dtype=False),
    "mixed_sizes": Measurement(
        "mixed_sizes",
        cpu=("--width", "1", "--images", "12", "--batch", "1"),
        gpu=("--width", "1", "--images", "200"),
        takes_dtype=False,
    ),
    "startup": Measurement("startup", takes_dtype=False, on=("cpu",), stops=True),
    **{f"startup_{net}": _startup(net) for net in GPU_STEPS},
    "crf": Measurement("crf", gpu=("--no-peer",), takes_dtype=False, gpu_seconds=90),
    "rates": Measurement("roofline.rates", gpu=("--side", "8192")),
    "device_parity": Measurement("device_parity", takes_dtype=False, on=("gpu",)),
    "determinism": Measurement(
        "determinism", gpu=("--limit", "140"), on=("gpu",), gpu_seconds=150
    ),
    "kill_and_resume": Measurement(
        "kill_and_resume",
        gpu=("--kills", "3", "--steps", "60", "--deterministic"),
        takes_dtype=False,
        on=("gpu",),
        gpu_seconds=120,
    ),
    "input_pipeline": Measurement(
        "input_pipeline",
        gpu=("--workers", "16", "--crop", "352", "480", "--goal", "1000"),
        takes_dtype=False,
    ),
    "convolutions": Measurement("convolutions", takes_dtype=False, on=("cpu",)),
    "stages": Measurement("roofline.stages", gpu=("--batch", "8")),
    **_by_net("candidates", 140, stops=True),
    **_by_net("operations", 115),
    "tuning": Measurement("tuning", on=("gpu",), gpu_seconds=210, stops=True),
    "camvid": Measurement(
        "run_log", gpu=("runs/camvid_gpu",), takes_dtype=False, on=("gpu",)
    ),
}


def measure(name, arguments, left):
    """What the script of one measurement prints, or why there is nothing.

    Args:
        name: A key of `MEASUREMENTS`.
        arguments: Of the command line.
        left: Seconds that are left for all.
    """
    what = MEASUREMENTS[name]
    command = [sys.executable, "-m", f"benchmarks.{what.script}"]
    options = _options(name, what, arguments)
    on_gpu = arguments.device == "gpu"
    own = math.inf if arguments.smoke else 60 * what.minutes
    own = what.gpu_seconds if on_gpu and not arguments.smoke else own
    if what.sides and on_gpu:
        found, end = {}, time.monotonic() + left
        for side in what.sides:
            seconds = min(own, end - time.monotonic())
            alone = [*command, *options, "--sides", side]
            found[side] = _printed_by(alone, arguments, seconds)
        report = rows.joined(found)
    elif what.stops:
        report = _known_by([*command, *options], arguments, own, left)
    else:
        report = _printed_by([*command, *options], arguments, min(own, left))
    return report | {"arguments": options}


def _options(name, what, arguments):
    """The arguments of a measurement's script."""
    if not arguments.smoke:
        options = list(what.gpu if arguments.device == "gpu" else what.cpu)
        dtype = arguments.dtype or DTYPES[arguments.device]
        return options + (["--dtype", dtype] if what.takes_dtype else [])
    options = ["--smoke"]
    if what.script == "networks":
        net, task = name.split("_")
        options += ["--model", net, "--task", task]
    if "--net" in what.gpu:
        options += ["--net", what.gpu[what.gpu.index("--net") + 1]]
    if what.script == "run_log":
        options = ["runs/camvid_smoke"]
    return options


def _known_by(command, arguments, own, left):
    """What a script knows that stops by itself, also where it had to be ended."""
    most = min(_AT_MOST * own, left)
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder, "report.json")
        options = ["--out", str(known), "--started", str(time.time())]
        if not math.isinf(most):
            options += ["--limit", f"{min(own, _STOPS_AT * most):.1f}"]
        report = _printed_by([*command, *options], arguments, most)
        if rows.says_nothing(report) and known.exists():
            before = json.loads(known.read_text())
            return before | {"stopped": report["unmeasured"]}
    return report


def _printed_by(command, arguments, seconds):
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
    answer = processes.run(
        command, environment, None if math.isinf(seconds) else seconds
    )
    if answer.status is None:
        return {"unmeasured": f"stopped after {seconds:.0f} s"}
    try:
        # Some say by their status that what they found is not good.
        return json.loads(answer.stdout)
    except ValueError:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        return {"unmeasured": f"status {answer.status}: {last}"}


def _has_gpu():
    return default_device() == "gpu"


@functools.cache
def default_device():
    """That of JAX, asked in another process, which gives its memory back."""
    code = "import jax; print(jax.default_backend())"
    answer = subprocess.check_output([sys.executable, "-c", code], text=True)
    return "gpu" if answer.split()[-1] == "gpu" else "cpu"


def main():
    start = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=tuple(MEASUREMENTS), nargs="+", default=None)
    parser.add_argument("--device", choices=("cpu", "gpu"))
    parser.add_argument("--dtype", choices=("float32", "bfloat16"))
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds in all")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    found = {}
    for device in ("cpu", "gpu"):
        path = arguments.out / f"speed_{device}.json"
        found[device] = json.loads(path.read_text()) if path.exists() else {}
    if not arguments.render:
        device = arguments.device = arguments.device or default_device()
        measure_all(arguments, found[device], start + arguments.limit)
    page = performance_report.render(found)
    files.write_text(arguments.out / "performance.md", page)
    performance_report.plot(found, arguments.out / "speed.png")
    print(json.dumps(found, indent=2))


def measure_all(arguments, found, end):
    """Measure what is asked for; write it after each; tell what was not.

    Args:
        arguments: Of the command line.
        found: What was measured on the device, by name; is changed.
        end: When the time is up, by the monotonic clock.
    """
    device, missing = arguments.device, {}
    names = [name for name, what in MEASUREMENTS.items() if device in what.on]
    for name in arguments.only or names:
        start = time.monotonic()
        report = measure(name, arguments, end - start)
        missing[name] = rows.keep(found, name, report)
        seconds = time.monotonic() - start
        print(f"{name}: {missing[name] or 'done'} ({seconds:.0f} s)", file=sys.stderr)
        files.write_json(arguments.out / f"speed_{device}.json", found)
    whole = sum(not why for why in missing.values())
    print(f"in whole: {whole} of {len(missing)} rows", file=sys.stderr)
    for name, why in missing.items():
        if why:
            print(f"not in whole: {name}: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
