"""The Lovász-Softmax loss: a convex surrogate of 1 - IU of each class.

References:
    Berman et al. 2018, arXiv:1705.08790, alg. 1 and eq. 11; bermanmaxim/LovaszSoftmax.
"""

import jax
import jax.numpy as jnp

from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.training import pixels
from fcn_jax.training.losses import RegionLoss, SharedLoss

Array = jax.Array


class Lovasz(RegionLoss):
    """The Lovász-Softmax loss, a part for each head; see `lovasz`."""

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
        return lovasz(
            logits,
            labels,
            ignore_label=self.ignored(head),
            keep=keep,
            per_image=self.options.per_image,
            axis_name=self.options.axis_name,
        )


def lovasz(
    logits: Array,
    labels: Array,
    *,
    ignore_label: int = IGNORE_LABEL,
    keep: Array | None = None,
    per_image: bool = False,
    axis_name: str | None = None,
) -> SharedLoss:
    """Errors of probabilities weighed by how much IU each costs, a class after another.

    The errors of all pixels of the batch are sorted, over all devices, which see each
    other's for it; the gradient of a pixel is its weight, and stays on its device. It
    takes three maps of [N, H, W, C] in float32. The mean is over the classes that are
    true somewhere (of the image, with `per_image`), as in the release and in
    segmentation_models_pytorch 0.6, `LovaszLoss`. The steps of IU are written out
    (1 / union, and intersection / (union * (union - 1))) where those subtract
    neighbours, which in float32 loses digits at many pixels.

    Args:
        logits: [N, H, W, C]; lower precisions are computed in float32.
        labels: [N, H, W] integer, in [0, C) or `ignore_label`.
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
        ValueError: As `losses.cross_entropy`.
    """
    pixels.check_pixels("lovasz", logits, labels, ignore_label, keep)
    num_classes = logits.shape[-1]
    valid = pixels.valid_pixels(labels, num_classes, ignore_label, keep)
    labels = jnp.where(valid, labels.astype(jnp.int32), -1)  # [N, H, W]; -1: void.
    weights = _weights(
        jax.lax.stop_gradient(logits), labels, per_image=per_image, axis_name=axis_name
    )
    return SharedLoss(_weighed_errors(logits, labels, weights))


@jax.checkpoint  # Its gradient needs scores and weights, no map of probabilities.
def _weighed_errors(logits: Array, labels: Array, weights: Array) -> Array:
    probs = jax.nn.softmax(pixels.wide(logits))
    hit = pixels.of_class(labels, logits.shape[-1])
    weights = jnp.moveaxis(weights, 0, -1)  # [N, H, W, C]
    return jnp.sum(weights * jnp.where(hit, 1 - probs, probs))


def _weights(
    logits: Array, labels: Array, *, per_image: bool, axis_name: str | None
) -> Array:
    """What the error of each pixel counts, by class, [C, N, H, W]; 0 for void."""
    rows, num_classes = labels.shape[0], logits.shape[-1]
    probs = jax.nn.softmax(pixels.wide(logits))
    each = labels.shape[1] * labels.shape[2]
    sets = (rows, each) if per_image else (1, rows * each)  # What is sorted together.
    flat = labels.reshape(sets)  # [S, P]
    devices = 1 if axis_name is None else jax.lax.axis_size(axis_name)
    shared = axis_name is not None and not per_image

    def gathered(x: Array):
        if not shared:
            return x
        return jax.lax.all_gather(x, axis_name, axis=1, tiled=True)

    def own(x: Array):
        if not shared:
            return x
        first = jax.lax.axis_index(axis_name) * flat.shape[1]
        return jax.lax.dynamic_slice_in_dim(x, first, flat.shape[1], axis=1)

    everyones = gathered(flat)
    classes = jnp.arange(num_classes, dtype=jnp.int32)
    true = jax.lax.map(
        lambda c: jnp.sum(everyones == c, axis=1, dtype=jnp.int32), classes
    )
    present = true > 0  # [C, S]
    count = jnp.maximum(jnp.sum(present, axis=0), 1).astype(probs.dtype)  # [S]
    if per_image:
        count = count * (rows * devices)

    def of_class(c: Array):
        prob = probs[..., c].reshape(sets)
        error = gathered(jnp.where(flat == c, 1 - prob, prob))
        found = jax.lax.cond(
            jnp.any(present[c]),
            lambda: steps_of_iu(error, everyones == c, everyones >= 0),
            lambda: jnp.zeros_like(error),
        )
        found = jnp.where(present[c][:, None], found, jnp.zeros((), found.dtype))
        return own(found) / count[:, None]

    return jax.lax.map(of_class, classes).reshape(num_classes, *labels.shape)


def steps_of_iu(error: Array, true: Array, valid: Array) -> Array:
    """What each pixel adds to 1 - IU when pixels turn wrong, the worst first.

    Args:
        error: Of each pixel of a set, float [S, P]; of equals the first is the worst.
        true: Which are of the class, bool [S, P]; at least one of a set.
        valid: Which count, bool [S, P]; others are given 0.

    Returns:
        [S, P] of the dtype of `error`; those of a set sum to 1.
    """
    true = true & valid
    place = jax.lax.broadcasted_iota(jnp.int32, error.shape, 1)
    last = jnp.full((), jnp.inf, error.dtype)
    # One number beside the key, place and truth: pairs are what GPUs sort fast.
    _, packed = jax.lax.sort(
        (jnp.where(valid, -error, last), 2 * place + true.astype(jnp.int32)),
        dimension=1,
        num_keys=1,
    )
    place, true_sorted = packed >> 1, (packed & 1) > 0
    seen = jnp.cumsum(true_sorted, axis=1, dtype=jnp.int32)
    all_true = seen[:, -1:]
    # Whole numbers, which float32 would not hold beyond 2 ** 24.
    left = (all_true - seen).astype(error.dtype)
    rank = jax.lax.broadcasted_iota(jnp.int32, error.shape, 1) + 1
    union = (all_true + rank - seen).astype(error.dtype)
    step = jnp.where(true_sorted, 1 / union, left / union / jnp.maximum(union - 1, 1))
    rows = jax.lax.broadcasted_iota(jnp.int32, error.shape, 0)
    found = jnp.zeros_like(step).at[rows, place].set(step, unique_indices=True)
    return jnp.where(valid, found, jnp.zeros((), found.dtype))
