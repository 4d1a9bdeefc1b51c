"""The four FCN metrics and the IU of every class, from one confusion matrix.

n_ij is the number of pixels of class i predicted as j. The matrix is summed over a
whole data set and never averaged per image, so that the scores do not depend on how
the images are batched.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 5; fcn.berkeleyvision.org, score.py.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from fcn_jax.data.label_sets import IGNORE_LABEL

Array = jax.Array
# What `scores` returns; JSON can hold it.
Scores: TypeAlias = dict[str, Any]

HEADLINE_METRICS = (
    "pixel_accuracy",
    "mean_accuracy",
    "mean_iu",
    "frequency_weighted_iu",
)

# Pixels whose one-hot products are added in float32 at a time; exact up to 2**24, and
# few enough to keep the one-hot arrays small.
_BLOCK = 1 << 20


def confusion_matrix(
    labels: Array | np.ndarray,
    pred: Array | np.ndarray,
    num_classes: int,
    ignore_label: int = IGNORE_LABEL,
) -> Array:
    """Count the pixels of every class by what they were predicted to be.

    On a CPU the pixels are added up one by one (8 images of 360 x 480 in 2 ms, where a
    product of one-hot arrays takes 50 with 11 classes and 340 with 60); elsewhere by
    that product, because there many threads would wait for the same few counters.

    Args:
        labels: True classes, integer [...]; what is not in [0, C) does not count.
        pred: Predicted classes, integer of the same shape, in [0, C); a pixel with
            another prediction does not count.
        num_classes: Number of classes, C.
        ignore_label: The label of void pixels, which are ignored, even if below C.

    Returns:
        [C, C] int32, exact: row = truth, column = prediction. At most 2**31 - 1 pixels.

    Raises:
        TypeError: If labels or predictions are not integers.
        ValueError: If the shapes differ.
    """
    if labels.shape != pred.shape:
        raise ValueError(
            f"confusion_matrix: labels {labels.shape} and predictions {pred.shape} "
            f"differ in shape; both must be the classes of the same pixels."
        )
    for name, array in (("labels", labels), ("predictions", pred)):
        if not jnp.issubdtype(array.dtype, jnp.integer):
            raise TypeError(
                f"confusion_matrix: {name} are {array.dtype}; expected integers (the "
                f"argmax of logits)."
            )
    labels = jnp.asarray(labels).reshape(-1).astype(jnp.int32)
    pred = jnp.asarray(pred).reshape(-1).astype(jnp.int32)
    labels = jnp.where(labels == ignore_label, -1, labels)
    return jax.lax.platform_dependent(
        labels,
        pred,
        cpu=functools.partial(_count_one_by_one, num_classes=num_classes),
        default=functools.partial(_count_by_product, num_classes=num_classes),
    )


def _count_one_by_one(labels: Array, pred: Array, num_classes: int) -> Array:
    """[P], [P] int32 -> [C, C] int32; a scatter-add into C * C counters."""
    counts = (labels >= 0) & (labels < num_classes) & (pred >= 0) & (pred < num_classes)
    outside = num_classes**2  # One more counter, for what does not count.
    index = jnp.where(counts, labels * num_classes + pred, outside)
    bins = jnp.zeros((outside + 1,), jnp.int32).at[index].add(1)
    return bins[:outside].reshape(num_classes, num_classes)


def _count_by_product(labels: Array, pred: Array, num_classes: int) -> Array:
    """[P], [P] int32 -> [C, C] int32; one-hot labels times one-hot predictions."""
    counts = jnp.zeros((num_classes, num_classes), jnp.int32)
    classes = jnp.arange(num_classes, dtype=jnp.int32)[:, None]
    for start in range(0, labels.shape[0], _BLOCK):
        # 0 and 1 are exact in bfloat16, and the sums are float32.
        truth = (labels[start : start + _BLOCK][None] == classes).astype(jnp.bfloat16)
        guess = (pred[start : start + _BLOCK][None] == classes).astype(jnp.bfloat16)
        product = jax.lax.dot_general(
            truth,
            guess,
            (((1,), (1,)), ((), ())),
            preferred_element_type=jnp.float32,
        )
        counts = counts + product.astype(jnp.int32)
    return counts


def never_predicted(found: Scores) -> str:
    """What to say of classes that occur and are never predicted, on a line of its own.

    Args:
        found: Of `scores`; by head where there are several, a line each.

    Returns:
        The line, begun by a new one; "" where there are none.
    """
    if "heads" in found:
        lines = {name: never_predicted(each) for name, each in found["heads"].items()}
        return "".join(
            line.replace("predicted:", f"predicted of {name}:", 1)
            for name, line in lines.items()
        )
    counts = np.asarray(found["confusion"])
    never = [
        name
        for name, truth, pred in zip(
            found["iu"], counts.sum(1), counts.sum(0), strict=True
        )
        if truth and not pred
    ]
    return f"\nnever predicted: {', '.join(never)}" if never else ""


class Confusion(struct.PyTreeNode):
    """A confusion matrix that does not overflow, without 64-bit integers on the device.

    Attributes:
        high: Upper 32 bits of the counts, uint32 [C, C].
        low: Lower 32 bits of the counts, uint32 [C, C].
    """

    high: Array
    low: Array

    @classmethod
    def zero(cls, num_classes: int) -> "Confusion":
        """Nothing counted yet."""
        empty = jnp.zeros((num_classes, num_classes), jnp.uint32)
        return cls(empty, empty)

    def add(self, counts: Array) -> "Confusion":
        """With the counts of one batch, integer [C, C], below 2**32."""
        low = self.low + counts.astype(jnp.uint32)
        carry = (low < self.low).astype(jnp.uint32)
        return Confusion(self.high + carry, low)

    def to_int64(self) -> np.ndarray:
        """The counts on the host, int64 [C, C]."""
        high = np.asarray(self.high).astype(np.int64)
        return (high << 32) + np.asarray(self.low).astype(np.int64)


def scores(
    confusion: np.ndarray,
    class_names: Sequence[str] | None = None,
    may_be_absent: Sequence[str] = (),
) -> Scores:
    """All scores that follow from a confusion matrix, as fractions.

    A class without true pixels has no accuracy; it has an IU, of 0, only where it was
    predicted. Classes without a value are left out of the means; those that may be
    absent have none where they have no true pixels, also if they are predicted (which
    is wrong for the classes that are there).

    Args:
        confusion: Counts, integer [C, C]: row = truth, column = prediction.
        class_names: Names of the classes; None: their numbers.
        may_be_absent: Names of classes that the data set's authors leave out where it
            has none of their pixels.

    Returns:
        `pixel_accuracy`, `mean_accuracy`, `mean_iu`, `frequency_weighted_iu` (None
        where nothing was counted), `iu` and `accuracy` by class name (None where
        undefined), `confusion` as nested lists and `num_pixels`: JSON can hold it. Of
        classes that may be absent, and are, `left_out` has the names.

    Raises:
        ValueError: If the matrix is not square, or the names are not C.
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(
            f"scores: a confusion matrix of shape {confusion.shape}; expected [C, C]."
        )
    if class_names is None:
        class_names = [str(number) for number in range(len(confusion))]
    if len(class_names) != len(confusion):
        raise ValueError(
            f"scores: {len(class_names)} class names for a confusion matrix of "
            f"{len(confusion)} classes; give one name a class."
        )
    hits = np.diag(confusion).astype(np.float64)
    true = confusion.sum(axis=1).astype(np.float64)
    predicted = confusion.sum(axis=0).astype(np.float64)
    total = true.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = hits / true
        iu = hits / (true + predicted - hits)
    left_out = [
        name
        for name, pixels in zip(class_names, true, strict=True)
        if name in may_be_absent and not pixels
    ]
    iu[[name in left_out for name in class_names]] = np.nan
    present = true > 0
    weighted = np.sum(true[present] * iu[present])
    return {
        "pixel_accuracy": float(hits.sum() / total) if total else None,
        "mean_accuracy": _mean(accuracy),
        "mean_iu": _mean(iu),
        "frequency_weighted_iu": float(weighted / total) if total else None,
        "iu": _by_name(class_names, iu),
        "accuracy": _by_name(class_names, accuracy),
        "num_pixels": int(total),
        "confusion": confusion.tolist(),
        **({"left_out": left_out} if left_out else {}),
    }


