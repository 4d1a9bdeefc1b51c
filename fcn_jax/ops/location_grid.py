"""Classifiers that belong to a place in a box, their probabilities mixed in between.

A box's window has K x K classifiers, each at the centre of its cell. A pixel asks the
four nearest, each of which has scored that pixel, and mixes what they answer: the
probabilities, not the scores.

References:
    Hariharan et al. 2015, arXiv:1411.5752, sec. 3.2 and 4; bharath272/caffe-sds,
    local_layer_simple.cpp.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def check_grid(grid: int, side: int) -> None:
    """Refuse a grid that does not fit its window.

    Args:
        grid: Classifiers in each direction, K.
        side: Of the window, pixels.

    Raises:
        ValueError: If K is not in 1 to `side`.
    """
    if not 1 <= grid <= side:
        raise ValueError(
            f"grid={grid} classifiers in each direction of a window of {side} pixels; "
            f"choose 1 to {side} (the published nets have 5 and 10)."
        )


@functools.cache
def cell_weights(side: int, grid: int) -> np.ndarray:
    """The weight of each cell at each pixel of one side of a window.

    Pixel x lies at (x + 1/2) K / side - 1/2, in cells; beyond the centres of the
    outermost these alone count.

    Args:
        side: Of the window, pixels.
        grid: Cells, K.

    Returns:
        float64 [side, K], not to be written to; rows sum to 1.

    Raises:
        ValueError: If K is not in 1 to `side`.
    """
    check_grid(grid, side)
    place = (np.arange(side) + 0.5) * grid / side - 0.5
    place = np.clip(place, 0, grid - 1)
    found = np.maximum(1 - np.abs(place[:, None] - np.arange(grid)), 0)
    found.flags.writeable = False  # All who ask get this one.
    return found


def mixed_logits(scores: Array) -> Array:
    """What the classifiers of a grid say together of each pixel, as a logit.

    p = sum_k w_k sigmoid(s_k), and the result is log p - log(1 - p), each a log-sum-exp
    of log-sigmoids: exact and finite however large the scores are. So are the gradients
    of its logistic loss: -r_k (1 - p_k) with r_k = w_k p_k / p for a pixel of the
    object, r_k p_k with r_k = w_k (1 - p_k) / (1 - p) for another.

    Args:
        scores: [..., side, side, K * K] floating point, cells row by row.

    Returns:
        [..., side, side], of the scores' dtype.

    Raises:
        ValueError: If the last axis is no square, K is larger than the side, or the
            window is not square.
    """
    side, count = scores.shape[-2], scores.shape[-1]
    grid = round(count**0.5)
    if scores.ndim < 3 or grid**2 != count or scores.shape[-3] != side:
        raise ValueError(
            f"mixed_logits: scores of shape {tuple(scores.shape)}; expected "
            f"[..., side, side, K * K], a score of every cell at every pixel."
        )
    along = cell_weights(side, grid)
    weights = np.einsum("yi,xj->yxij", along, along).reshape(side, side, count)
    leading = (1,) * (scores.ndim - 3)
    log_weights = jnp.asarray(
        np.log(weights, out=np.full_like(weights, -np.inf), where=weights > 0),
        scores.dtype,
    ).reshape(*leading, side, side, count)
    inside = jax.nn.logsumexp(jax.nn.log_sigmoid(scores) + log_weights, axis=-1)
    outside = jax.nn.logsumexp(jax.nn.log_sigmoid(-scores) + log_weights, axis=-1)
    return inside - outside
