"""Kill a training run with SIGKILL at random moments; show that nothing is lost.

python -m benchmarks.kill_and_resume --kills=100
python -m benchmarks.kill_and_resume --kills=5 --steps=60 --deterministic   # a GPU
python -m benchmarks.kill_and_resume --smoke                                # one kill

Trains FCN-8s (tiny, with dropout, BatchNorm and augmentation) once without
interruption, then again in a fresh workdir while killing the process, its saves
included, at random moments and starting the same command again; on a GPU with
`deterministic`, without which no two runs end alike there. Prints JSON: whether
the parameters at the end are bit-identical, whether the log holds each step once,
whether a process was left behind, and the machine. Exit status 1 if any of it fails.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import machine

ROOT = Path(__file__).resolve().parent.parent
OVERRIDES = (
    "--config.num_steps={steps}",
    "--config.log_every=1",
    "--config.eval_every=40",
    "--config.checkpoint_every=4",
    "--config.batch_size=4",
    "--config.num_pictures=1",
)


def command(workdir: Path, steps: int, deterministic: bool) -> list[str]:
    return [
        sys.executable,
        str(ROOT / "train.py"),
        f"--config={ROOT / 'configs' / 'shapes_fcn8s.py'}:smoke",
        f"--workdir={workdir}",
        *(option.format(steps=steps) for option in OVERRIDES),
        f"--config.deterministic={deterministic}",
    ]


def run(
    workdir: Path, steps: int, seconds: float | None, deterministic: bool = False
) -> bool:
    """Run to the end, or kill after `seconds`; returns whether it got to the end."""
    with (workdir.parent / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            command(workdir, steps, deterministic),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return False
    if status:
        sys.exit(f"exit status {status}; see {workdir.parent / 'output.txt'}")
    return True


def left_behind(group_marker: str) -> list[str]:
    """Command lines of living processes that mention the workdir."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if group_marker in line and "kill_and_resume" not in line:
            found.append(line)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deterministic", action="store_true", help="in the config")
    parser.add_argument("--smoke", action="store_true", help="one kill, six steps")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.kills, arguments.steps = 1, 6
    exact = arguments.deterministic
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "a").mkdir()
        (folder / "b").mkdir()
        whole, killed = folder / "a" / "run", folder / "b" / "run"
        start = time.monotonic()
        run(whole, arguments.steps, None, exact)
        length = time.monotonic() - start
        moments, done, restarts = [], False, 0
        while len(moments) < arguments.kills:
            if done:  # It got to the end between two kills: once more, afresh.
                restarts += 1
                killed = folder / "b" / f"run{restarts}"
            moment = rng.uniform(0, 0.8 * length)
            fresh, start = not killed.exists(), time.monotonic()
            done = run(killed, arguments.steps, moment, exact)
            if not done:
                moments.append(round(moment, 2))
                print(f"kill {len(moments)} after {moment:.1f} s", file=sys.stderr)
            elif fresh:  # The machine has less else to do than it had.
                length = min(length, time.monotonic() - start)
        while not done:
            done = run(killed, arguments.steps, None, exact)
        runs = [killed, *(folder / "b").glob("run*")]
        expected = json.loads((whole / "result.json").read_text())
        results = [json.loads((r / "result.json").read_text()) for r in set(runs)]
        logs = [(r / "log.jsonl").read_text().splitlines() for r in set(runs)]
        steps = [
            [e["step"] for e in map(json.loads, log) if e["kind"] == "train"]
            for log in logs
        ]
        report = {
            "deterministic": exact,
            "kills": len(moments),
            "runs": len(results),
            "seconds_uninterrupted": round(length, 1),
            "params_sha256": expected["params_sha256"],
            "bit_identical": all(
                r["params_sha256"] == expected["params_sha256"] for r in results
            ),
            "losses_identical": all(
                r["final_loss"] == expected["final_loss"] for r in results
            ),
            "each_step_once": all(
                s == list(range(1, arguments.steps + 1)) for s in steps
            ),
            "left_behind": left_behind(str(folder)),
            **machine.describe(),
        }
    print(json.dumps(report, indent=2))
    good = report["bit_identical"] and report["losses_identical"]
    sys.exit(not (good and report["each_step_once"] and not report["left_behind"]))


if __name__ == "__main__":
    main()
