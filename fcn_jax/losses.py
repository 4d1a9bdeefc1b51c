"""First, short form of this module."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array


class PixelLoss(NamedTuple):
    total: Array
    count: Array
    weight: Array


def cross_entropy(logits, labels, *, ignore_label=255, class_weights=None, keep=None):
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    valid = labels != ignore_label
    if keep is not None:
        valid = valid & keep
    log_probs = jax.nn.log_softmax(logits)
    classes = jnp.arange(logits.shape[-1], dtype=labels.dtype)[None, None, None]
    hit = (labels[..., None] == classes) & valid[..., None]
    zero = jnp.zeros((), logits.dtype)
    if class_weights is None:
        total = -jnp.sum(jnp.where(hit, log_probs, zero))
        weight = jnp.sum(valid).astype(logits.dtype)
    else:
        w = class_weights.astype(logits.dtype)[None, None, None]
        total = -jnp.sum(jnp.where(hit, log_probs * w, zero))
        weight = jnp.sum(jnp.where(hit, jnp.broadcast_to(w, hit.shape), zero))
    return PixelLoss(total, jnp.sum(valid).astype(logits.dtype), weight)


def reduce_loss(total, weight, num_examples, reduction="mean"):
    if reduction == "sum":
        return total / num_examples
    return total / jnp.maximum(weight, 1)


def sample_pixels(keys, labels, probability, stride=1):
    h, w = -(-labels.shape[1] // stride), -(-labels.shape[2] // stride)
    keep = jax.vmap(lambda k: jax.random.bernoulli(k, probability, (h, w)))(keys)
    keep = jnp.repeat(jnp.repeat(keep, stride, 1), stride, 2)
    return keep[:, : labels.shape[1], : labels.shape[2]]
