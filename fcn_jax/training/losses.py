"""Cross-entropy over the pixels that count, as a sum (FCN) or a mean.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 4.4; BVLC/caffe, softmax_loss_layer.cpp.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fcn_jax.data.batch import Batch
from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.models.network import Outputs

Array = jax.Array

REDUCTIONS = ("sum", "mean")


@dataclasses.dataclass(frozen=True)
class LossOptions:
    """What a config says of the loss.

    Attributes:
        reduction: "sum" (over pixels, divided by the number of images, as in the FCN
            release) or "mean" (over the pixels that are not ignored).
        class_weights: Weight of each class; None: all 1. By head where there are
            several.
        pixel_probability: Probability with which a pixel takes part in the loss (Long
            et al. 2015, sec. 4.4, "patch sampling is loss sampling").
        stride: Side of the cells that are sampled together, pixels.
        ignore_label: The label of void pixels, which are ignored; by head where there
            are several.
    """

    reduction: str = "mean"
    class_weights: tuple[float, ...] | Mapping[str, tuple[float, ...]] | None = None
    pixel_probability: float = 1.0
    stride: int = 1
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL


class PixelLoss(NamedTuple):
    """A loss before its denominator is chosen."""

    total: Array  # Sum over the pixels that count, nats; scalar.
    # Pixels that are not ignored; scalar.
    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    weight: Array  # Sum of their class weights; `count` where there are none.


class Loss(Protocol):
    """A loss of a batch, as `training.train_step` takes it.

    Attributes:
        reduction: How its parts are divided, a key of `REDUCTIONS`.
    """

    @property
    def reduction(self) -> str:
        """See above."""
        ...

    def __call__(
        self, outputs: Outputs, batch: Batch, keys: Array
    ) -> Sequence[PixelLoss]:
        """The parts of the loss, which are reduced one by one and then added.

        Args:
            outputs: What the network gave, [B, H, W, C]; by head where there are
                several.
            batch: As it came, on this device.
            keys: A random key for every row, [B].
        """
        ...


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy, a part for each head; the loss of both papers."""

    options: LossOptions = LossOptions()

    @property
    def reduction(self) -> str:
        """How its parts are divided."""
        return self.options.reduction

    def __call__(
        self, outputs: Outputs, batch: Batch, keys: Array
    ) -> tuple[PixelLoss, ...]:
        """See `Loss`.

        Args:
            outputs: Logits, [B, H, W, C]; by head where there are several.
            batch: With `labels`, integer [B, H, W]; by head likewise.
            keys: A random key for every row, [B].
        """
        labels = batch["labels"]
        if not isinstance(outputs, Mapping):
            return (self._part(outputs, labels, keys, ""),)
        return tuple(
            self._part(outputs[head], labels[head], keys, head)
            for head in sorted(outputs)
        )

    def _part(self, logits: Array, labels: Array, keys: Array, head: str):
        chex.assert_rank(logits, 4)
        chex.assert_shape(labels, logits.shape[:3])
        options = self.options
        weights = _of_head(options.class_weights, head)
        labels = labels.astype(jnp.int32)
        keep = None
        if options.pixel_probability < 1:
            keep = sample_pixels(
                keys, labels, options.pixel_probability, options.stride
            )
        return cross_entropy(
            logits,
            labels,
            ignore_label=_of_head(options.ignore_label, head),
            class_weights=None if weights is None else jnp.asarray(weights, "float32"),
            keep=keep,
        )


def _of_head(value: Any, head: str) -> Any:
    """A value of one head, or the one that all heads have."""
    return value[head] if isinstance(value, Mapping) else value