def scores_of_heads(
    confusions: Mapping[str, np.ndarray],
    class_names: Mapping[str, Sequence[str]],
    may_be_absent: Mapping[str, Sequence[str]] | None = None,
) -> Scores:
    """The scores of several heads, and their means over the heads.

    Args:
        confusions: Counts of each head, integer [C, C].
        class_names: Names of its classes.
        may_be_absent: As of `scores`, by head; None: none.

    Returns:
        `heads`, what `scores` says of each; and, as `scores` has them, the means of the
        four metrics over the heads, `iu` and `accuracy` by "head/class", `confusion` by
        head, and `num_pixels`, the sum.
    """
    absent = may_be_absent or {}
    found = {
        head: scores(x, class_names[head], absent.get(head, ()))
        for head, x in confusions.items()
    }
    together: Scores = {}
    for name in HEADLINE_METRICS:
        defined = [x[name] for x in found.values() if x[name] is not None]
        together[name] = float(np.mean(defined)) if defined else None
    for name in ("iu", "accuracy"):
        together[name] = {
            f"{head}/{each}": value
            for head, x in found.items()
            for each, value in x[name].items()
        }
    together["num_pixels"] = sum(x["num_pixels"] for x in found.values())
    together["confusion"] = {head: x["confusion"] for head, x in found.items()}
    return together | {"heads": found}


