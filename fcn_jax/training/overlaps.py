"""Losses of how predicted and true regions overlap: Dice and Tversky.

Each class counts alike, however few its pixels; a class that is true nowhere in the
batch counts nowhere. The regions are those of the whole batch, over all devices: what a
pole adds to its ratio does not depend on which image, or device, it is in.

References:
    Milletari et al. 2016, arXiv:1606.04797 (V-Net); Salehi et al. 2017,
    arXiv:1706.05721 (Tversky).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.training import pixels, replicas
from fcn_jax.training.losses import RegionLoss, SharedLoss

Array = jax.Array


class Overlaps(NamedTuple):
    """How many pixels are predicted, true, and both; [N, C] of images, or [1, C]."""

    both: Array  # Sum of the probabilities of a class where it is true.
    predicted: Array  # Sum of the probabilities.
    true: Array  # Pixels.


class Tversky(RegionLoss):
    """The Tversky loss with `losses.LossOptions.tversky`; see `tversky`."""

    @property
    def false_counts(self) -> tuple[float, float]:
        """What a false positive and a false negative count."""
        return self.options.tversky

    def of_head(
        self, logits: Array, labels: Array, keep: Array | None, head: str
    ) -> SharedLoss:
        """See `HeadwiseLoss`.

        Args:
            logits: [B, H, W, C].
            labels: [B, H, W] int32.
            keep: Pixels that may count, [B, H, W] bool; None: all.
            head: Its name; "" where there is one.
        """
        alpha, beta = self.false_counts
        return tversky(
            logits,
            labels,
            alpha=alpha,
            beta=beta,
            ignore_label=self.ignored(head),
            keep=keep,
            per_image=self.options.per_image,
            axis_name=self.options.axis_name,
        )


class Dice(Tversky):
    """The Dice loss: that of Tversky with a half and a half."""

    @property
    def false_counts(self) -> tuple[float, float]:
        """What a false positive and a false negative count."""
        return 0.5, 0.5


def tversky(
    logits: Array,
    labels: Array,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    ignore_label: int = IGNORE_LABEL,
    keep: Array | None = None,
    per_image: bool = False,
    axis_name: str | None = None,
) -> SharedLoss:
    """1 - TP / (TP + alpha FP + beta FN), averaged over the classes that are true.

    TP, FP and FN are sums of probabilities over the pixels that count. A half and a
    half is the Dice loss, 1 - 2 TP / (predicted + true); larger beta favours recall.

    Not so in segmentation_models_pytorch 0.6, `DiceLoss` and `TverskyLoss`: the mean is
    over all classes, those that are true nowhere adding 0, so that ours is theirs times
    C / (classes that are true). Nothing is added to numerator and denominator (their
    `smooth`, 0 too by default), there is no form with a logarithm (`log_loss`) or an
    exponent (`gamma`), and scores are always logits (`from_logits`).

    Args:
        logits: [N, H, W, C]; lower precisions are computed in float32, as are all sums.
        labels: [N, H, W] integer, in [0, C) or `ignore_label`.
        alpha: What a false positive counts, at least 0.
        beta: What a false negative counts, at least 0; not both are 0.
        ignore_label: The label of void pixels, which are ignored.
        keep: Pixels that may count, [N, H, W] bool; None: all.
        per_image: Whether it is the mean of the losses of the images; one without a
            pixel that counts adds 0.
        axis_name: Of the mapped axis of the devices that share the batch; None: none.

    Returns:
        This device's share, of the logits' precision, at least float32. Without a pixel
        that counts it is 0, and so is the gradient.

    Raises:
        TypeError: If the labels are not integers or `keep` is not bool.
        ValueError: If alpha and beta are no such numbers, or as `losses.cross_entropy`.
    """
    if not are_false_counts(alpha, beta):
        raise ValueError(
            f"tversky: alpha={alpha}, beta={beta} are what false positives and "
            f"negatives count: numbers from 0 on, not both 0, such as 0.3 and 0.7."
        )
    pixels.check_pixels("tversky", logits, labels, ignore_label, keep)
    valid = pixels.valid_pixels(labels, logits.shape[-1], ignore_label, keep)
    found = overlaps(logits, labels, valid)
    devices = 1 if axis_name is None else jax.lax.axis_size(axis_name)
    if not per_image:
        found = jax.tree.map(lambda x: jnp.sum(x, axis=0, keepdims=True), found)
        if axis_name is not None:
            found = replicas.own(jax.lax.psum(found, axis_name), axis_name)
    both, predicted, true = found
    whole = both + alpha * (predicted - both) + beta * (true - both)
    # Of a class that is true it is 0 at beta = 0 alone, where nothing is predicted.
    ratio = both / jnp.maximum(whole, jnp.finfo(whole.dtype).eps)
    present = true > 0
    nothing = jnp.zeros((), ratio.dtype)
    loss = jnp.sum(jnp.where(present, 1 - ratio, nothing), axis=-1)
    loss = loss / jnp.maximum(jnp.sum(present, axis=-1), 1).astype(loss.dtype)
    return SharedLoss(jnp.sum(loss) / (max(1, loss.shape[0]) * devices))


def are_false_counts(alpha: object, beta: object) -> bool:
    """Whether these can be what false positives and negatives count.

    Args:
        alpha: Of a false positive.
        beta: Of a false negative.
    """
    return (
        isinstance(alpha, int | float)
        and isinstance(beta, int | float)
        and min(alpha, beta) >= 0
        and max(alpha, beta) > 0
        and alpha + beta < float("inf")
    )


@jax.checkpoint  # Its gradient needs the scores alone, no map of probabilities.
def overlaps(logits: Array, labels: Array, valid: Array) -> Overlaps:
    """What `tversky` is made of, image by image.

    Args:
        logits: [N, H, W, C].
        labels: [N, H, W] integer.
        valid: Which pixels count, [N, H, W] bool.

    Returns:
        [N, C] each, of the logits' precision, at least float32.
    """
    probs = jax.nn.softmax(pixels.wide(logits))
    hit = pixels.of_class(labels, logits.shape[-1]) & valid[..., None]
    zero = jnp.zeros((), probs.dtype)
    return Overlaps(
        jnp.sum(jnp.where(hit, probs, zero), axis=(1, 2)),
        jnp.sum(jnp.where(valid[..., None], probs, zero), axis=(1, 2)),
        jnp.sum(hit, axis=(1, 2), dtype=jnp.int32).astype(probs.dtype),
    )
