"""This checkout against another on one machine, in turns: what has become slower?

git worktree add ../before REV
python -m benchmarks.paired --against ../before                # a table, and JSON
python -m benchmarks.paired --against ../before --rows fcn8s_training --rounds 7

Every row is a process of its own in each checkout, one after the other and the order
turned round each time, so that other work on the machine slows both alike. Of the
rounds' ratios (here / there) the median is printed; above 1 this checkout is slower.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Row(NamedTuple):
    """What is run, and where in its JSON the seconds are."""

    script: str
    arguments: tuple[str, ...]
    seconds: Callable[[Any], float]


OURS = ("--sides", "ours", "--repeats", "5")
DECONVNET = ("--model", "deconvnet", "--size", "224", "224", "--batch", "2")
ROWS = {
    "fcn8s_training": Row("networks", OURS, lambda r: r["seconds"]["ours"]),
    "deconvnet_training": Row(
        "networks",
        (*OURS, *DECONVNET, "--width", "0.5"),
        lambda r: r["seconds"]["ours"],
    ),
    # Of the processor: what a wall clock says depends on who else is busy.
    "input_pipeline": Row(
        "input_pipeline",
        ("--images", "400", "--repeats", "5"),
        lambda r: r["kinds"]["flip_scale_crop"]["cpu_ms_per_image"] / 1e3,
    ),
    "import": Row(
        "startup",
        ("--size", "64", "--width", "0.0625", "--repeats", "5"),
        lambda r: r["import"]["seconds"],
    ),
    "startup": Row(
        "startup",
        ("--size", "64", "--width", "0.0625", "--repeats", "3"),
        lambda r: r["warm"]["seconds"],
    ),
}


def measure(root: Path, row: Row) -> float:
    """Run a row in a checkout; its seconds."""
    is_package = (root / "benchmarks" / "__init__.py").exists()
    if is_package:
        command = [sys.executable, "-m", f"benchmarks.{row.script}"]
    else:
        command = [sys.executable, f"benchmarks/{row.script}.py"]
    output = subprocess.check_output(
        [*command, *row.arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        text=True,
    )
    return row.seconds(json.loads(output[output.index("{") :]))


def compare(against: Path, row: Row, rounds: int) -> dict[str, Any]:
    """Medians of both sides and of their ratio, round by round."""
    pairs = []
    for number in range(rounds):
        sides = [("here", ROOT), ("there", against)]
        if number % 2:
            sides.reverse()
        pairs.append({name: measure(root, row) for name, root in sides})
    ratios = [pair["here"] / pair["there"] for pair in pairs]
    return {
        "here": statistics.median(pair["here"] for pair in pairs),
        "there": statistics.median(pair["there"] for pair in pairs),
        "ratio": statistics.median(ratios),
        "ratios": [round(ratio, 3) for ratio in ratios],
    }


def main() -> None:
    """Measure the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, required=True, help="a checkout")
    parser.add_argument("--rows", choices=ROWS, nargs="+", default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if not (arguments.against / "fcn_jax").is_dir():
        parser.error(f"--against={arguments.against} is no checkout of fcn_jax.")
    results = {}
    print(f"{'row':<20}{'here':>10}{'there':>10}{'ratio':>8}   of each round")
    for name in arguments.rows:
        found = compare(arguments.against.resolve(), ROWS[name], arguments.rounds)
        results[name] = found
        print(
            f"{name:<20}{found['here']:>9.4f}s{found['there']:>9.4f}s"
            f"{found['ratio']:>8.3f}   {found['ratios']}",
            flush=True,
        )
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
