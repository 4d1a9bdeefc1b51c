"""Whether two runs of one config end with the same bits on this device, and its price.

python -m benchmarks.determinism             # 60 steps of FCN-8s on the shapes
python -m benchmarks.determinism --limit=150 # what finds time in 150 seconds
python -m benchmarks.determinism --smoke     # two steps of a tiny net

Trains by `fcn_jax train`, each time in a process of its own with a compilation cache
of its own, so that nothing that one has compiled or timed is known to the next: twice
with `deterministic`; once more with it, in a directory that holds the algorithms of
the first, as a run that goes on elsewhere has them; and twice as the config stands.
Compares the SHA-256 of the parameters. Each run is told on the standard error when it
has ended. Prints JSON: by way the digests, whether they are equal, and the images a
second in the second half of each run, as its log has them; `cost`, the rate with
`deterministic` as a fraction of that without. What found no time says so. The exit
status is 1 where runs with `deterministic` differ.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import machine

# By way: whether it is deterministic, and its runs, the most telling first.
WAYS = {
    "deterministic": (True, ("first", "second")),
    "resumed": (True, ("again",)),
    "as_is": (False, ("one", "other")),
}


def command(workdir: Path, arguments: argparse.Namespace, deterministic: bool):
    """What is run: the demo's config at full width, or a tiny one."""
    options = {
        "deterministic": deterministic,
        "num_steps": arguments.steps,
        "num_pictures": 0,
        "log_every": max(1, arguments.steps // 10),
        "checkpoint_every": arguments.steps,
        "eval_every": arguments.steps,
        "model.width": arguments.width,
        "model.dtype": arguments.dtype,
    }
    flags = [f"--config.{key}={value}" for key, value in options.items()]
    name = "--config=shapes_fcn8s" + (":smoke" if arguments.smoke else "")
    return [
        *(sys.executable, "-m", "fcn_jax", "train"),
        *(name, f"--workdir={workdir}", *flags),
    ]


def run(
    workdir: Path, arguments: argparse.Namespace, deterministic: bool, seconds: float
):
    """One run, with a compilation cache of its own.

    Args:
        workdir: Of the run; the cache is beside it.
        arguments: Of the command line.
        deterministic: Whether the config is.
        seconds: After which it is ended.

    Returns:
        The digest of its parameters, and images a second; None for both: no time.
    """
    cache = workdir.with_name(f"{workdir.name}_cache")
    try:
        subprocess.run(
            command(workdir, arguments, deterministic),
            env=os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)},
            check=True,
            stdout=sys.stderr,
            timeout=None if math.isinf(seconds) else max(0.1, seconds),
        )
    except subprocess.TimeoutExpired:
        return None, None
    digest = json.loads((workdir / "result.json").read_text())["params_sha256"]
    log = map(json.loads, (workdir / "log.jsonl").read_text().splitlines())
    rates = [
        row["images_per_second"] for row in log if row.get("images_per_second", 0) > 0
    ]
    late = rates[len(rates) // 2 :]
    return digest, statistics.median(late) if late else None


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, dict]:
    """All runs for which there is time.

    Args:
        folder: For their directories.
        arguments: Of the command line.

    Returns:
        By way `sha256`, `equal` and `images_per_second`, or `unmeasured`.
    """
    end, report = time.monotonic() + arguments.limit, {}
    for way, (deterministic, names) in WAYS.items():
        found = []
        for name in names:
            workdir = folder / name
            if way == "resumed" and (folder / "first" / "autotuning").is_dir():
                shutil.copytree(folder / "first" / "autotuning", workdir / "autotuning")
            left = end - time.monotonic()
            digest, rate = run(workdir, arguments, deterministic, left)
            if digest is None:
                break
            found.append((digest, rate))
            told = {"way": way, "run": name, "sha256": digest, "rate": rate}
            print(json.dumps(told), file=sys.stderr, flush=True)
        report[way] = _compared(way, found, report)
    return report


def _compared(way: str, found: list, report: dict[str, dict]) -> dict:
    """What the runs of a way say together; of a resumed one with the first."""
    if len(found) < len(WAYS[way][1]):
        return {"unmeasured": "no time was left for it"}
    digests, rates = zip(*found, strict=True)
    if way == "resumed":
        digests = (report["deterministic"]["sha256"][0], *digests)
    return {
        "sha256": digests,
        "equal": len(set(digests)) == 1,
        "images_per_second": rates,
    }


def cost(report: dict[str, dict]) -> float | None:
    """The rate with `deterministic` as a fraction of that without; None: not known."""
    means = []
    for way in ("deterministic", "as_is"):
        rates = [r for r in report[way].get("images_per_second", ()) if r]
        if not rates:
            return None
        means.append(statistics.mean(rates))
    return round(means[0] / means[1], 3)


def main() -> None:
    """Run what the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--limit", type=float, default=math.inf, help="seconds in all")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.steps, arguments.width = 2, 1 / 32
    report = dict(vars(arguments)) | {
        "limit": None if math.isinf(arguments.limit) else arguments.limit
    }
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments)
    report |= found | {"cost": cost(found)} | machine.describe()
    print(json.dumps(report, indent=2))
    exact = (found["deterministic"], found["resumed"])
    sys.exit(any(each.get("equal") is False for each in exact))


if __name__ == "__main__":
    main()
