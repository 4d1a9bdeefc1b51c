"""What a run that is done leaves: its curves, and result.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from fcn_jax.runs import logs
from fcn_jax.runs import losses as recent_losses
from fcn_jax.storage import checkpoints, files, reading, scores, trees
from fcn_jax.storage.files import JsonObject
from fcn_jax.viz import plots


def write(
    workdir: Path,
    step: int,
    ended_early: str,
    best: Mapping[str, float] | None,
    store: checkpoints.CheckpointStore,
) -> None:
    """Draw the curves of a run that is done, and write result.json.

    Args:
        workdir: Of the run.
        step: Its last.
        ended_early: Why it ended before the last step of its config; "": it did not.
        best: Its best mean IU, and at which step.
        store: Its checkpoints.

    Raises:
        OSError: If the last step cannot be read back.
        FileNotFoundError: If no scores are left.
    """
    newest = store.newest()
    if newest is None or newest.step != step:
        raise OSError(
            f"{workdir}: step {step} was saved and cannot be read back; there is "
            f"{'no checkpoint' if newest is None else f'step {newest.step}'}. Run the "
            f"same command again, on a disk that keeps what is written to it."
        )
    entries = logs.read(workdir / "log.jsonl")
    plots.plot_curves(entries, workdir / "curves.png")
    losses = {e["step"]: e["loss"] for e in entries if e.get("kind") == "train"}
    last = newest.metadata.get("losses")
    if step not in losses and last:
        losses[step] = last[-1]  # It was saved, and its line is not due yet.
    lowest = recent_losses.lowest(losses) if losses else None
    result = {
        "step": step,
        "ended_early": ended_early or None,
        "final_loss": losses.get(step),  # None: its line is lost.
        "lowest_loss": lowest and {"loss": losses[lowest], "step": lowest},
        "best": best,
        "params_sha256": trees.content_hash(newest.arrays["params"]),
        "scores": _last_scores(entries, store, workdir),
    }
    files.write_json(workdir / "result.json", result)
    if ended_early:
        print(f"ended early, after step {step}: {ended_early}")
    final = f"loss {losses[step]:.4f}" if step in losses else "its loss is lost"
    best_loss = f", lowest {losses[lowest]:.4f} at step {lowest}" if lowest else ""
    print(
        f"done: {final}{best_loss}; best {json.dumps(best)}; curves in "
        f"{workdir / 'curves.png'}"
    )


def _last_scores(
    entries: Sequence[JsonObject],
    store: checkpoints.CheckpointStore,
    workdir: Path,
) -> JsonObject:
    """The scores that were written last, or, where the log has lost them, the mean IU.

    Raises:
        FileNotFoundError: If nothing of them is left.
    """
    scored = [entry for entry in entries if entry.get("kind") == "eval"]
    if scored:
        return scored[-1]
    kept = store.scores.read()
    if not kept:
        raise FileNotFoundError(
            f"{workdir / 'log.jsonl'} is missing or has lost its lines, and so has "
            f"{store.scores.path.name}; the checkpoints are whole. Restore it, or take "
            f"the scores from fcn_jax eval --workdir={workdir}."
        )
    return {"kind": "eval", "step": max(kept), "mean_iu": kept[max(kept)]}


def damage(workdir: Path) -> dict[str, str]:
    """Which of a run's result.json and curves.png cannot be read, and why.

    Args:
        workdir: Of the run.

    Returns:
        Why, by the name of the file; nothing of files that are whole or not there.
    """
    checks = {"result.json": _check_result, "curves.png": _check_picture}
    found = {}
    for name, check in checks.items():
        try:
            check(workdir / name)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError, OSError, SyntaxError) as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


def _check_result(path: Path) -> None:
    found = json.loads(path.read_text("utf-8"))
    _ = found["step"], found["params_sha256"], found["scores"]["mean_iu"]


def _check_picture(path: Path) -> None:
    with Image.open(path) as picture:
        picture.verify()  # Which says SyntaxError of a checksum that is wrong.


def restore_scores(workdir: Path, store: checkpoints.CheckpointStore) -> str:
    """Write the scores of a run anew whose file of them is gone.

    Without them the best checkpoint would be deleted as one of the older ones.

    Args:
        workdir: Of the run.
        store: Its checkpoints.

    Returns:
        A sentence that says where from; "" where nothing is lost, or of a run of before
        there was such a file.
    """
    lost = lost_scores(workdir, store)
    for step, mean_iu in lost.items():
        store.scores.record(step, mean_iu)
    if not lost:
        return ""
    return (
        f"{store.scores.path} was missing; the scores of {len(lost)} step(s) are taken "
        f"from the log and from what the newest checkpoint says of the best"
    )


def lost_scores(
    workdir: Path, reader: checkpoints.CheckpointReader
) -> dict[int, float | None]:
    """The scores that are known of a run whose file of them is gone.

    Args:
        workdir: Of the run.
        reader: Of its checkpoints.

    Returns:
        By step; empty where the file is there, or never was.
    """
    newest = reader.newest_metadata()
    if reader.scores.path.exists() or newest is None or reading.SCORE in newest:
        return {}
    entries = logs.read(workdir / "log.jsonl")
    found = {e["step"]: e["mean_iu"] for e in entries if e["kind"] == "eval"}
    found = {step: x for step, x in found.items() if scores.is_score(x)}
    best = newest.get("best")
    if isinstance(best, dict) and scores.is_score(best.get("mean_iu")):
        found[best["step"]] = best["mean_iu"]
    return found


def best_of(
    store: checkpoints.CheckpointStore, known: JsonObject | None
) -> JsonObject | None:
    """The best score so far and its step, the last of equals (`scores.Scores.best`).

    Args:
        store: That keeps the scores.
        known: Of a run that kept it in its checkpoints.
    """
    found = [] if known is None else [(known["mean_iu"], known["step"])]
    found += [(x, step) for step, x in store.scores.read().items() if x is not None]
    if not found:
        return None
    mean_iu, step = max(found)
    return {"mean_iu": mean_iu, "step": step}
