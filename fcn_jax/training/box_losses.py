"""Losses of boxes: which class each has, and which of its pixels are the object's.

References:
    Hariharan et al. 2015, arXiv:1411.5752, sec. 4; bharath272/sds,
    model_defs/hypercolumn_train_pydata.prototxt (weights by area, no class for void).
    Girshick 2015, arXiv:1504.08083, sec. 2.3.
"""

import dataclasses
from collections.abc import Mapping

import chex
import jax
import jax.numpy as jnp

from fcn_jax.data.batch import Batch
from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.models.network import Outputs
from fcn_jax.training.loss_options import LossOptions
from fcn_jax.training.losses import Part, PixelLoss

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class _BoxLoss:
    """What losses of boxes share: they see what a net says of each, and no map."""

    options: LossOptions = dataclasses.field(default_factory=LossOptions)

    @property
    def reduction(self) -> str:
        """How its part is divided."""
        return self.options.reduction

    def _found(self, outputs: Outputs, name: str) -> Array:
        """What a network says of boxes.

        Raises:
            ValueError: If it says nothing of them.
        """
        if not isinstance(outputs, Mapping) or name not in outputs:
            raise ValueError(
                f"{type(self).__name__} compares {name} of boxes, and the network gave "
                f"none; train a network of boxes (hypercolumn, cfm) on batches with "
                f"boxes (config.data.objects.stage='regions', or 'segments' for cfm)."
            )
        return outputs[name]

    def _part(self, loss: Array, weight: Array, boxes: Array) -> PixelLoss:
        """The part: "sum" is a mean over the boxes that count of each image.

        Args:
            loss: Of each box, [B, M].
            weight: Of all that counts, by which "mean" divides; scalar.
            boxes: Which count, [B, M] bool.
        """
        count = jnp.sum(boxes, axis=1, dtype=jnp.int32)
        if self.reduction == "sum":
            share = jnp.maximum(count, 1).astype(loss.dtype)
            loss = loss / share[:, None]
        return PixelLoss(jnp.sum(loss), jnp.sum(count).astype(loss.dtype), weight)


class BoxMasks(_BoxLoss):
    """Logistic losses of the pixels of each box's window, times the box's weight.

    With the reduction "sum", as published, pixels are added, and boxes on objects
    averaged. With "mean" it is the weighted mean of the pixels that count.
    """

    def __call__(self, outputs: Outputs, batch: Batch, keys: Array) -> tuple[Part, ...]:
        """See `losses.Loss`.

        Args:
            outputs: With `mask_logits`, [B, M, side, side].
            batch: With `box_targets` uint8 [B, M, side, side], in which 255 counts
                nowhere, and `box_weights` float32 [B, M].
            keys: Of no use here.

        Raises:
            ValueError: If there is no mask of a box.
        """
        del keys
        logits, targets = self._found(outputs, "mask_logits"), batch["box_targets"]
        chex.assert_equal_shape([logits, targets])
        weights = batch["box_weights"].astype(logits.dtype)
        counts = (targets != IGNORE_LABEL) & (weights > 0)[..., None, None]
        signed = jnp.where(targets == 1, logits, -logits)
        zero = jnp.zeros((), logits.dtype)
        loss = jnp.where(counts, -jax.nn.log_sigmoid(signed), zero)
        loss = jnp.sum(loss, axis=(2, 3)) * weights
        pixels = jnp.sum(counts, axis=(2, 3), dtype=jnp.int32).astype(logits.dtype)
        return (self._part(loss, jnp.sum(pixels * weights), weights > 0),)


class BoxClasses(_BoxLoss):
    """Softmax cross-entropy of the boxes' classes, a mean over the boxes that have one.

    With the reduction "sum" it is the mean of the images' own means.
    """

    def __call__(self, outputs: Outputs, batch: Batch, keys: Array) -> tuple[Part, ...]:
        """See `losses.Loss`.

        Args:
            outputs: With `class_scores`, [B, M, C].
            batch: With `box_labels` int32 [B, M]; negative ones count nowhere.
            keys: Of no use here.

        Raises:
            ValueError: If there are no scores of boxes.
        """
        del keys
        scores, labels = self._found(outputs, "class_scores"), batch["box_labels"]
        chex.assert_shape(labels, scores.shape[:2])
        hit = (
            labels[..., None]
            == jnp.arange(scores.shape[-1], dtype=labels.dtype)[None, None]
        )
        zero = jnp.zeros((), scores.dtype)
        log_probs = jax.nn.log_softmax(scores)
        loss = -jnp.sum(jnp.where(hit, log_probs, zero), axis=-1)
        count = jnp.sum(labels >= 0, dtype=jnp.int32).astype(scores.dtype)
        return (self._part(loss, count, labels >= 0),)
