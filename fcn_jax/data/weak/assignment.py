"""BoxSup's objective: which candidate mask stands for which box.

A box of class c and a candidate S cost E_o + lambda * E_r, lambda = 3. E_o is
1 - IoU of the box and the tight box of S; E_r the softmax loss of the label map in
which S is c and all else background. One of the k = 5 cheapest is drawn.

As printed, E_o is divided by the number of candidates of the image (some 2,000) and E_r
is a sum over its pixels (some 100,000): the overlap would decide nothing but ties.
Here ("mean") E_o is that of the one candidate and E_r the mean over the pixels, so that
a mask that is wrong in a few percent of the image and a box that is met by half count
alike; "sum" is what is printed.

References:
    Dai, He and Sun 2015, "BoxSup: exploiting bounding boxes to supervise convolutional
    networks for semantic segmentation", arXiv:1503.01640, sec. 4. No code was
    published.
"""

import dataclasses

import numpy as np

from fcn_jax.data import boxes as plain
from fcn_jax.data import objects
from fcn_jax.proposals import candidates as masks
from fcn_jax.proposals.candidates import Candidates

OBJECTIVES = ("mean", "sum")


@dataclasses.dataclass(frozen=True)
class Rule:
    """How a candidate is chosen for a box.

    Attributes:
        k: One of as many cheapest is drawn, each as likely; 1: the cheapest is taken.
        weight: Lambda, of the label map's loss; 0: the net has no say.
        objective: "mean" or "sum"; see above.
        min_iou: Candidates whose tight box overlaps a box by no more are not for it.

    Raises:
        ValueError: If one has no sense.
    """

    k: int = 5
    weight: float = 3.0
    objective: str = "mean"
    min_iou: float = 0.0

    def __post_init__(self):
        if self.k < 1:
            raise ValueError(
                f"k={self.k}: one of the k cheapest candidates is drawn; give 1 or "
                f"more (5 as published)."
            )
        if not 0 <= self.weight < float("inf"):
            raise ValueError(
                f"weight={self.weight} of the label map's loss; give a number from 0 "
                f"on (3 as published)."
            )
        if self.objective not in OBJECTIVES:
            raise ValueError(
                f"objective={self.objective!r} is not known; use one of "
                f"{', '.join(OBJECTIVES)}."
            )
        if not 0 <= self.min_iou < 1:
            raise ValueError(
                f"min_iou={self.min_iou} is not in [0, 1); 0 leaves out what does not "
                f"overlap a box at all."
            )


def overlaps(pool: Candidates, boxes: np.ndarray) -> np.ndarray:
    """IoU of every box with the tight box of every candidate.

    Args:
        pool: Of the image.
        boxes: Integer [K, 5]: class, row0, col0, row1, col1.

    Returns:
        Fractions, float64 [K, N].
    """
    return plain.iou(boxes[:, 1:], pool.boxes)


def completed(
    pool: Candidates, boxes: np.ndarray, min_iou: float = 0.0
) -> tuple[Candidates, np.ndarray]:
    """The pool, with the rectangle of each box that no candidate overlaps behind it.

    Args:
        pool: Of the image.
        boxes: Integer [K, 5].
        min_iou: See `Rule`.

    Returns:
        The pool, and which boxes have their rectangle in it, bool [K].
    """
    alone = overlaps(pool, boxes).max(axis=1) <= min_iou
    return masks.with_rectangles(pool, boxes[alone, 1:]), alone


def map_losses(
    pool: Candidates, log_probs: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """The loss of every label map: one candidate of a class, all else background.

    Exact, and quick: sums over the pixels of regions first, then over the regions of
    candidates.

    Args:
        pool: N candidates of the image.
        log_probs: Class log-probabilities of its pixels, float [H, W, C].
        classes: Integer [K].

    Returns:
        Sums over the pixels, nats, float64 [K, N].

    Raises:
        ValueError: If the sizes differ, or a log-probability is not finite.
    """
    size = pool.regions.shape
    if log_probs.shape[:2] != size:
        raise ValueError(
            f"log-probabilities of {log_probs.shape[:2]} and candidates of {size}; "
            f"expected those of one image."
        )
    regions, count = pool.regions.ravel(), pool.num_regions

    def of_regions(label: int) -> np.ndarray:
        nats = -log_probs[..., label].astype(np.float64).ravel()
        return np.bincount(regions, weights=nats, minlength=count)

    present = np.unique(classes)
    ground = of_regions(objects.BACKGROUND)
    gains = np.stack([of_regions(label) - ground for label in present.tolist()])
    if not np.isfinite(gains).all() or not np.isfinite(ground).all():
        raise ValueError(
            "log-probabilities are not finite: the net has diverged; lower "
            "config.optim.learning_rate."
        )
    found = ground.sum() + np.stack([pool.sums(gain) for gain in gains])
    return found[np.searchsorted(present, classes)]


def costs(
    pool: Candidates, boxes: np.ndarray, log_probs: np.ndarray | None, rule: Rule
) -> np.ndarray:
    """What every candidate costs as the mask of every box.

    Args:
        pool: N candidates of the image.
        boxes: Integer [K, 5].
        log_probs: Class log-probabilities, float [H, W, C]; None: there is no net yet,
            and overlap decides alone.
        rule: How they are chosen.

    Returns:
        float64 [K, N]; infinite where a candidate is not for a box.

    Raises:
        ValueError: As `map_losses`.
    """
    iou = overlaps(pool, boxes)
    found = 1 - iou
    if rule.objective == "sum":
        found = found / len(pool)
    if log_probs is not None and rule.weight and len(boxes):
        loss = map_losses(pool, log_probs, boxes[:, 0])
        if rule.objective == "mean":
            loss = loss / pool.regions.size
        found = found + rule.weight * loss
    return np.where(iou > rule.min_iou, found, np.inf)


def draw(found: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """One candidate for each box, among its k cheapest.

    Of equal costs the first candidates are the cheaper ones.

    Args:
        found: Costs, float64 [K, N]; each box has a finite one.
        k: See `Rule`.
        rng: Of the draw.

    Returns:
        The candidate of each box, int64 [K].
    """
    picks = np.zeros(len(found), np.int64)
    for place, row in enumerate(found):
        cheapest = np.argsort(row, kind="stable")[:k]
        cheapest = cheapest[np.isfinite(row[cheapest])]
        picks[place] = cheapest[rng.integers(len(cheapest))]
    return picks


def painted(pool: Candidates, boxes: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """The label map of an image: the mask of each box, all else background.

    Where masks overlap the later box lies on top; they come largest first, as
    `fcn_jax.data.weak.boxes` orders them. (The paper does not say.)

    Args:
        pool: Of the image, completed.
        boxes: Integer [K, 5].
        picks: The candidate of each, integer [K].

    Returns:
        uint8 [H, W]: classes of the boxes, and 0.

    Raises:
        ValueError: If a box has no candidate, or one that is not there.
    """
    if len(picks) != len(boxes) or (picks >= len(pool)).any() or (picks < 0).any():
        raise ValueError(
            f"{len(boxes)} boxes have the candidates {np.asarray(picks).tolist()} of "
            f"{len(pool)}; expected one each: the masks were chosen among others."
        )
    by_region = np.full(pool.num_regions, objects.BACKGROUND, np.uint8)
    for label, pick in zip(boxes[:, 0].tolist(), picks.tolist(), strict=True):
        by_region[pool.member[pick]] = label
    return by_region[pool.regions]
