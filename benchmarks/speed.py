"""Everything that is timed, in one run: JSON, a table and a plot.

python -m benchmarks.speed                              # everything, on JAX's device
python -m benchmarks.speed --only fcn8s_training pooling
python -m benchmarks.speed --device gpu --dtype bfloat16
python -m benchmarks.speed --render                     # the page from the JSON alone
python -m benchmarks.speed --smoke --out /tmp/speed

Each measurement is a process of its own: a script of this folder with its arguments,
which times ours and PyTorch's sides in turns. What it prints goes into
OUT/speed_<device>.json, where it replaces the measurement of that name and leaves the
others; from these files OUT/performance.md and OUT/speed.png are written. What fails or
takes too long is recorded as unmeasured, with the reason. Prints the JSON.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.reports import performance_report
from fcn_jax.storage import files

HERE = Path(__file__).parent
FCN8S = ("--model", "fcn8s", "--size", "320", "320")
DECONVNET = ("--model", "deconvnet", "--size", "224", "224")


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A script and its arguments.

    Attributes:
        script: Name of the file in this folder.
        cpu: Arguments on a CPU.
        gpu: Arguments on a GPU.
        takes_dtype: Whether there is an option --dtype.
        minutes: After which it is stopped.
    """

    script: str
    cpu: tuple[str, ...] = ()
    gpu: tuple[str, ...] = ()
    takes_dtype: bool = True
    minutes: float = 15


def _networks(net, task):
    """Both sides of a net; a batch that two cores and 12 GB can do."""
    task = ("--task", task, *net)
    small = ("--batch", "1") if net is FCN8S else ("--batch", "2", "--width", "0.5")
    return Measurement("networks", (*task, *small), (*task, "--batch", "8"))


def _memory(net, task, side):
    """One side alone, for the peak of its memory."""
    both = _networks(net, task)
    alone = ("--sides", side, "--repeats", "1")
    return dataclasses.replace(both, cpu=both.cpu + alone, gpu=both.gpu + alone)


NETS = {"fcn8s": FCN8S, "deconvnet": DECONVNET}
TASKS = ("inference", "training")
MEASUREMENTS = {
    **{f"{n}_{t}": _networks(net, t) for n, net in NETS.items() for t in TASKS},
    "proposals": Measurement("deconvnet", gpu=("--width", "1"), takes_dtype=False),
    "pooling": Measurement("pooling"),
    "mixed_sizes": Measurement(
        "mixed_sizes",
        cpu=("--width", "1", "--images", "12", "--batch", "1"),
        gpu=("--width", "1", "--images", "200"),
        takes_dtype=False,
    ),
    "crf": Measurement("crf", takes_dtype=False),
    "input_pipeline": Measurement("input_pipeline", takes_dtype=False),
    "startup": Measurement("startup", takes_dtype=False),
    "convolutions": Measurement("convolutions", takes_dtype=False),
    "stages": Measurement("roofline.stages", gpu=("--batch", "8")),
    **{
        f"memory_{n}_{t}_{side}": _memory(net, t, side)
        for n, net in NETS.items()
        for t in TASKS
        for side in ("ours", "pytorch", "pytorch_compiled")
    },
}


def measure(name, arguments):
    """What the script of one measurement prints, or why there is nothing."""
    what = MEASUREMENTS[name]
    module = f"benchmarks.{what.script}"
    if importlib.util.find_spec(module) is None:
        return {"unmeasured": f"there is no {module}"}
    if arguments.smoke:
        options = ["--smoke"]
        if what.script == "networks":
            at = what.cpu.index("--model")
            options += [*what.cpu[at : at + 2], "--task", name.split("_")[-1]]
            if name.startswith("memory"):
                side, task = what.cpu[what.cpu.index("--sides") + 1], what.cpu[1]
                options = [*options[:-1], task, "--sides", side]
    else:
        options = list(what.gpu if arguments.device == "gpu" else what.cpu)
        if what.takes_dtype:
            options += ["--dtype", arguments.dtype]
    environment = os.environ | {
        "JAX_PLATFORMS": {"cpu": "cpu", "gpu": "cuda"}[arguments.device],
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONPATH": str(HERE.parent),
    }
    command = [sys.executable, "-m", module, *options]
    try:
        answer = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60 * what.minutes,
        )
    except subprocess.TimeoutExpired:
        return {"unmeasured": f"stopped after {what.minutes:g} minutes"}
    if answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        return {"unmeasured": f"status {answer.returncode}: {last}"}
    return json.loads(answer.stdout) | {"arguments": options}


def default_device():
    """That of JAX, asked in another process, which gives its memory back."""
    code = "import jax; print(jax.default_backend())"
    answer = subprocess.check_output([sys.executable, "-c", code], text=True)
    return "gpu" if answer.split()[-1] == "gpu" else "cpu"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=tuple(MEASUREMENTS), nargs="+", default=None)
    parser.add_argument("--device", choices=("cpu", "gpu"))
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    found = {}
    for device in ("cpu", "gpu"):
        path = arguments.out / f"speed_{device}.json"
        found[device] = json.loads(path.read_text()) if path.exists() else {}
    if not arguments.render:
        arguments.device = arguments.device or default_device()
        for name in arguments.only or MEASUREMENTS:
            print(name, file=sys.stderr)
            found[arguments.device][name] = measure(name, arguments)
            files.write_json(
                arguments.out / f"speed_{arguments.device}.json",
                found[arguments.device],
            )
    page = performance_report.render(found)
    files.write_text(arguments.out / "performance.md", page)
    performance_report.plot(found, arguments.out / "speed.png")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
