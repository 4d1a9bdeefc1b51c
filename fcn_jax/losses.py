"""Cross-entropy over the pixels that count, as a sum (FCN) or a mean.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 4.4; BVLC/caffe, softmax_loss_layer.cpp.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array

REDUCTIONS = ("sum", "mean")


class PixelLoss(NamedTuple):
    """A loss before its denominator is chosen."""

    total: Array  # Sum over the pixels that count, nats; scalar.
    count: Array  # Pixels that count; scalar.
    weight: Array  # Sum of their class weights; `count` where there are none.


def cross_entropy(
    logits: Array,
    labels: Array,
    *,
    ignore_label: int = 255,
    class_weights: Array | None = None,
    keep: Array | None = None,
) -> PixelLoss:
    """Softmax cross-entropy, summed over the pixels that count.

    The class is selected by comparison: a label that is no class could be gathered
    from the wrong place, and selecting is the faster of the two.

    Args:
        logits: [N, H, W, C]; lower precisions are computed in float32.
        labels: [N, H, W] integer, in [0, C) or `ignore_label`.
        ignore_label: The label that counts nowhere.
        class_weights: Weight of each class, [C]; None: all 1.
        keep: Pixels that may count, [N, H, W] bool; None: all.

    Returns:
        Scalars of the logits' precision, at least float32. Without a pixel that
        counts all are 0, and so is the gradient. (Caffe reports at most
        -log(1.2e-38) a pixel; this value is not clamped.)

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If shapes do not fit.
    """
    _check(logits, labels, class_weights)
    wide = jnp.float64 if logits.dtype == jnp.float64 else jnp.float32
    logits = logits.astype(wide)
    valid = labels != ignore_label
    if keep is not None:
        valid = valid & keep
    classes = jnp.arange(logits.shape[-1], dtype=labels.dtype)[None, None, None]
    hit = (labels[..., None] == classes) & valid[..., None]  # [N, H, W, C]
    zero = jnp.zeros((), logits.dtype)
    log_probs = jax.nn.log_softmax(logits)
    count = jnp.sum(hit, dtype=jnp.int32).astype(logits.dtype)
    if class_weights is None:
        return PixelLoss(-jnp.sum(jnp.where(hit, log_probs, zero)), count, count)
    weights = class_weights.astype(logits.dtype)[None, None, None]
    total = -jnp.sum(jnp.where(hit, log_probs * weights, zero))
    weight = jnp.sum(jnp.where(hit, jnp.broadcast_to(weights, hit.shape), zero))
    return PixelLoss(total, count, weight)


def reduce_loss(
    total: Array, weight: Array, num_examples: int, reduction: str = "mean"
) -> Array:
    """Divide a summed loss by what the reduction says.

    Args:
        total: Sum over pixels.
        weight: Sum of the weights of the pixels, over all devices.
        num_examples: Images, over all devices.
        reduction: "sum": by the images (Caffe's unnormalised form); "mean": by the
            weight, 0 where nothing counts.

    Raises:
        ValueError: If the reduction is unknown.
    """
    if reduction == "sum":
        return total / num_examples
    if reduction == "mean":
        return total / jnp.where(weight > 0, weight, jnp.ones((), weight.dtype))
    raise ValueError(
        f"loss reduction {reduction!r} is not known; use one of "
        f"{', '.join(REDUCTIONS)}."
    )


def sample_pixels(
    keys: Array, labels: Array, probability: float, stride: int = 1
) -> Array:
    """Choose at random which pixels take part in the loss.

    Args:
        keys: A random key for every image, [N].
        labels: [N, H, W]; only their shape matters.
        probability: With which each cell is kept, in (0, 1].
        stride: Side of the cells that are kept or left out together, in pixels.

    Returns:
        [N, H, W] bool.

    Raises:
        ValueError: If the probability is not in (0, 1].

    References:
        Long et al. 2015, sec. 4.4 ("Patch Sampling").
    """
    if not 0 < probability <= 1:
        raise ValueError(
            f"sample_pixels: probability={probability} is not in (0, 1]; 1 keeps all "
            f"pixels."
        )
    height, width = labels.shape[1:]
    cells = (-(-height // stride), -(-width // stride))
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, probability, cells))(keys)
    for axis in (1, 2) if stride > 1 else ():
        keep = jnp.repeat(keep, stride, axis=axis)
    return keep[:, :height, :width]


def _check(logits: Array, labels: Array, class_weights: Array | None) -> None:
    if logits.ndim != 4 or logits.shape[:3] != labels.shape:
        raise ValueError(
            f"cross_entropy: logits {logits.shape} and labels {labels.shape} do not "
            f"fit; expected [N, H, W, C] and [N, H, W]."
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"cross_entropy: labels are {labels.dtype}; expected integers.")
    if class_weights is not None and class_weights.shape != logits.shape[-1:]:
        raise ValueError(
            f"cross_entropy: class_weights have shape {class_weights.shape}; expected "
            f"one weight for each of the {logits.shape[-1]} classes."
        )