def headlines_by_head(found: Scores) -> dict[str, Scores]:
    """The four metrics of each head.

    Args:
        found: Of `scores` or `scores_of_heads`.

    Returns:
        By head; {} where there is one.
    """
    return {
        head: {name: of_head[name] for name in HEADLINE_METRICS}
        for head, of_head in found.get("heads", {}).items()
    }


def format_table(values: Scores) -> str:
    """What `scores` returned as text: a line a class, then the four metrics.

    Of several heads, a table for each.
    """
    if "heads" in values:
        return "\n\n".join(
            f"{head}\n{format_table(found)}" for head, found in values["heads"].items()
        )
    width = max([len("frequency weighted IU"), *map(len, values["iu"])])
    lines = [f"{'class':<{width}}  {'IU':>7}  {'accuracy':>8}  {'pixels':>13}"]
    for row, name in enumerate(values["iu"]):
        pixels = sum(values["confusion"][row])
        iu, accuracy = _percent(values["iu"][name]), _percent(values["accuracy"][name])
        lines.append(f"{name:<{width}}  {iu:>7}  {accuracy:>8}  {pixels:>13,}")
    lines.append("-" * len(lines[0]))
    for title, name in (
        ("pixel accuracy", "pixel_accuracy"),
        ("mean accuracy", "mean_accuracy"),
        ("mean IU", "mean_iu"),
        ("frequency weighted IU", "frequency_weighted_iu"),
    ):
        lines.append(f"{title:<{width}}  {_percent(values[name]):>7}")
    if values.get("left_out"):
        lines.append(
            f"left out of the means, as no pixel is theirs: "
            f"{', '.join(values['left_out'])}"
        )
    return "\n".join(lines)


def _mean(values: np.ndarray) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None


def _by_name(names: Sequence[str], values: np.ndarray) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(names, values, strict=True)
    }


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
