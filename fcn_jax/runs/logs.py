"""What a run writes down: one JSON object a line, and TensorBoard events beside it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fcn_jax.runs.events import Events
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject

_SAVED = "saved"  # Kind of the line that notes a save.


class RunLog:
    """The log of a run, in which each step stands once however often it is resumed.

    Args:
        workdir: The run's directory; `log.jsonl` and `tensorboard/` are in it.
        step: The step that the run resumes from. Lines of later steps, which an
            interrupted run wrote after its last checkpoint, are dropped: these steps
            are about to be done again.
        scored: Whether that step was evaluated; else it is about to be.
    """

    def __init__(self, workdir: str | Path, step: int = 0, scored: bool = True):
        workdir = Path(workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        self.path = workdir / "log.jsonl"
        _drop_lines_after(self.path, step, scored)
        self._notes_a_save = first_save(self.path) is not None
        self._events = Events(workdir / "tensorboard", step)
        with files.writing(self.path, "--workdir"):
            self._file = self.path.open("a", encoding="utf-8")

    def write(self, kind: str, step: int, values: Mapping[str, object]) -> None:
        """Append one line, and its numbers as TensorBoard scalars `kind/name`.

        Args:
            kind: "train" or "eval".
            step: Optimiser updates done.
            values: What JSON can hold; floats are written in full precision.

        Raises:
            OSError: If the disk is full; naming the file.
        """
        line = json.dumps({"kind": kind, "step": step, **values}, allow_nan=False)
        with files.writing(self.path, "--workdir"):
            self._file.write(line + "\n")
            self._file.flush()
        for name, value in values.items():
            if isinstance(value, int | float):
                self._events.scalar(f"{kind}/{name}", value, step)

    def note_saves(self, steps: Sequence[int]) -> None:
        """Note, once, that a step was saved: a run without it has lost something.

        Args:
            steps: Those whose checkpoints are whole on the disk.
        """
        if steps and not self._notes_a_save:
            self._notes_a_save = True
            line = {"kind": _SAVED, "step": min(steps)}
            with files.writing(self.path, "--workdir"):
                self._file.write(json.dumps(line) + "\n")
                self._file.flush()

    def picture(self, name: str, step: int, image: np.ndarray) -> None:
        """Add a picture, uint8 [H, W, 3], to the TensorBoard events.

        Args:
            name: Of the picture.
            step: Updates done.
            image: The picture.
        """
        self._events.picture(name, step, image)

    def flush(self) -> None:
        """Return when all points are on disk."""
        self._events.flush()

    def close(self) -> None:
        """Write out what is left."""
        with files.writing(self.path, "--workdir"):
            self._file.close()
        self.flush()


def note_of_loss(workdir: str | Path, last: int) -> str:
    """What to say where a log has lost lines; what it has lost cannot be made again.

    Args:
        workdir: Of a run.
        last: The step of the last line that the log must have; 0: it has none yet.

    Returns:
        A sentence; "" where nothing shows that lines are lost.
    """
    path = Path(workdir) / "log.jsonl"
    found = {
        e["step"] for e in read(path) if e["kind"] == "train" and e["step"] <= last
    }
    if last in found or last <= 0:
        return ""
    there = f"ends with step {max(found)}" if found else "holds no losses"
    return (
        f"{path} has lost lines: it {there}, and the checkpoint is of step {last} or "
        f"later; curves and the lowest loss lack them"
    )


def read(path: str | Path) -> list[JsonObject]:
    """The lines of a log, in order; what is no line of one is left out.

    A process that is killed cuts its last line off.
    """
    return [entry for entry in _lines(Path(path)) if _is_entry(entry)]


def first_save(path: str | Path) -> int | None:
    """The step of which a log says that it was saved; None: it says so of none.

    Args:
        path: The log; those of older versions say it of none.
    """
    saved = [entry["step"] for entry in _lines(Path(path)) if _is_save(entry)]
    return saved[0] if saved else None


def damage(path: str | Path) -> str:
    """What in a log is no line of one, in words; "" if nothing is.

    Args:
        path: The log. Its last line may be cut off, as by a kill.
    """
    path = Path(path)
    if not path.exists():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    odd = [n for n, line in enumerate(lines, 1) if not _is_line(_parsed(line))]
    odd = [n for n in odd if n < len(lines)]
    if not odd:
        return ""
    return f"{len(odd)} of its lines are none, the first at line {odd[0]}"


def _lines(path: Path) -> list[JsonObject]:
    """What a run wrote, in order."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    parsed = [_parsed(line) for line in text.splitlines()]
    return [entry for entry in parsed if isinstance(entry, dict) and _is_line(entry)]


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _is_line(entry: object) -> bool:
    return _is_entry(entry) or _is_save(entry)


def _is_save(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    return entry.get("kind") == _SAVED and type(entry.get("step")) is int


def _is_entry(entry: object) -> bool:
    """Whether it is what a run writes of a step."""
    if not isinstance(entry, dict) or type(entry.get("step")) is not int:
        return False
    if entry.get("kind") == "train":
        return isinstance(entry.get("loss"), int | float)
    return entry.get("kind") == "eval" and "mean_iu" in entry


def _drop_lines_after(path: Path, step: int, scored: bool) -> None:
    if not path.exists():
        return
    kept = [
        entry
        for entry in _lines(path)
        if entry["step"] < step
        or (entry["step"] == step and (scored or entry.get("kind") != "eval"))
    ]
    text = "".join(json.dumps(entry) + "\n" for entry in kept)
    files.write_whole(path, lambda part: part.write_text(text, "utf-8"))
