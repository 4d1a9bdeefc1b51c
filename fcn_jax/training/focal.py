"""The focal loss: cross-entropy in which pixels that are right already count less.

References:
    Lin et al. 2017, arXiv:1708.02002, eq. 4, with softmax in place of the sigmoid.
"""

import jax
import jax.numpy as jnp

from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.training import losses, pixels
from fcn_jax.training.losses import HeadwiseLoss, PixelLoss

Array = jax.Array


class Focal(HeadwiseLoss):
    """The focal loss with `losses.LossOptions.focal_gamma`; see `focal`."""

    def of_head(
        self, logits: Array, labels: Array, keep: Array | None, head: str
    ) -> PixelLoss:
        """See `HeadwiseLoss`.

        Args:
            logits: [B, H, W, C].
            labels: [B, H, W] int32.
            keep: Pixels that may count, [B, H, W] bool; None: all.
            head: Its name; "" where there is one.
        """
        return focal(
            logits,
            labels,
            gamma=self.options.focal_gamma,
            ignore_label=self.ignored(head),
            class_weights=self.weights(head),
            keep=keep,
        )


def focal(
    logits: Array,
    labels: Array,
    *,
    gamma: float = 2.0,
    ignore_label: int = IGNORE_LABEL,
    class_weights: Array | None = None,
    keep: Array | None = None,
) -> PixelLoss:
    """(1 - p) ** gamma * -log p of the true class, summed over the pixels that count.

    The weights of the classes are the paper's alpha. Not so in
    segmentation_models_pytorch 0.6: `FocalLoss` of several classes adds a focal loss of
    a sigmoid for each class against the rest, and its mean is over all pixels that are
    not ignored, whatever their alpha. With two classes its binary form, given the
    difference of the scores, is this loss.

    Args:
        logits: [N, H, W, C]; lower precisions are computed in float32.
        labels: [N, H, W] integer, in [0, C) or `ignore_label`.
        gamma: At least 0; 0 is cross-entropy, bit for bit.
        ignore_label: The label of void pixels, which are ignored.
        class_weights: Weight of each class, [C]; None: all 1.
        keep: Pixels that may count, [N, H, W] bool; None: all.

    Returns:
        As `losses.cross_entropy`; the mean is over the weights of the classes, as there
        (not over what the focal factor leaves of them).

    Raises:
        TypeError: If the labels are not integers or `keep` is not bool.
        ValueError: If gamma is negative, or as `losses.cross_entropy`.
    """
    if not 0 <= gamma < float("inf"):
        raise ValueError(f"focal: gamma={gamma} is no number from 0 on; 2 is usual.")
    pixels.check_pixels("focal", logits, labels, ignore_label, keep)
    pixels.check_weights("focal", class_weights, logits.shape[-1])
    hit = pixels.of_class(labels, logits.shape[-1])
    valid = pixels.valid_pixels(labels, logits.shape[-1], ignore_label, keep)
    loss = losses.minus_log_probability(pixels.wide(logits), hit)
    if gamma:
        # Where p is 1 the power of an exponent below 1 has no slope; it is never 0.
        least = jnp.finfo(loss.dtype).tiny
        wrong = jnp.maximum(-jnp.expm1(-loss), least)  # 1 - p, exact near 0 too.
        loss = wrong**gamma * loss
    return losses.summed(loss, hit, valid, class_weights)
