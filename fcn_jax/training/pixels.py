"""Which pixels count in a loss, and what is refused of them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

Array = jax.Array


def valid_pixels(
    labels: Array, num_classes: int, ignore_label: int, keep: Array | None = None
) -> Array:
    """The pixels that count: their label is a class, is not void, and they are kept.

    Args:
        labels: [N, H, W] integer.
        num_classes: Classes are 0 to this minus 1.
        ignore_label: The label of void pixels.
        keep: Pixels that may count, [N, H, W] bool; None: all.

    Returns:
        [N, H, W] bool.
    """
    labels = labels.astype(jnp.int32)  # In which every void label can be told.
    valid = (labels >= 0) & (labels < num_classes) & (labels != ignore_label)
    return valid if keep is None else valid & keep


def wide(logits: Array) -> Array:
    """Scores in the precision in which losses are computed: at least float32.

    Args:
        logits: [N, H, W, C], of any float.
    """
    double = logits.dtype == jnp.float64
    return logits.astype(jnp.float64 if double else jnp.float32)


def of_class(labels: Array, num_classes: int) -> Array:
    """Whether a pixel is of a class, by comparison: nothing is indexed by a label.

    Args:
        labels: [N, H, W] integer.
        num_classes: C.

    Returns:
        [N, H, W, C] bool.
    """
    classes = jnp.arange(num_classes, dtype=jnp.int32)[None, None, None]
    return labels.astype(jnp.int32)[..., None] == classes


def check_pixels(
    loss: str,
    logits: Array,
    labels: Array,
    ignore_label: int,
    keep: Array | None = None,
) -> None:
    """Refuse what does not fit together; values only outside `jit`.

    Args:
        loss: Its name, for the messages.
        logits: [N, H, W, C].
        labels: [N, H, W] integer, in [0, C) or `ignore_label`.
        ignore_label: The label of void pixels.
        keep: [N, H, W] bool, or None.

    Raises:
        TypeError: If the labels are not integers or `keep` is not bool.
        ValueError: If shapes do not fit, or outside `jit` a label is neither a class
            nor `ignore_label`.
    """
    if logits.ndim != 4 or logits.shape[:3] != labels.shape:
        raise ValueError(
            f"{loss}: logits {logits.shape} and labels {labels.shape} do not "
            f"fit; expected [N, H, W, C] and [N, H, W]."
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"{loss}: labels are {labels.dtype}; expected integers.")
    if keep is not None and keep.shape != labels.shape:
        raise ValueError(
            f"{loss}: keep has shape {keep.shape}; expected that of the labels, "
            f"{labels.shape}."
        )
    if keep is not None and keep.dtype != jnp.bool_:
        raise TypeError(
            f"{loss}: keep is {keep.dtype}; expected bool. To weigh classes, "
            f"pass class_weights."
        )
    _check_values(loss, labels, logits.shape[-1], ignore_label)


def _check_values(
    loss: str, labels: Array, num_classes: int, ignore_label: int
) -> None:
    """Raise if a label that is known already would be void in silence."""
    if isinstance(labels, Tracer):
        return
    values = np.asarray(labels)
    wrong = ((values < 0) | (values >= num_classes)) & (values != ignore_label)
    if wrong.any():
        place = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise ValueError(
            f"{loss}: label {int(values[place])} at {place}; with {num_classes} "
            f"classes labels are 0 to {num_classes - 1}, or ignore_label="
            f"{ignore_label}."
        )


def check_weights(loss: str, class_weights: Array | None, num_classes: int) -> None:
    """Refuse weights that are not one a class.

    Args:
        loss: Its name, for the message.
        class_weights: [C], or None.
        num_classes: C.

    Raises:
        ValueError: If there are more or fewer.
    """
    if class_weights is not None and class_weights.shape != (num_classes,):
        raise ValueError(
            f"{loss}: class_weights have shape {class_weights.shape}; expected "
            f"one weight for each of the {num_classes} classes."
        )
