"""What a run's directory tells: whether it runs, how far it is, what is whole."""

import contextlib
import json
from pathlib import Path

from fcn_jax.config import workdir as workdirs
from fcn_jax.runs import lock, logs
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
        with step, mean_iu, bytes, and `whole`, None where it was not verified) and
        `problems`, a sentence each.

    Raises:
        FileNotFoundError: If there is no such directory, or it holds no run.
    """
    workdir = Path(workdir)
    if not workdir.is_dir():
        raise FileNotFoundError(f"{workdir} does not exist; give a run's directory.")
    reader = CheckpointReader(workdir / "checkpoints")
    problems: list[str] = []
    if not any(
        (workdir / n).exists() for n in ("config.json", "checkpoints", lock.LOCK)
    ):
        raise FileNotFoundError(
            f"{workdir} holds no run: neither config.json nor checkpoints/ is there."
        )
    num_steps = _num_steps(workdir, problems)
    entries = logs.read(workdir / "log.jsonl")
    trained = [entry for entry in entries if entry.get("kind") == "train"]
    if reader.steps() and not trained:
        problems.append("log.jsonl is missing or holds no losses; curves lack them")
    scores = _scores(reader, problems)
    checkpoints = [_checkpoint(reader, step, verify) for step in reader.steps()]
    for each in checkpoints:
        if each["whole"] is False:
            problems.append(
                f"{each.pop('problem')} Training goes back to the one before"
            )
    aside = workdir / "checkpoints_damaged"
    if aside.is_dir():
        moved = ", ".join(sorted(path.name for path in aside.iterdir()))
        problems.append(f"damaged checkpoints were moved to {aside.name}: {moved}")
    ended = (workdir / "result.json").exists()
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
        "problems": problems,
    }


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
        lines.append(
            f"  checkpoint {each['step']:>8}  mean IU {score:>6}  "
            f"{each['bytes'] / 2**20:>8,.1f} MiB  {words[each['whole']]}"
        )
    if not found["checkpoints"]:
        lines.append("  no checkpoint")
    return "\n".join([*lines, *(f"problem: {text}" for text in found["problems"])])


def _num_steps(workdir: Path, problems: list[str]) -> int | None:
    if not (workdir / "config.json").exists():
        problems.append("config.json is missing; a checkpoint may hold the config too")
    try:
        return int(workdirs.config_of_run(workdir).num_steps)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        problems.append(f"{error} A checkpoint holds the config too")
        return None


def _scores(reader: CheckpointReader, problems: list[str]) -> dict[int, float | None]:
    try:
        return reader.scores.read()
    except ValueError as error:
        problems.append(str(error))
        return {}


def _checkpoint(reader: CheckpointReader, step: int, verify: bool) -> JsonObject:
    """A checkpoint, and whether it is whole."""
    files = (reader.directory / str(step)).rglob("*")
    found: JsonObject = {
        "step": step,
        "mean_iu": None,
        "bytes": sum(path.stat().st_size for path in files if path.is_file()),
        "whole": None,
    }
    with contextlib.suppress(ValueError):  # That is told of the whole file.
        found["mean_iu"] = reader.scores.of(step)
    if verify:
        try:
            reader.read(step)
            found["whole"] = True
        except FileNotFoundError:
            pass  # A run that goes on has deleted it meanwhile.
        except (ValueError, json.JSONDecodeError) as error:
            found["whole"], found["problem"] = False, str(error)
    return found
