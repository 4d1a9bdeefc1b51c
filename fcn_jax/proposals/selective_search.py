"""Selective search: boxes of regions that a segmentation merges step by step.

References:
    Uijlings et al. 2013, "Selective search for object recognition".
"""

import numpy as np

from fcn_jax.proposals import opencv


def propose(
    image: np.ndarray, *, min_side: int, seed: int = 0, mode: str = "fast"
) -> tuple[np.ndarray, np.ndarray]:
    """Selective search, of OpenCV, in an order that the seed decides.

    OpenCV ranks by a random generator that cannot be seeded; its boxes are ranked anew
    in the way of Uijlings et al. (sec. 4.3): by u * r, u uniform in [0, 1) and r the
    rank of the box by its area, 1 for the largest. The score is 1 - u * r / M.

    Args:
        image: uint8 RGB [H, W, 3].
        min_side: Not used: what is smaller is dropped by `proposals.propose`.
        seed: Of u.
        mode: "fast" or "quality" (about four times as many boxes and as slow).

    Returns:
        Boxes, int32 [M, 4], and scores, float32 [M], best first.

    Raises:
        ValueError: If the mode is not known.
        ImportError: If OpenCV is not there.
    """
    del min_side
    if mode not in ("fast", "quality"):
        raise ValueError(
            f"selective_search: mode={mode!r} is not known; use 'fast' or 'quality'."
        )
    segmentation = opencv.load().ximgproc.segmentation
    search = segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(image[:, :, ::-1]))  # It takes BGR.
    if mode == "fast":
        search.switchToSelectiveSearchFast()
    else:
        search.switchToSelectiveSearchQuality()
    boxes = np.unique(opencv.from_corners(search.process()), axis=0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    boxes = boxes[np.argsort(-areas, kind="stable")]
    ranks = np.arange(1, len(boxes) + 1)
    values = np.random.default_rng(seed).random(len(boxes)) * ranks
    order = np.argsort(values, kind="stable")
    return boxes[order], (1 - values[order] / max(1, len(boxes))).astype(np.float32)
