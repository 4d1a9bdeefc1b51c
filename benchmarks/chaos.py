"""A training run under random faults: it ends as if nothing had been, or says why not.

python -m benchmarks.chaos --count=200 --out=chaos.json    # an hour on 2 cores
python -m benchmarks.chaos --count=10                      # some minutes

A tiny FCN-8s (dropout, BatchNorm, augmentation) is trained once without a fault. Then
the same command is started again and again, each time after or under a fault: killed at
a random moment, a storm of signals, a file of the newest checkpoint or of the directory
torn, flipped or gone, a second start, masks changed, another learning rate, a clock
that jumps, a full disk (where the system lets a small one be mounted). Whatever comes
of it must be one of two: the run goes on, and ends with the same parameters, bit for
bit, each step once in its log (what was torn out of that by hand cannot be made again,
and is said); or it ends with one line that says what is wrong, and goes on once that is
undone. Prints JSON; exit status 1 where neither was so.
"""

import argparse
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common.training_run import OWN_MOUNTS, STEPS, Ended, Run, wait

_ANSWERED = 20.0  # Seconds for a signal: five, and a busy machine.
_BEGUN = 300.0  # Seconds in which a process has begun to train, or ended.


def train(run: Run, process: subprocess.Popen[str], rng: random.Random) -> Ended:
    """Let a process come to training or to an end, and kill it some seconds later."""
    before, start = run.written(), time.monotonic()
    while process.poll() is None and run.written() == before:
        if time.monotonic() - start > _BEGUN:
            return Ended(99, f"nothing is logged yet: {wait(process, 0)}")
        time.sleep(0.05)
    return wait(process, rng.uniform(0, 9))


def kill(run: Run, rng: random.Random) -> Ended:
    """SIGKILL at a random moment, of the start or later."""
    if rng.random() < 0.5:
        return wait(run.start(), rng.uniform(2, 15))
    return train(run, run.start(), rng)


def storm(run: Run, rng: random.Random) -> Ended:
    """Several signals within a second; answered in time, by the documented status."""
    process = run.start()
    time.sleep(rng.uniform(3, 12))
    for _ in range(rng.randint(1, 4)):
        process.send_signal(rng.choice((signal.SIGTERM, signal.SIGINT)))
        time.sleep(rng.uniform(0, 0.3))
    asked = time.monotonic()
    ended = wait(process, 60)
    seconds = time.monotonic() - asked
    late = seconds > _ANSWERED
    if ended.refusal and not late:
        return ended
    if late or not is_an_answer(ended):
        return Ended(99, f"{ended.output}\nstatus {ended.code} after {seconds:.0f} s")
    return Ended(0, ended.output)


def is_an_answer(ended: Ended) -> bool:
    """Whether a process that was asked to stop says so in one line, or came to its end.

    Args:
        ended: How it ended.
    """
    told = ("terminated", "interrupted")
    answers = [n for n in ended.output.splitlines() if n.startswith(told)]
    # Before Python runs any of the code, the system's own answer.
    own = ended.code in (-signal.SIGTERM, -signal.SIGINT)
    asked = ended.code in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    count = 1 if asked else 0
    quiet = "Traceback" not in ended.output and len(answers) == count
    return (asked or own or ended.code == 0) and quiet


def tear(run: Run, rng: random.Random) -> Ended:
    """A file of the newest checkpoint cut off, flipped or gone."""
    steps = run.checkpoints()
    if not steps:
        return kill(run, rng)
    newest = run.workdir / "checkpoints" / str(max(steps))
    files = sorted(path for path in newest.rglob("*") if path.is_file())
    harm(rng.choice(files), rng)
    return train(run, run.start(), rng)


def lose(run: Run, rng: random.Random) -> Ended:
    """A file of the directory cut off, flipped or gone."""
    names = ("config.json", "log.jsonl", "checkpoints_scores.json")
    there = [run.workdir / name for name in names if (run.workdir / name).exists()]
    if there and rng.random() < 0.3:  # A run's end is seldom met by chance.
        ended = wait(run.start())
        if ended.code:
            return ended
        harm(run.workdir / "result.json", rng)
        ended = wait(run.start())
        if ended.code or run.finished():
            return ended
        return Ended(99, f"result.json was not written anew: {ended}")
    if there:
        harm(rng.choice(there), rng)
    return train(run, run.start(), rng)


def harm(path: Path, rng: random.Random) -> None:
    """Cut a file off, change a byte of it, or delete it."""
    content = bytearray(path.read_bytes())
    how = rng.choice(("cut", "flip", "delete"))
    if how == "delete" or not content:
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[: rng.randrange(len(content))])
    else:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)


def twice(run: Run, rng: random.Random) -> Ended:
    """A second start beside the first, which must be refused and do no harm."""
    first = run.start()
    time.sleep(rng.uniform(4, 8))
    if first.poll() is not None:
        return wait(first)
    second = wait(run.start(), 60)
    over = first.poll() is not None  # Then there was nothing to be refused.
    ended = wait(first, rng.uniform(4, 10))
    if not over and "is in use" not in second.refusal:
        return Ended(99, f"the second start: {second}")
    return ended if ended.code == 0 else Ended(-signal.SIGKILL, ended.output)


def other_data(run: Run, rng: random.Random) -> Ended:
    """A label of a training mask changed, once the run has begun."""
    if not run.checkpoints():
        return kill(run, rng)
    path = run.data / f"SegmentationClass/{rng.randrange(4)}.png"
    labels = np.array(Image.open(path))
    row, column = rng.randrange(24), rng.randrange(32)
    labels[row, column] = (labels[row, column] + 1) % 3
    Image.fromarray(labels).save(path)
    return train(run, run.start(), rng)


