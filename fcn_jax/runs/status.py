"""What a run's directory tells: whether it runs, how far it is, what is whole."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from fcn_jax.config import workdir as workdirs
from fcn_jax.runs import lock, logs, results
from fcn_jax.storage import reading
from fcn_jax.storage.checkpoints import CheckpointReader
from fcn_jax.storage.files import JsonObject

RUNNING, ENDED, STOPPED, DAMAGED = "running", "ended", "stopped", "damaged"


def status(workdir: str | Path, verify: bool = True) -> JsonObject:
    """What a run's directory says; nothing is changed in it.

    Args:
        workdir: The directory.
        verify: Whether to read every checkpoint and compare its hashes.

    Returns:
        What JSON can hold: `state` ("running", "ended", "stopped" or "damaged"),
        `holder`, `step`, `num_steps`, `images_per_second`, `best`, `checkpoints` (each
        with step, mean_iu, bytes, `whole`, None where it was not verified, and
        `described`, whether what it says has a hash too), `damaged`, the files that
        are, and `problems`, a sentence each.

    Raises:
        FileNotFoundError: If there is no such directory, or it holds no run.
    """
    workdir = Path(workdir)
    if not workdir.is_dir():
        raise FileNotFoundError(f"{workdir} does not exist; give a run's directory.")
    reader = CheckpointReader(workdir / "checkpoints")
    if not any(
        (workdir / n).exists() for n in ("config.json", "checkpoints", lock.LOCK)
    ):
        raise FileNotFoundError(
            f"{workdir} holds no run: neither config.json nor checkpoints/ is there."
        )
    said = _Said()
    num_steps = _num_steps(workdir, said)
    trained = _trained(workdir, reader, said)
    scores = _scores(workdir, reader, said)
    listed = (_checkpoint(reader, step, verify, said) for step in reader.steps())
    checkpoints = [each for each in listed if each is not None]
    aside = workdir / "checkpoints_damaged"
    if aside.is_dir():
        moved = ", ".join(sorted(path.name for path in aside.iterdir()))
        said.problems.append(f"damaged checkpoints were moved to {aside.name}: {moved}")
    for name, why in results.damage(workdir).items():
        said.damage(
            name,
            f"{name} is damaged ({why}); the run's own command, started again, writes "
            f"it anew",
        )
    ended = _ended(workdir, reader.steps())
    holder = lock.holder(workdir)
    whole = [each for each in checkpoints if each["whole"] is not False]
    lost = bool(checkpoints) and not whole
    state = RUNNING if holder else DAMAGED if lost else ENDED if ended else STOPPED
    last = trained[-1] if trained else {}
    best = max(((x, n) for n, x in scores.items() if x is not None), default=None)
    return {
        "workdir": str(workdir),
        "state": state,
        "holder": holder,
        "step": last.get("step", 0),
        "num_steps": num_steps,
        "images_per_second": last.get("images_per_second"),
        "best": best and {"mean_iu": best[0], "step": best[1]},
        "checkpoints": checkpoints,
        "damaged": said.damaged,
        "problems": said.problems,
    }


class _Said:
    """What is to be said of a directory, and which of its files are damaged."""

    def __init__(self):
        self.problems: list[str] = []
        self.damaged: list[str] = []

    def damage(self, name: str, text: str) -> None:
        """Name a damaged file, with what follows from it."""
        self.damaged.append(name)
        self.problems.append(text)


def format_status(found: JsonObject) -> str:
    """The same as lines of text.

    Args:
        found: What `status` returned.
    """
    speed = found["images_per_second"]
    state = (
        f"{found['state']} by {found['holder']}" if found["holder"] else found["state"]
    )
    lines = [
        f"{found['workdir']}: {state}",
        f"step {found['step']} of {found['num_steps'] or '?'}"
        + (f", {speed:.1f} images/s" if speed is not None else ""),
    ]
    best = found["best"]
    if best:
        lines.append(f"best mean IU {best['mean_iu']:.4f} at step {best['step']}")
    for each in found["checkpoints"]:
        score = "-" if each["mean_iu"] is None else f"{each['mean_iu']:.4f}"
        words = {True: "whole", False: "DAMAGED", None: "not verified"}
        word = words[each["whole"]]
        if each["whole"] and not each["described"]:
            word = "arrays whole, the rest not checked (an older version)"
        lines.append(
            f"  checkpoint {each['step']:>8}  mean IU {score:>6}  "
            f"{each['bytes'] / 2**20:>8,.1f} MiB  {word}"
        )
    if not found["checkpoints"]:
        lines.append("  no checkpoint")
    return "\n".join([*lines, *(f"problem: {text}" for text in found["problems"])])


def _num_steps(workdir: Path, said: _Said) -> int | None:
    if not (workdir / "config.json").exists():
        said.problems.append(
            "config.json is missing; a checkpoint may hold the config too"
        )
    try:
        return int(workdirs.config_of_run(workdir).num_steps)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        said.damage("config.json", f"{error} A checkpoint holds the config too")
        return None


def _trained(workdir: Path, reader: CheckpointReader, said: _Said) -> list[JsonObject]:
    """The lines of training steps in the log."""
    path, steps, metadata = workdir / "log.jsonl", reader.steps(), {}
    with contextlib.suppress(OSError, ValueError):  # A run that goes on logs first.
        metadata = reading.read_metadata(reader.directory, steps[-1]) if steps else {}
    losses = metadata.get("losses")
    entries = [entry for entry in logs.read(path) if entry["kind"] == "train"]
    torn = logs.damage(path)
    to_log = isinstance(metadata.get("config"), dict)
    if steps and isinstance(losses, list):
        to_log = steps[-1] > len(losses)  # Those since a line are in the checkpoint.
    if steps and not entries and to_log:
        said.damage(
            "log.jsonl", "log.jsonl is missing or holds no losses; curves lack them"
        )
    elif torn:
        said.damage(
            "log.jsonl",
            f"log.jsonl is damaged: {torn}; curves and the lowest loss lack them",
        )
    elif steps and isinstance(losses, list):
        lost = logs.note_of_loss(workdir, steps[-1] - len(losses))
        if lost:
            said.damage("log.jsonl", lost)
    return entries


def _ended(workdir: Path, steps: Sequence[int]) -> bool:
    """Whether a run wrote its result, and has not gone on since."""
    path = workdir / "result.json"
    try:
        step = json.loads(path.read_text("utf-8")).get("step", 0)
    except (OSError, ValueError, AttributeError):
        return path.exists()
    return not steps or step >= steps[-1]


def _scores(
    workdir: Path, reader: CheckpointReader, said: _Said
) -> dict[int, float | None]:
    name = reader.scores.path.name
    try:
        found = reader.scores.read()
    except ValueError as error:
        said.damage(name, str(error))
        return {}
    lost = {} if found else results.lost_scores(workdir, reader)
    if lost:
        said.damage(
            name,
            f"{name} is missing: which checkpoint is best is known from the newest "
            f"alone; the run's own command, started again, writes it anew",
        )
    return found or lost


def _checkpoint(
    reader: CheckpointReader, step: int, verify: bool, said: _Said
) -> JsonObject | None:
    """A checkpoint, and whether it is whole; None: a run deletes it, or has."""
    found: JsonObject = {"step": step, "mean_iu": None, "bytes": 0, "whole": None}
    found["described"] = False
    with contextlib.suppress(ValueError):  # That is told of the whole file.
        found["mean_iu"] = reader.scores.of(step)
    with contextlib.suppress(OSError, ValueError):
        places = (reader.directory / str(step)).rglob("*")
        found["bytes"] = sum(path.stat().st_size for path in places if path.is_file())
        metadata = reading.read_metadata(reader.directory, step)
        found["described"] = reading.SELF_HASH in metadata
    try:
        if verify:
            reader.read(step)
            found["whole"] = True
    except (OSError, ValueError) as error:
        if step not in reader.steps() or _is_let_go(reader, step):
            return None
        if isinstance(error, ValueError):
            found["whole"] = False
            said.damage(
                f"checkpoints/{step}",
                f"{error} Training goes back to the one before",
            )
        else:
            said.problems.append(str(error))
    return found


def _is_let_go(reader: CheckpointReader, step: int) -> bool:
    """Whether the run lets a step go: file by file, so that some may be gone."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        config = workdirs.config_of_run(reader.directory.parent)
        return step not in reader.kept(reader.steps(), config.keep_checkpoints)
    return False
