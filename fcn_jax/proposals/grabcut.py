"""GrabCut's masks of boxes, many of each, from perturbed boxes: candidates for BoxSup.

GrabCut makes one mask of a box; moved corners and wider or narrower backgrounds around
it make others, as in "Simple Does It", which votes over some 150 of them. BoxSup's own
pools know nothing of boxes; these are made for them, and stay as they are all the same.

References:
    Rother, Kolmogorov and Blake 2004, "GrabCut": interactive foreground extraction
    using iterated graph cuts.
    Khoreva et al. 2017, "Simple Does It: weakly supervised instance and semantic
    segmentation", sec. 4.2: corners by 5 % of the box, background of 10 to 60 %.
"""

import types

import numpy as np

from fcn_jax.proposals import candidates as masks
from fcn_jax.proposals import opencv
from fcn_jax.proposals.candidates import Candidates

JITTER = 0.05  # Of the corners, a share of the box's sides.
MARGINS = (0.1, 0.6)  # Of background around a box, a share of its sides.
_ITERATIONS = 5


def propose(
    image: np.ndarray,
    boxes: np.ndarray,
    *,
    runs: int = 150,
    iterations: int = _ITERATIONS,
    seed: int = 0,
) -> Candidates:
    """Masks of boxes, each of several runs of GrabCut.

    What a run finds lies in its box as it is moved. A run that finds nothing, or has no
    background because its box is the whole image, leaves the rectangle.

    Args:
        image: uint8 RGB [H, W, 3].
        boxes: (row0, col0, row1, col1) inside the image, integer [K, 4], K at least 1.
        runs: Of each box; the first has the box as it is.
        iterations: Of each run.
        seed: Of the perturbations, and of GrabCut's clusters.

    Returns:
        K * runs masks at most, without duplicates; those of a box together.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If a shape is another, there is no box, or one leaves the image, or
            a number is not positive.
        ImportError: If OpenCV is not there.
    """
    _check(image, boxes, runs, iterations)
    cv2, found = opencv.load_for_masks(), []
    for number, box in enumerate(boxes):
        rng = np.random.default_rng([seed, number])
        for run in range(runs):
            moved, margin = _perturbed(box, image.shape[:2], rng)
            if run == 0:
                moved = box.astype(np.int64)
            cv2.setRNGSeed(int(rng.integers(1 << 30)))
            found.append(cut_out(cv2, image, moved, margin, iterations))
    return masks.without_duplicates(masks.from_masks(np.stack(found)))[0]


def _perturbed(
    box: np.ndarray, size: tuple[int, ...], rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """A box with moved corners, inside the image, and a share of background."""
    sides = np.tile(box[2:] - box[:2], 2)
    moved = np.round(box + rng.uniform(-JITTER, JITTER, 4) * sides).astype(np.int64)
    ends = np.tile(size[:2], 2)
    moved = np.clip(moved, 0, ends)
    moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
    moved = np.minimum(moved, ends)
    moved[:2] = np.minimum(moved[:2], moved[2:] - 1)
    return moved, float(rng.uniform(*MARGINS))


def cut_out(
    cv2: types.ModuleType,
    image: np.ndarray,
    box: np.ndarray,
    margin: float,
    iterations: int = _ITERATIONS,
) -> np.ndarray:
    """One run of GrabCut.

    Args:
        cv2: OpenCV; its generator of random numbers decides the clusters.
        image: uint8 RGB [H, W, 3].
        box: (row0, col0, row1, col1), integer [4].
        margin: What is seen of the image around it, a share of its sides.
        iterations: Of the run.

    Returns:
        bool [H, W]; the rectangle where GrabCut finds nothing, or sees no background.
    """
    size = np.array(image.shape[:2])
    around = np.ceil((box[2:] - box[:2]) * margin).astype(np.int64)
    start, end = np.maximum(box[:2] - around, 0), np.minimum(box[2:] + around, size)
    mask = np.zeros(image.shape[:2], np.bool_)
    inner = slice(box[0], box[2]), slice(box[1], box[3])
    if (start == box[:2]).all() and (end == box[2:]).all():
        mask[inner] = True
        return mask
    outer = slice(start[0], end[0]), slice(start[1], end[1])
    seen = np.ascontiguousarray(image[outer][..., ::-1])  # It takes BGR.
    labels = np.zeros(seen.shape[:2], np.uint8)
    row, col = (box[:2] - start).tolist()
    height, width = (box[2:] - box[:2]).tolist()
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(
        seen, labels, (col, row, width, height), *models, iterations,
        cv2.GC_INIT_WITH_RECT,
    )  # fmt: skip
    mask[outer] = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if not mask.any():
        mask[inner] = True
    return mask


def _check(image: np.ndarray, boxes: np.ndarray, runs: int, iterations: int) -> None:
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"grabcut: an image of shape {image.shape}; expected RGB, [H, W, 3]."
        )
    if image.dtype != np.uint8:
        raise TypeError(f"grabcut: the image is {image.dtype}; expected uint8.")
    if runs < 1 or iterations < 1:
        raise ValueError(
            f"grabcut: runs={runs}, iterations={iterations}; both are at least 1."
        )
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
        raise ValueError(
            f"grabcut: boxes of shape {boxes.shape}; expected [K, 4], one or more."
        )
    starts, ends = boxes[:, :2], boxes[:, 2:]
    wrong = (starts < 0) | (ends <= starts) | (ends > np.array(image.shape[:2]))
    if wrong.any():
        place = int(np.flatnonzero(wrong.any(axis=1))[0])
        raise ValueError(
            f"grabcut: box {place}, {tuple(boxes[place].tolist())}, has no area or "
            f"leaves the image of {image.shape[0]}x{image.shape[1]} (height x width)."
        )
