"""How long until something happens: importing, and the first training step.

python -m benchmarks.startup             # FCN-8s on VGG-16, one 320x320 image
python -m benchmarks.startup --net deconvnet --size 224 --batch 64 --dtype bfloat16
python -m benchmarks.startup --smoke     # a tiny net, to see that it works

Every figure is from a fresh process. `import`: `import fcn_jax`; `create`: that and
`fcn_jax.create("fcn8s", 21)`, which loads JAX and Flax. `cold` and `warm`: from the
start of the process to the end of the first training step as train.py takes it, with
an empty compilation cache and with the one that this left; `stages` says where the
time went. A first step that --limit does not suffice for is unmeasured, and says how
long it took at least. With --share what the cold start compiled and tuned is put into
$JAX_COMPILATION_CACHE_DIR, where other measurements find it, even if it was stopped.
Prints JSON: medians in seconds.
"""

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.common import machine, time_limits

# Seconds, by JAX's name of the device.
GOALS = {
    "cpu": {"import": 2.0, "warm": 15.0},
    "gpu": {"import": 2.0, "cold": 30.0, "warm": 8.0},
}
IMPORT = "import fcn_jax"
CREATE = "import fcn_jax; fcn_jax.create('fcn8s', 21)"


def first_step(arguments):
    """In a fresh process: train one step; print when each stage was done."""
    stages = {"interpreter": time.time() - arguments.began}
    last = time.perf_counter()

    def done(stage):
        nonlocal last
        now = time.perf_counter()
        stages[stage], last = now - last, now

    import jax

    from benchmarks.common import steps
    from fcn_jax import runtime

    runtime.prepare(arguments.cache)
    devices = jax.local_devices()[:1]
    done("imports")
    case = dataclasses.replace(
        steps.CASES[arguments.net],
        batch=arguments.batch,
        size=(arguments.size, arguments.size),
        width=arguments.width,
    )
    step = steps.build_step(case, "training", devices, arguments.dtype)
    state, batch = steps.example_arguments(step, devices)
    jax.block_until_ready(state)
    done("variables")
    compiled = step.function.lower(state, batch).compile()
    done("compile")
    jax.block_until_ready(compiled(state, batch))
    done("step")
    total = time.time() - arguments.began
    print(json.dumps({"total": total, "stages": stages}))


def first_step_apart(arguments, cache):
    """`first_step` in a process of its own, its clock started before that.

    Raises:
        subprocess.TimeoutExpired: If the time was up before.
    """
    command = [sys.executable, "-m", __spec__.name, "--cache", cache]
    for name in ("net", "size", "batch", "width", "dtype"):
        command += [f"--{name}", str(getattr(arguments, name))]
    left = time_limits.left(arguments)
    output = subprocess.check_output(
        [*command, "--began", str(time.time())],
        text=True,
        timeout=left if left < float("inf") else None,
    )
    return json.loads(output.splitlines()[-1])


def first_steps(arguments, cache, report):
    """`cold` and `warm` of a report, as far as the time goes."""
    for name, repeats in (("cold", 1), ("warm", arguments.repeats)):
        runs, start = [], time.monotonic()
        report[name] = {"unmeasured": "no time was left for it"}
        try:
            while len(runs) < repeats and time_limits.left(arguments) > 0:
                start = time.monotonic()
                runs.append(first_step_apart(arguments, cache))
                report[name] = summary(runs)
                time_limits.keep(arguments, report)
        except subprocess.TimeoutExpired:
            if not runs:
                late = f"not done after {time.monotonic() - start:.0f} s"
                report[name] = {"unmeasured": late}
            return


def seconds_of(statement):
    """How long a statement takes in a fresh interpreter, which has started already."""
    code = (
        f"import time; start = time.perf_counter(); {statement}; "
        f"print(time.perf_counter() - start)"
    )
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    return float(output.splitlines()[-1])


def summary(runs):
    """Medians of the totals and of every stage."""
    median = {
        stage: round(statistics.median(run["stages"][stage] for run in runs), 3)
        for stage in runs[0]["stages"]
    }
    totals = [run["total"] for run in runs]
    return {
        "seconds": round(statistics.median(totals), 3),
        "runs": [round(total, 3) for total in totals],
        "stages": median,
    }


def imports(arguments, report):
    """`import` and `create` of a report."""
    for name, statement in (("import", IMPORT), ("create", CREATE)):
        seconds_of(statement)  # Until the files are in memory, and compiled.
        runs = [seconds_of(statement) for _ in range(arguments.repeats)]
        report[name] = {"seconds": round(statistics.median(runs), 3)}


def held_against(goals, report):
    """By name: the goal, and whether it is met; of what was measured."""
    return {
        name: {"seconds": goal, "met": report[name]["seconds"] < goal}
        for name, goal in goals.items()
        if "seconds" in report.get(name, {})
    }


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=("fcn8s", "deconvnet"), default="fcn8s")
    parser.add_argument("--size", type=int, default=320, help="of the images' sides")
    parser.add_argument("--batch", type=int, default=1, help="images")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=int, default=5, help="of imports and warm")
    parser.add_argument("--share", action="store_true", help="what the cold one made")
    parser.add_argument("--smoke", action="store_true", help="tiny, once")
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    time_limits.add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.size = 193 if arguments.net == "deconvnet" else 32
        arguments.width, arguments.batch, arguments.repeats = 1 / 64, 1, 1
    return arguments


def main():
    arguments = parse()
    if arguments.began:
        first_step(arguments)
        return
    report = time_limits.told(arguments)
    del report["cache"], report["began"]
    shared = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    with tempfile.TemporaryDirectory() as cache:
        first_steps(arguments, cache, report)
        if arguments.share and shared:
            shutil.copytree(cache, shared, dirs_exist_ok=True)
    if "seconds" not in report["cold"]:
        report["unmeasured"] = f"first step: {report['cold']['unmeasured']}"
    else:
        imports(arguments, report)
    time_limits.keep(arguments, report)
    report |= machine.describe()
    report["goals"] = held_against(GOALS.get(report["backend"], {}), report)
    time_limits.finish(arguments, report)


if __name__ == "__main__":
    main()
