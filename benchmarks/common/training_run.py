"""A training run of a tiny net on made-up data, its processes, and a disk to fill."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = 24
_OPTIONS = (
    f"--config.num_steps={STEPS}",
    "--config.log_every=1",
    "--config.eval_every=8",
    "--config.checkpoint_every=3",
    "--config.batch_size=2",
    "--config.eval_batch_size=2",
    "--config.num_pictures=1",
    "--config.data.name=folder",
    "--config.data.crop=(20,24)",
    "--config.model.num_classes=3",
)
OWN_MOUNTS = "CHAOS_OWN_MOUNTS"  # In the environment: the process that has them.
_DISK = 64 << 20  # Bytes of the disk that may be filled.
_CLOCK = """
import os, time
_jump, _real = float(os.environ["CHAOS_CLOCK"]), time.time
time.time = lambda: _real() + _jump
"""


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        code: Its exit status; negative: by a signal.
        output: What it printed.
    """

    code: int
    output: str

    @property
    def refusal(self) -> str:
        """The line in which it said what is wrong; "" if it was no clear refusal."""
        lines = [n for n in self.output.splitlines() if n.startswith("error: ")]
        clear = self.code == 1 and lines and "Traceback" not in self.output
        return lines[-1] if clear else ""


class Run:
    """A run's directory, its data, and the command that trains in it.

    Args:
        folder: Where all of it lies.
    """

    def __init__(self, folder: Path):
        self.folder, self.disk = folder, folder / "disk"
        self.disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "none", str(self.disk)]
        # In a namespace of mounts that nobody else sees (`_in_its_own_mounts`).
        self.is_small = os.environ.get(OWN_MOUNTS) == str(os.getpid()) and (
            subprocess.run(mount, capture_output=True, check=False).returncode == 0
        )
        if not self.is_small:
            print("no small disk may be mounted: none is filled", file=sys.stderr)
        self.workdir = self.disk / "run"
        self.data = write_data(folder / "data")
        (folder / "clock").mkdir()
        (folder / "clock" / "sitecustomize.py").write_text(_CLOCK)

    def close(self) -> None:
        """Let go of the small disk."""
        if self.is_small:
            subprocess.run(["umount", str(self.disk)], check=False)

    def start(self, *options: str, clock: float | None = None) -> subprocess.Popen[str]:
        """Start training.

        Args:
            *options: More of the command line.
            clock: Seconds by which the clock of the process is off.
        """
        path, environment = [str(ROOT)], dict(os.environ)
        if clock is not None:
            path.insert(0, str(self.folder / "clock"))
            environment["CHAOS_CLOCK"] = str(clock)
        return subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "train.py"),
                f"--config={ROOT / 'configs' / 'shapes_fcn8s.py'}:smoke",
                f"--workdir={self.workdir}",
                f"--config.data.root={self.data}",
                *_OPTIONS,
                *options,
            ],
            env={**environment, "PYTHONPATH": os.pathsep.join(path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finished(self) -> str:
        """The hash of the parameters at the end; "" before it, or without it."""
        path = self.workdir / "result.json"
        try:
            return json.loads(path.read_text("utf-8"))["params_sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def checkpoints(self) -> list[int]:
        """The steps of the finished checkpoints."""
        places = (self.workdir / "checkpoints").glob("[0-9]*")
        return [int(path.name) for path in places if path.name.isdigit()]

    def written(self) -> int:
        """Bytes of the log."""
        path = self.workdir / "log.jsonl"
        return path.stat().st_size if path.exists() else 0

    def steps(self) -> list[int]:
        """The training steps in the log."""
        path = self.workdir / "log.jsonl"
        lines = [json.loads(n) for n in path.read_text().splitlines()]
        return [entry["step"] for entry in lines if entry["kind"] == "train"]


def write_data(root: Path) -> Path:
    """Six images of two halves with noise, and their masks."""
    rng = np.random.default_rng(0)
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    for number in range(6):
        labels = np.zeros((24, 32), np.uint8)
        labels[:, 16:] = rng.integers(1, 3)
        image = labels[:, :, None] * 60 + rng.integers(0, 60, (24, 32, 3))
        Image.fromarray(image.astype(np.uint8)).save(root / f"JPEGImages/{number}.png")
        Image.fromarray(labels).save(root / f"SegmentationClass/{number}.png")
    lists = root / "ImageSets/Segmentation"
    (lists / "train.txt").write_text("0\n1\n2\n3\n")
    (lists / "val.txt").write_text("4\n5\n")
    (root / "classes.txt").write_text("dark\nmiddle\nbright\n")
    return root


def wait(process: subprocess.Popen[str], seconds: float | None = None) -> Ended:
    """Wait for a process, and kill it after some seconds."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    return Ended(process.returncode, output)
