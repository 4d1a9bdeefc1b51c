"""Unaries: what each label costs each pixel by itself, -log p, in nats."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

Array = jax.Array

_OFF = 1e-3  # What probabilities may sum to beside 1; more in half precision.


def unary_from_logits(logits: Array) -> Array:
    """-log softmax, [..., C] floating; what a network's scores cost, in nats."""
    return -jax.nn.log_softmax(logits)


def unary_from_probs(probs: Array, clip: float = 1e-5) -> Array:
    """-log of probabilities, none of which is taken for less than `clip`.

    Args:
        probs: [..., C] floating, summing to 1.
        clip: The least probability.

    Returns:
        [..., C], in nats.

    Raises:
        ValueError: Outside `jit`, if they do not sum to 1.
    """
    probs = jnp.asarray(probs)
    if not isinstance(probs, Tracer):
        sums = np.asarray(probs).astype(np.float64).sum(-1)
        off = np.nan_to_num(np.abs(sums - 1), nan=np.inf)
        rounds = jnp.issubdtype(probs.dtype, jnp.floating)
        step = float(jnp.finfo(probs.dtype).eps) if rounds else 0
        if (off > max(_OFF, 2 * step)).any():
            worst = np.unravel_index(off.argmax(), off.shape)
            raise ValueError(
                f"unary_from_probs: probabilities at {tuple(map(int, worst))} sum to "
                f"{float(sums[worst]):g}; expected 1 over the last axis (logits go "
                f"through unary_from_logits)."
            )
    return -jnp.log(jnp.clip(probs, clip, 1))


def unary_from_labels(
    labels: Array, num_classes: int, confidence: float = 0.7, unknown: int = 255
) -> Array:
    """Costs of labels that are right with some probability.

    Args:
        labels: [H, W] or [N, H, W] integer, in [0, num_classes) or `unknown`.
        num_classes: C, at least 2.
        confidence: Probability of the given label; the others share the rest.
        unknown: The label of pixels of which nothing is known.

    Returns:
        [..., C] float32, in nats.

    Raises:
        ValueError: If the confidence is not in (0, 1) or there are not two classes;
            outside `jit` also if a label is neither a class nor `unknown`.
    """
    if not 0 < confidence < 1 or num_classes < 2:
        raise ValueError(
            f"unary_from_labels: confidence={confidence}, num_classes={num_classes}; "
            f"expected a probability in (0, 1), and at least 2 classes."
        )
    labels = jnp.asarray(labels)
    if not isinstance(labels, Tracer):
        values = np.asarray(labels)
        wrong = ((values < 0) | (values >= num_classes)) & (values != unknown)
        if wrong.any():
            place = tuple(int(i[0]) for i in np.nonzero(wrong))
            raise ValueError(
                f"unary_from_labels: label {int(values[place])} at {place}; with "
                f"{num_classes} classes labels are 0 to {num_classes - 1}, or "
                f"unknown={unknown}."
            )
    own = jax.nn.one_hot(labels, num_classes, dtype=jnp.float32)
    rest = (1 - confidence) / (num_classes - 1)
    probs = rest + own * (confidence - rest)
    known = (labels != unknown)[..., None]
    return -jnp.log(jnp.where(known, probs, 1 / num_classes))
