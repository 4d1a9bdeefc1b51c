"""The scores of each image, so that the worst can be found."""

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from fcn_jax.data.batch import Batch
from fcn_jax.data.contracts import Head, Labels
from fcn_jax.evaluation import metrics
from fcn_jax.evaluation.metrics import Scores


class ImageScores:
    """Counts each image by itself; called with batches, see `evaluate.OnBatch`.

    Args:
        heads: Of the source.

    Attributes:
        found: `metrics.scores` of every image (`scores_of_heads` of several heads), by
            its id.
    """

    def __init__(self, heads: Sequence[Head]):
        self._heads = heads
        self.found: dict[str, Scores] = {}

    def __call__(self, batch: Batch, pred: Labels) -> None:
        """Score the images of a batch.

        Args:
            batch: Of evaluation.
            pred: Predicted classes, uint8 [B, H, W], by head where there are several.
        """
        for row in np.flatnonzero(batch["example_valid"]):
            height, width = batch["sizes"][row]
            counts: dict[str, np.ndarray] = {}
            for head in self._heads:
                truth, found = (
                    (x[head.name] if isinstance(x, Mapping) else x)[row]
                    for x in (batch["labels"], pred)
                )
                inside = slice(0, height), slice(0, width)
                counts[head.name] = _confusion(truth[inside], found[inside], head)
            names = {head.name: head.classes for head in self._heads}
            absent = {head.name: head.may_be_absent for head in self._heads}
            self.found[batch["id"][row]] = (
                metrics.scores(counts[""], names[""], absent[""])
                if "" in counts
                else metrics.scores_of_heads(counts, names, absent)
            )

    def table(self) -> str:
        """All images as CSV, the lowest mean IU first; empty where it is undefined."""
        lines = sorted(
            self.found.items(),
            key=lambda each: (each[1]["mean_iu"] is None, each[1]["mean_iu"], each[0]),
        )
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        classes = list(lines[0][1]["iu"]) if lines else []
        writer.writerow(["id", "mean_iu", "pixel_accuracy", "num_pixels", *classes])
        for name, found in lines:
            values = [found["mean_iu"], found["pixel_accuracy"], found["num_pixels"]]
            writer.writerow([name, *map(_cell, [*values, *found["iu"].values()])])
        return text.getvalue()


def _confusion(truth: np.ndarray, found: np.ndarray, head: Head) -> np.ndarray:
    """Counts, int64 [C, C]: row = truth, column = prediction."""
    count = head.num_classes
    counted = (truth != head.ignore_label) & (found < count)
    pairs = truth[counted].astype(np.int64) * count + found[counted]
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6f}"