def cross_entropy(
    logits: Array,
    labels: Array,
    *,
    ignore_label: int = IGNORE_LABEL,
    class_weights: Array | None = None,
    keep: Array | None = None,
) -> PixelLoss:
    """Softmax cross-entropy, summed over the pixels that count.

    A pixel counts if its label is a class, is not `ignore_label`, and is kept. Under
    `jit` one that is neither is void too; outside, it is an error.

    The score of the true class is selected by comparison: nothing is indexed by a
    label, so one that is no class does no harm, and there is no scatter in the
    gradient. At [8, 360, 480, 11] on a CPU, value and gradient together take 0.7
    times as long as with `take_along_axis` and 0.85 times as long as with a whole
    `log_softmax`.

    Args:
        logits: [N, H, W, C]; lower precisions are computed in float32.
        labels: [N, H, W] integer, in [0, C) or `ignore_label`.
        ignore_label: The label of void pixels, which are ignored.
        class_weights: Weight of each class, [C]; None: all 1.
        keep: Pixels that may count, [N, H, W] bool; None: all.

    Returns:
        Scalars of the logits' precision, at least float32. Without a pixel that
        counts all are 0, and so is the gradient. Caffe clamps probabilities at the
        smallest float before the logarithm, so it reports at most 87.3 nats a pixel;
        its gradient does not know of that, and this value is not clamped.

    Raises:
        TypeError: If the labels are not integers or `keep` is not bool.
        ValueError: If shapes do not fit, or outside `jit` a label is neither a class
            nor `ignore_label`.
    """
    _check(logits, labels, class_weights, keep)
    _check_values(labels, logits.shape[-1], ignore_label)
    num_classes = logits.shape[-1]
    wide = jnp.float64 if logits.dtype == jnp.float64 else jnp.float32
    logits = logits.astype(wide)
    labels = labels.astype(jnp.int32)
    zero = jnp.zeros((), logits.dtype)
    valid = (labels >= 0) & (labels < num_classes) & (labels != ignore_label)
    if keep is not None:
        valid = valid & keep
    classes = jnp.arange(num_classes, dtype=jnp.int32)[None, None, None]
    hit = labels[..., None] == classes  # [N, H, W, C]
    shift = jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    shifted = logits - shift  # At most 0, so that no exponential overflows.
    log_norm = jnp.log(jnp.sum(jnp.exp(shifted), axis=-1))
    loss = log_norm - jnp.sum(jnp.where(hit, shifted, zero), axis=-1)  # [N, H, W]
    count = jnp.sum(valid, dtype=jnp.int32).astype(logits.dtype)
    if class_weights is None:
        return PixelLoss(jnp.sum(jnp.where(valid, loss, zero)), count, count)
    weights = class_weights.astype(logits.dtype)[None, None, None]
    weights = jnp.sum(jnp.where(hit, weights, zero), axis=-1)  # [N, H, W]
    total = jnp.sum(jnp.where(valid, loss * weights, zero))
    return PixelLoss(total, count, jnp.sum(jnp.where(valid, weights, zero)))


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
        ValueError: If the probability is not in (0, 1] or the stride not positive.

    References:
        Long et al. 2015, sec. 4.4 ("Patch Sampling").
    """
    if not 0 < probability <= 1:
        raise ValueError(
            f"sample_pixels: probability={probability} is not in (0, 1]; 1 keeps all "
            f"pixels."
        )
    if stride < 1:
        raise ValueError(
            f"sample_pixels: stride={stride} is not positive; 1 draws every pixel for "
            f"itself."
        )
    height, width = labels.shape[1:]
    cells = (-(-height // stride), -(-width // stride))
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, probability, cells))(keys)
    for axis in (1, 2) if stride > 1 else ():
        keep = jnp.repeat(keep, stride, axis=axis)
    return keep[:, :height, :width]


def _check_values(labels: Array, num_classes: int, ignore_label: int) -> None:
    """Raise if a label that is known already would be void in silence."""
    if isinstance(labels, Tracer):
        return
    values = np.asarray(labels)
    wrong = ((values < 0) | (values >= num_classes)) & (values != ignore_label)
    if wrong.any():
        place = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise ValueError(
            f"cross_entropy: label {int(values[place])} at {place}; with {num_classes} "
            f"classes labels are 0 to {num_classes - 1}, or ignore_label="
            f"{ignore_label}."
        )


def _check(
    logits: Array, labels: Array, class_weights: Array | None, keep: Array | None
) -> None:
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
    if keep is not None and keep.shape != labels.shape:
        raise ValueError(
            f"cross_entropy: keep has shape {keep.shape}; expected that of the labels, "
            f"{labels.shape}."
        )
    if keep is not None and keep.dtype != jnp.bool_:
        raise TypeError(
            f"cross_entropy: keep is {keep.dtype}; expected bool. To weigh classes, "
            f"pass class_weights."
        )
