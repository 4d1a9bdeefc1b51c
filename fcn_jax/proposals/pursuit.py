"""Segment pursuit: which segments stand for an area without instances, such as sky.

Of the segments that are mostly of the area and of little else a few large ones that
overlap little are chosen, either always the largest that is left, or each by chance in
proportion to its area, so that every epoch sees others.

References:
    Dai, He and Sun 2015, arXiv:1412.1283, sec. 4.2.
"""

import numpy as np

from fcn_jax.proposals.candidates import Candidates

PURE = 0.6  # Segments of a higher purity may be chosen.
IMPURE = 0.3  # Those of a lower one are of something else.
MAX_IOU = 0.2  # At which a chosen segment excludes another.


def purity(candidates: Candidates, stuff: np.ndarray) -> np.ndarray:
    """How pure segments are: overlap of each with the stuff that its box holds.

    Args:
        candidates: Of an image.
        stuff: Where the class is, bool [H, W].

    Returns:
        Intersection over union, float64 [N].

    Raises:
        ValueError: If the sizes differ.
    """
    if stuff.shape != candidates.regions.shape:
        raise ValueError(
            f"purity: stuff of {stuff.shape} and segments of "
            f"{candidates.regions.shape}; expected both of one image, [H, W]."
        )
    held = np.bincount(
        candidates.regions.ravel(), stuff.ravel(), minlength=candidates.num_regions
    )
    shared = candidates.sums(held)
    total = np.zeros((stuff.shape[0] + 1, stuff.shape[1] + 1), np.int64)
    total[1:, 1:] = stuff.astype(np.int64).cumsum(axis=0).cumsum(axis=1)
    row0, col0, row1, col1 = candidates.boxes.T
    boxed = (
        total[row1, col1] - total[row0, col1] - total[row1, col0] + total[row0, col0]
    )
    return shared / (candidates.areas() + boxed - shared)


def pursue(
    areas: np.ndarray,
    overlaps: np.ndarray,
    rng: np.random.Generator | None = None,
    max_iou: float = MAX_IOU,
) -> np.ndarray:
    """Choose segments one by one, each excluding those that overlap it.

    It ends when no segment that is left has the mean area of all that were given.

    Args:
        areas: Of the candidates, [N], pixels.
        overlaps: Their intersections over unions, [N, N].
        rng: Draws each in proportion to its area; None: the largest, of equals the
            first.
        max_iou: Overlap from which on a chosen segment excludes another.

    Returns:
        Places among the candidates in the order in which they were chosen, int64.

    Raises:
        ValueError: If shapes do not fit, an area is not positive, or `max_iou` is not
            in (0, 1].
    """
    areas = np.asarray(areas, np.float64)
    if areas.ndim != 1 or overlaps.shape != (len(areas), len(areas)):
        raise ValueError(
            f"pursue: areas of {areas.shape} and overlaps of {overlaps.shape}; "
            f"expected [N] and [N, N]."
        )
    if not 0 < max_iou <= 1 or (areas <= 0).any():
        raise ValueError(
            f"pursue: max_iou={max_iou}, least area {areas.min(initial=1):g}; expected "
            f"an overlap in (0, 1] and segments with pixels."
        )
    left, least = np.ones(len(areas), bool), areas.mean() if len(areas) else 0.0
    found: list[int] = []
    while (areas[left] >= least).any():
        if rng is None:
            place = int(np.argmax(np.where(left, areas, -1)))
        else:
            weights = np.where(left, areas, 0)
            place = int(rng.choice(len(areas), p=weights / weights.sum()))
        found.append(place)
        left &= overlaps[place] < max_iou
        left[place] = False
    return np.array(found, np.int64)


def overlaps(candidates: Candidates) -> np.ndarray:
    """Intersection over union of every segment with every other, float64 [N, N].

    Args:
        candidates: Of an image.
    """
    sizes = np.bincount(
        candidates.regions.ravel(), minlength=candidates.num_regions
    ).astype(np.float64)
    member = candidates.member.astype(np.float64)
    shared = (member * sizes) @ member.T
    areas = np.diagonal(shared)
    return shared / (areas[:, None] + areas[None] - shared)
