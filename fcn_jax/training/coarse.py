"""Cross-entropy of scores that are yet to be upsampled: no map of all pixels is held.

The map of logits is the largest of float32 that a step of an FCN has (8 of 500x500 with
21 classes: 168 MB), and all of it follows from scores a factor of 64 smaller. Forward,
logits are made, and the pixels' normalisers kept, [N, H, W]; backward they are made
again, row by row of the blocks that a cell upsamples to, and added up at once.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from fcn_jax.ops import upsampled
from fcn_jax.ops.upsampled import Frame, Upsampled

Array = jax.Array


def cross_entropy(
    logits: Upsampled, labels: Array, valid: Array, class_weights: Array | None
) -> tuple[Array, Array, Array]:
    """Softmax cross-entropy, summed over the pixels that count.

    It is differentiated in reverse alone, and with respect to the scores.

    Args:
        logits: Of [N, H, W, C], of at least float32.
        labels: [N, H, W] int32.
        valid: Which pixels count, [N, H, W] bool.
        class_weights: [C]; None: all 1.

    Returns:
        The sum of the pixels' losses, their number and the sum of their weights:
        scalars of the logits' dtype.
    """
    dtype = logits.scores.dtype
    factors = valid.astype(dtype)
    count = jnp.sum(valid, dtype=jnp.int32).astype(dtype)
    if class_weights is not None:
        given = class_weights.astype(dtype)[None, None, None]
        hit = _hit(labels, logits.shape[-1])
        factors = factors * jnp.sum(jnp.where(hit, given, jnp.zeros((), dtype)), -1)
    frame = logits.frame
    total: Array = _sum(
        logits.scores,
        upsampled.in_blocks(labels, frame, -1),
        upsampled.in_blocks(factors, frame, 0),
        frame,
    )
    return total, count, count if class_weights is None else jnp.sum(factors)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _sum(scores: Array, labels: Array, factors: Array, frame: Frame) -> Array:
    """The sum of the pixels' factors times -log of their true classes' probabilities.

    Labels and factors are [N, blocks, factor, W]; a factor of 0 adds nothing, whatever
    the label and the logits.
    """
    return _forward(scores, labels, factors, frame)[0]


def _forward(scores: Array, labels: Array, factors: Array, frame: Frame):
    terms, taps = upsampled.row_terms(scores, frame), upsampled.row_taps(frame)
    weighed = [
        term[:, :, None] * jnp.asarray(tap, term.dtype)[None, None, :, None, None]
        for term, tap in zip(terms, taps, strict=True)
    ]
    logits = functools.reduce(jnp.add, weighed)  # [N, blocks, factor, W, C]
    shift = jnp.max(logits, axis=-1)
    norm = shift + jnp.log(jnp.sum(jnp.exp(logits - shift[..., None]), axis=-1))
    hit = _hit(labels, logits.shape[-1])
    true = jnp.sum(jnp.where(hit, logits, jnp.zeros((), logits.dtype)), axis=-1)
    loss = jnp.where(factors != 0, factors * (norm - true), jnp.zeros_like(factors))
    return jnp.sum(loss), (scores, labels, factors, norm)


def _backward(frame: Frame, residual: tuple[Array, Array, Array, Array], g: Array):
    scores, labels, factors, norm = residual
    row_terms = functools.partial(upsampled.row_terms, frame=frame)
    terms, pull = jax.vjp(row_terms, scores)
    taps = upsampled.row_taps(frame)
    zero = jnp.zeros((), scores.dtype)
    found = [jnp.zeros_like(term) for term in terms]
    for row in range(frame.factor):
        logits = upsampled.row_of_blocks(terms, taps, row)
        hit = _hit(labels[:, :, row], logits.shape[-1]).astype(logits.dtype)
        factor = factors[:, :, row, :, None]
        of_logits = jnp.exp(logits - norm[:, :, row, :, None]) - hit
        of_logits = jnp.where(factor != 0, g * factor * of_logits, zero)
        for t, tap in enumerate(taps[:, row]):
            found[t] = found[t] + of_logits * jnp.asarray(tap, zero.dtype)
    (of_scores,) = pull(tuple(found))
    no_labels = np.zeros(labels.shape, jax.dtypes.float0)
    return of_scores, no_labels, jnp.zeros_like(factors)


_sum.defvjp(_forward, _backward)


def _hit(labels: Array, num_classes: int) -> Array:
    """Whether a label is a class, [..., num_classes] bool."""
    classes = jnp.arange(num_classes, dtype=labels.dtype)
    return labels[..., None] == classes.reshape((1,) * labels.ndim + (-1,))
