"""A run scored while it is trained: the log, pictures, and a line for who watches."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from fcn_jax import hosts, parallel, viz
from fcn_jax.config.parts import RunParts
from fcn_jax.data import contracts
from fcn_jax.data.batch import Batch
from fcn_jax.data.contracts import Labels
from fcn_jax.evaluation import metrics
from fcn_jax.evaluation.evaluate import Evaluator
from fcn_jax.inference.predictor import Variables
from fcn_jax.runs.logs import RunLog
from fcn_jax.runs.progress import duration


def evaluator(
    parts: RunParts,
    devices: Sequence[parallel.Device],
    crew: hosts.Crew,
    options: parallel.Options | None,
) -> Evaluator:
    """What scores a run while it is trained; each process with its own devices.

    Args:
        parts: Of the run.
        devices: That train, of all processes.
        crew: The processes.
        options: What XLA is told, as for the training step.
    """
    size, ours = parts.config.eval_batch_size, parallel.own(devices)
    return Evaluator(parts.predictor, parts.eval_source, size, ours, crew, options)


def score(
    evaluator: Evaluator,
    variables: Variables,
    log: RunLog,
    step: int,
    pictures: int,
    after_batch: Callable[[], object],
) -> tuple[metrics.Scores, str]:
    """Score the evaluation split; scores and pictures go into the log.

    Args:
        evaluator: Of the split.
        variables: On all devices.
        log: Of the run.
        step: Updates done.
        pictures: How many predictions are drawn.
        after_batch: Called after each batch.

    Returns:
        The scores, and a line that says them.
    """
    source, start = evaluator.source, time.perf_counter()
    drawn = _Drawn(pictures)

    def on_batch(batch: Batch, pred: Labels) -> None:
        if drawn.count:
            drawn(batch, pred)
        after_batch()

    scores = evaluator.score(variables, on_batch)
    seconds = time.perf_counter() - start
    shown = {name: scores[name] for name in ("loss", *metrics.HEADLINE_METRICS)}
    by_head = metrics.headlines_by_head(scores)
    record = {**shown, "iu": scores["iu"], "seconds": seconds}
    log.write("eval", step, record | ({"heads": by_head} if by_head else {}))
    head = contracts.heads_of(source)[0]
    for number, row in enumerate(drawn.rows):
        sheet = viz.prediction_row(
            *row, palette=head.palette, ignore_label=head.ignore_label
        )
        log.picture(f"prediction/{number}", step, sheet)
    return scores, (
        f"step {step}: {source.split} "
        + ", ".join(f"{n} {v:.4f}" for n, v in shown.items() if v is not None)
        + f"  ({len(source)} images, {duration(seconds)})"
        + "".join(
            f"\n  {head}: "
            + ", ".join(f"{n} {v:.4f}" for n, v in found.items() if v is not None)
            for head, found in by_head.items()
        )
        + metrics.never_predicted(scores)
    )


class _Drawn:
    """The first images that an evaluation sees, with what was predicted for them."""

    def __init__(self, count: int):
        self.count = count
        self.rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def __call__(self, batch: Batch, pred: Labels) -> None:
        labels = contracts.first_labels(batch["labels"])
        pred = contracts.first_labels(pred)
        for row in np.flatnonzero(batch["example_valid"]):
            if len(self.rows) == self.count:
                return
            h, w = batch["sizes"][row]
            image = contracts.to_rgb(batch["image"][row, :h, :w])
            self.rows.append((image, labels[row, :h, :w], pred[row, :h, :w]))
