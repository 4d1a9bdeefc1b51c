"""What compiling waits for on a GPU: a training step by flags of XLA's autotuning.

python -m benchmarks.tuning                     # FCN-8s, 8 of 500x500, bfloat16
python -m benchmarks.tuning --limit 200 --each 90
python -m benchmarks.tuning --smoke             # a tiny net, any device
python -m benchmarks.tuning --best docs/speed_gpu.json    # of a run before

Each way, the most telling first, is `benchmarks.networks` in a process of its own with
a compilation cache of its own, empty before: a folder of its name in
$JAX_COMPILATION_CACHE_DIR, where what it compiled and tuned stays for who goes on with
its flags. Prints JSON: by way the flags, the milliseconds of a step, the seconds until
it was ready, compilation and all, or why there are none; and `best`: of the ways whose
step is within a twentieth of the fastest, the one that was ready first. --best prints
what another run found so: the name of the way, and its flags.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import machine, time_limits

# The most telling first.
WAYS = {
    "reproducible": "--xla_gpu_exclude_nondeterministic_ops=true",
    "reproducible_unchecked": (
        "--xla_gpu_exclude_nondeterministic_ops=true --xla_gpu_autotune_level=1"
    ),
    "unchecked": "--xla_gpu_autotune_level=1",
    "as_is": "",
}
_AS_FAST = 1.05  # Times the fastest step: more than rounds differ by.
_STEP = ("--model", "fcn8s", "--size", "500", "500", "--batch", "8", "--repeats", "10")


def run(flags, cache, arguments, seconds):
    """What `benchmarks.networks` prints of ours by these flags.

    Raises:
        subprocess.TimeoutExpired: If that many seconds did not suffice.
        subprocess.CalledProcessError: If it fails.
    """
    step = ("--smoke",) if arguments.smoke else _STEP
    options = ("--task", "training", "--sides", "ours", "--dtype", arguments.dtype)
    environment = os.environ | {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.networks", *options, *step],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds,
    )
    return json.loads(answer.stdout)


def of_way(flags, cache, arguments):
    """A way: what was measured, or why nothing was."""
    seconds = min(arguments.each, time_limits.left(arguments))
    if seconds < 1:
        return {"flags": flags, "unmeasured": "no time was left for it"}
    shutil.rmtree(cache, ignore_errors=True)
    try:
        report = run(flags, cache, arguments, seconds)
    except subprocess.TimeoutExpired:
        return {"flags": flags, "unmeasured": f"stopped after {seconds:.0f} s"}
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        return {"flags": flags, "unmeasured": f"status {error.returncode}: {last}"}
    return {
        "flags": flags,
        "ms": round(1e3 * report["seconds"]["ours"], 3),
        "prepared_s": report["prepared_s"]["ours"],
        "device_peak_mib": report["device_peak_mib"],
    }


def best(ways):
    """The name of the best way; None: none was measured.

    Args:
        ways: By name, as `of_way` describes them.
    """
    timed = {name: each for name, each in ways.items() if "ms" in each}
    if not timed:
        return None
    most = _AS_FAST * min(each["ms"] for each in timed.values())
    fast = [name for name, each in timed.items() if each["ms"] <= most]
    return min(fast, key=lambda name: timed[name]["prepared_s"])


def described(ways):
    """The report of ways, of which some may be unmeasured.

    Args:
        ways: By name, as `of_way` describes them.
    """
    report = {"ways": ways, "best": best(ways)}
    if report["best"] is None:
        first = next(iter(ways))
        report["unmeasured"] = f"{first}: {ways[first]['unmeasured']}"
    return report


def found_best(path):
    """The name and the flags that a run before found best, in a line; "": none was."""
    found = json.loads(Path(path).read_text()) if Path(path).exists() else {}
    report = found.get("tuning", {})
    name = report.get("best")
    return f"{name} {report['ways'][name]['flags']}".strip() if name else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--each", type=float, default=140, help="seconds of a way")
    parser.add_argument("--best", type=Path, help="of this file; measure nothing")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    time_limits.add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.best:
        print(found_best(arguments.best))
        return
    ways_asked = tuple(WAYS)
    if arguments.smoke:
        arguments.each, ways_asked = float("inf"), ("reproducible", "as_is")
    about = time_limits.told(arguments)
    del about["best"], about["each"]
    ways = {
        name: {"flags": WAYS[name], "unmeasured": "was not come to"}
        for name in ways_asked
    }
    with tempfile.TemporaryDirectory() as folder:
        caches = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or folder)
        for name in ways_asked:
            ways[name] = of_way(WAYS[name], caches / name, arguments)
            print(f"{name}: {ways[name]}", file=sys.stderr)
            time_limits.keep(arguments, about | described(ways))
    time_limits.finish(arguments, about | described(ways) | machine.describe())


if __name__ == "__main__":
    main()
