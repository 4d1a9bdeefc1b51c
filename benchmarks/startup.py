"""How long until something happens: importing, and the first training step.

python -m benchmarks.startup             # FCN-8s on VGG-16, one 320x320 image
python -m benchmarks.startup --smoke     # a tiny net, to see that it works

Every figure is from a fresh process. `import`: `import fcn_jax`; `create`: that and
`fcn_jax.create("fcn8s", 21)`, which loads JAX and Flax. `cold` and `warm`: from the
start of the process to the end of the first training step as train.py takes it, with
an empty compilation cache and with the one that this left; `stages` says where the
time went. Prints JSON: medians in seconds.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.common import machine

GOALS = {"import": 2.0, "warm": 15.0}  # Seconds.
IMPORT = "import fcn_jax"
CREATE = "import fcn_jax; fcn_jax.create('fcn8s', 21)"


def first_step(arguments):
    """In a fresh process: train one step; print when each stage was done."""
    stages = {"interpreter": time.time() - arguments.started}
    last = time.perf_counter()

    def done(stage):
        nonlocal last
        now = time.perf_counter()
        stages[stage], last = now - last, now

    import jax
    import numpy as np

    import fcn_jax
    from fcn_jax import parallel, runtime, training
    from fcn_jax.training import optim

    runtime.prepare(arguments.cache)
    devices = jax.local_devices()[:1]
    done("imports")
    model = fcn_jax.create("fcn8s", 21, width=arguments.width)
    variables = training.init_variables(model, 0)
    optimizer = optim.caffe_sgd(1e-3, 0.9)
    state = training.create_state(variables, optimizer)
    state = parallel.replicate(state, devices)
    jax.block_until_ready(state)
    done("variables")
    rng = np.random.default_rng(0)
    shape = (1, arguments.size, arguments.size)
    batch = {
        "image": rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
        "labels": rng.integers(0, 21, shape, dtype=np.uint8),
    }
    batch = parallel.shard_batch(batch, devices)
    step = parallel.data_parallel(
        training.train_step,
        devices,
        donate=(0,),
        model=model,
        optimizer=optimizer,
        seed=0,
    )
    compiled = step.lower(state, batch).compile()
    done("compile")
    jax.block_until_ready(compiled(state, batch))
    done("step")
    total = time.time() - arguments.started
    print(json.dumps({"total": total, "stages": stages}))


def first_step_apart(arguments, cache):
    """`first_step` in a process of its own, its clock started before that."""
    command = [sys.executable, "-m", __spec__.name, "--size", str(arguments.size)]
    command += ["--width", str(arguments.width), "--cache", cache]
    output = subprocess.check_output(
        [*command, "--started", str(time.time())], text=True
    )
    return json.loads(output.splitlines()[-1])


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=320, help="of the image's sides")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5, help="of imports and warm")
    parser.add_argument("--smoke", action="store_true", help="tiny, once")
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.started:
        first_step(arguments)
        return
    if arguments.smoke:
        arguments.size, arguments.width, arguments.repeats = 32, 1 / 64, 1
    report = {"size": arguments.size, "width": arguments.width}
    for name, statement in (("import", IMPORT), ("create", CREATE)):
        seconds_of(statement)  # Until the files are in memory, and compiled.
        runs = [seconds_of(statement) for _ in range(arguments.repeats)]
        report[name] = {"seconds": round(statistics.median(runs), 3)}
    with tempfile.TemporaryDirectory() as cache:
        cold = [first_step_apart(arguments, cache)]
        warm = [first_step_apart(arguments, cache) for _ in range(arguments.repeats)]
    report["cold"], report["warm"] = summary(cold), summary(warm)
    report["goals"] = {
        name: {"seconds": goal, "met": report[name]["seconds"] < goal}
        for name, goal in GOALS.items()
    }
    report.update(machine.describe())
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