def other_rate(run: Run, rng: random.Random) -> Ended:
    """The same command with another learning rate, once the run has begun."""
    if not run.checkpoints():
        return kill(run, rng)
    return train(run, run.start("--config.optim.learning_rate=0.5"), rng)


def jump(run: Run, rng: random.Random) -> Ended:
    """A clock that is off by up to ten years."""
    return train(run, run.start(clock=rng.uniform(-3e8, 3e8)), rng)


def fill(run: Run, rng: random.Random) -> Ended:
    """A disk with little room left, or none."""
    if not run.is_small:
        return kill(run, rng)
    free = shutil.disk_usage(run.disk).free
    filler = run.disk / "filler"
    filler.write_bytes(bytes(max(0, free - rng.choice((0, 1 << 14, 1 << 20)))))
    ended = wait(run.start(), rng.uniform(8, 20))
    filler.unlink()
    return ended


FAULTS: dict[str, Callable[[Run, random.Random], Ended]] = {
    "kill": kill,
    "storm": storm,
    "tear": tear,
    "lose": lose,
    "twice": twice,
    "other_data": other_data,
    "other_rate": other_rate,
    "jump": jump,
    "fill": fill,
}


def main() -> None:
    """Train under faults, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    _in_its_own_mounts()
    rng, report = random.Random(arguments.seed), Report()
    try:
        with tempfile.TemporaryDirectory() as name:
            chaos(Path(name), arguments.count, rng, report)
    except BaseException as error:
        report.failures.append(f"the benchmark itself: {type(error).__name__}: {error}")
        raise
    finally:
        text = json.dumps(vars(report), indent=1)
        if arguments.out:
            arguments.out.write_text(text, "utf-8")
        print(text)
    sys.exit(bool(report.failures))


def _in_its_own_mounts() -> None:
    """Start again where mounts are seen by no other process, and end with this one."""
    unshare = shutil.which("unshare")
    if os.environ.get(OWN_MOUNTS) or not unshare:
        return
    tried = subprocess.run([unshare, "-m", "true"], capture_output=True, check=False)
    if tried.returncode:
        return
    os.environ[OWN_MOUNTS] = str(os.getpid())  # It stays that of what is started.
    again = [sys.executable, "-m", "benchmarks.chaos", *sys.argv[1:]]
    os.execv(unshare, [unshare, "-m", *again])


@dataclasses.dataclass
class Report:
    """What came of faults.

    Attributes:
        faults: How often each came.
        small_disk: Whether a disk could be filled.
        ended: How many runs came to their end.
        refusals: What was refused, and how often.
        failures: What was neither an end like that of an undisturbed run nor refused.
    """

    faults: Counter[str] = dataclasses.field(default_factory=Counter)
    small_disk: bool = False
    ended: int = 0
    refusals: Counter[str] = dataclasses.field(default_factory=Counter)
    failures: list[str] = dataclasses.field(default_factory=list)


def chaos(
    folder: Path, count: int, rng: random.Random, report: Report | None = None
) -> Report:
    """Train under faults.

    Args:
        folder: An empty one.
        count: Faults.
        rng: That chooses them.
        report: What is filled while they come; None: a new one.

    Returns:
        What came of them.
    """
    run = Run(folder)
    report = report or Report()
    report.small_disk = run.is_small
    try:
        _faults(run, count, rng, report)
    finally:
        run.close()
    return report


def _faults(run: Run, count: int, rng: random.Random, report: Report) -> None:
    whole = wait(run.start())
    expected = run.finished()
    assert expected, whole.output
    shutil.rmtree(run.workdir)
    kinds, refusals, failures = report.faults, report.refusals, report.failures
    told = False
    for number in range(count):
        kind = rng.choice(sorted(FAULTS))
        kinds[kind] += 1
        saved = run.folder / "before"
        shutil.rmtree(saved, ignore_errors=True)
        if run.workdir.exists():
            shutil.copytree(run.workdir, saved / "run")
        shutil.copytree(run.data, saved / "data")
        ended = FAULTS[kind](run, rng)
        told |= "log.jsonl has lost lines" in ended.output
        if ended.code in (0, -signal.SIGKILL):
            pass
        elif ended.refusal:
            refusals[f"{kind}: {ended.refusal.split('; ')[0][-160:]}"] += 1
            shutil.rmtree(run.workdir, ignore_errors=True)
            if (saved / "run").exists():
                shutil.copytree(saved / "run", run.workdir)
        else:
            failures.append(f"{number} {kind}: {ended.code} {ended.output[-1500:]}")
            shutil.rmtree(run.workdir, ignore_errors=True)
        shutil.rmtree(run.data)
        shutil.copytree(saved / "data", run.data)
        if run.finished():
            report.ended += 1
            wrong = _unlike(run, expected, told)
            told = False
            failures += [f"{number} {kind}: {wrong}"] if wrong else []
            shutil.rmtree(run.workdir)
        print(f"{number} {kind}: {ended.code} {ended.refusal[:70]}", file=sys.stderr)


def _unlike(run: Run, expected: str, told: bool) -> str:
    """In what a run that ended is not what it would have been.

    Args:
        run: The run.
        expected: The hash of the parameters.
        told: Whether it was said that the log has lost lines.
    """
    if run.finished() != expected:
        return f"parameters {run.finished()[:16]}, not {expected[:16]}"
    every = list(range(1, STEPS + 1))
    whole = run.steps() == every
    if told:
        whole = run.steps() == sorted(set(run.steps()) & set(every))
    if not whole:
        return f"its log has the steps {run.steps()}"
    return ""


if __name__ == "__main__":
    main()
