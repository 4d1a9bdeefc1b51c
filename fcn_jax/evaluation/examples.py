"""Pictures of the images that went worst and best, chosen while a split goes by."""

import bisect
import dataclasses
from collections.abc import Collection

import numpy as np

from fcn_jax import viz
from fcn_jax.data.contracts import Head
from fcn_jax.evaluation.metrics import Scores
from fcn_jax.viz import embedded


@dataclasses.dataclass(frozen=True)
class Example:
    """An image, what is true of it and what was predicted, as data: URLs.

    Attributes:
        name: Of the image.
        scores: Of the image; see `metrics.scores`.
        image: The photograph.
        truth: The true classes.
        pred: The predicted classes.
        errors: Where these differ.
    """

    name: str
    scores: Scores
    image: str
    truth: str
    pred: str
    errors: str


class Examples:
    """Keeps the worst images, the best, and the worst of each class, or those named.

    Memory grows with the images that are kept, not with those that are seen.

    Args:
        head: Of the source.
        count: Of the worst and of the best.
        wanted: Names of images; None: they are chosen by their scores.
    """

    def __init__(self, head: Head, count: int, wanted: Collection[str] | None = None):
        self._head, self._count, self._wanted = head, count, wanted
        # Why images are kept: by reason, scores (the lowest first) and names.
        self._ranks: dict[str, list[tuple[float, str]]] = {}
        self._found: dict[str, Example] = {}

    def add(
        self,
        name: str,
        image: np.ndarray,
        truth: np.ndarray,
        pred: np.ndarray,
        scores: Scores,
    ) -> None:
        """Look at an image; keep it if it is wanted.

        Args:
            name: Of the image.
            image: uint8 RGB [H, W, 3].
            truth: True classes, uint8 [H, W].
            pred: Predicted classes, uint8 [H, W].
            scores: Of the image; one in which nothing counts is passed over.
        """
        if self._wanted is not None:
            if name not in self._wanted:
                return
        elif not self._ranked(name, scores):
            return
        void, palette = self._head.ignore_label, self._head.palette
        self._found[name] = Example(
            name,
            {key: scores[key] for key in ("mean_iu", "pixel_accuracy", "iu")},
            embedded.photograph(image),
            embedded.label_map(truth, palette, void),
            embedded.label_map(pred, palette, void),
            embedded.drawing(viz.error_map(truth, pred, void)),
        )
        if self._wanted is None:
            kept = {each for rank in self._ranks.values() for _, each in rank}
            for gone in self._found.keys() - kept:
                del self._found[gone]

    def found(self) -> list[Example]:
        """Those that are kept, the lowest mean IU first."""
        return sorted(
            self._found.values(), key=lambda each: (each.scores["mean_iu"], each.name)
        )

    def _ranked(self, name: str, scores: Scores) -> bool:
        """Whether an image is among those that are kept by their scores."""
        mean = scores["mean_iu"]
        if mean is None:
            return False
        places = [("worst", mean, self._count), ("best", -mean, self._count)]
        places += [
            (f"class {cls}", iu, 1)
            for (cls, iu), accuracy in zip(
                scores["iu"].items(), scores["accuracy"].values(), strict=True
            )
            if accuracy is not None  # It is in the truth.
        ]
        kept = False
        for reason, score, room in places:
            rank = self._ranks.setdefault(reason, [])
            bisect.insort(rank, (score, name))
            kept |= (score, name) in rank[:room]
            del rank[room:]
        return kept
