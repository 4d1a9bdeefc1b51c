"""Whether two runs of one config end with the same bits on this device.

python -m benchmarks.determinism             # 60 steps of FCN-8s on the shapes
python -m benchmarks.determinism --smoke     # two steps of a tiny net

Trains twice by `fcn_jax train` in processes of their own, as the config stands, and
twice with `deterministic`; compares the SHA-256 of the parameters. Prints JSON: for
both ways the digests, whether they are equal, and the images a second in the second
half of each run, as its log has them.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import machine


def command(workdir: Path, arguments: argparse.Namespace, deterministic: bool):
    """What is run: the demo's config at full width, or a tiny one."""
    options = {
        "deterministic": deterministic,
        "num_steps": arguments.steps,
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


def run(workdir: Path, arguments: argparse.Namespace, deterministic: bool):
    """One run: (the digest of its parameters, images a second)."""
    subprocess.run(
        command(workdir, arguments, deterministic), check=True, stdout=sys.stderr
    )
    digest = json.loads((workdir / "result.json").read_text())["params_sha256"]
    log = [json.loads(line) for line in (workdir / "log.jsonl").open()]
    rates = [
        row["images_per_second"] for row in log if row.get("images_per_second", 0) > 0
    ]
    late = rates[len(rates) // 2 :]
    return digest, statistics.median(late) if late else None


def main() -> None:
    """Run what the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.steps, arguments.width = 2, 1 / 32
    report = dict(vars(arguments))
    with tempfile.TemporaryDirectory() as folder:
        for name, deterministic in (("as_is", False), ("deterministic", True)):
            runs = [
                run(Path(folder, f"{name}_{i}"), arguments, deterministic)
                for i in range(2)
            ]
            digests, rates = zip(*runs, strict=True)
            report[name] = {
                "sha256": digests,
                "equal": len(set(digests)) == 1,
                "images_per_second": rates,
            }
    report |= machine.describe()
    print(json.dumps(report, indent=2))
    sys.exit(not report["deterministic"]["equal"])


if __name__ == "__main__":
    main()
