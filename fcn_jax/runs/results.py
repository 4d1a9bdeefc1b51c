"""What a run that is done leaves: its curves, and result.json."""

import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from fcn_jax.runs import logs
from fcn_jax.runs import losses as recent_losses
from fcn_jax.storage import checkpoints, files, trees
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
        FileNotFoundError: If the log is gone.
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
    scores = [e for e in entries if e.get("kind") == "eval"]
    last = newest.metadata.get("losses")
    if step not in losses and losses and last:
        losses[step] = last[-1]  # It was saved, and its line is not due yet.
    if step not in losses or not scores:
        raise FileNotFoundError(
            f"{workdir / 'log.jsonl'} is missing or has lost its lines, from which "
            f"curves and result.json are made; the checkpoints are whole. Restore it, "
            f"or take the scores from fcn_jax eval --workdir={workdir}."
        )
    lowest = recent_losses.lowest(losses)
    result = {
        "step": step,
        "ended_early": ended_early or None,
        "final_loss": losses[step],
        "lowest_loss": {"loss": losses[lowest], "step": lowest},
        "best": best,
        "params_sha256": trees.content_hash(newest.arrays["params"]),
        "scores": scores[-1],
    }
    files.write_json(workdir / "result.json", result)
    if ended_early:
        print(f"ended early, after step {step}: {ended_early}")
    print(
        f"done: loss {result['final_loss']:.4f}, lowest {losses[lowest]:.4f} at "
        f"step {lowest}; best {json.dumps(best)}; curves in {workdir / 'curves.png'}"
    )


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
