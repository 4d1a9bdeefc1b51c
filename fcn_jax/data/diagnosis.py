"""What masks are that hold other values than labels, and what to do about it."""

import numpy as np

from fcn_jax.data.label_sets import IGNORE_LABEL

_MOST_LEVELS = 16  # Of masks whose values are spread evenly over 0 to 255.
_FAR_APART = 32  # Values that smoothing makes lie all over the range.
_RARE = 0.2  # Share of the pixels that smoothing has touched, at most.


def explain(values: np.ndarray, num_classes: int) -> str:
    """How a mask with wrong labels came about, as far as its values tell.

    Args:
        values: How many pixels have each value, integer [256].
        num_classes: Labels are 0 to this minus 1, or 255.

    Returns:
        A sentence with the remedy.
    """
    held = [int(v) for v in np.flatnonzero(values)]
    if _are_spread(held):
        return (
            f"Its values {_listed(held)} are spread evenly over 0 to 255, as programs "
            f"for pictures save {len(held)} labels: set "
            f"--config.data.mask_values={_flag(held)}, or save the labels themselves."
        )
    if _is_smoothed(values, num_classes):
        main = sorted(int(v) for v in np.argsort(-values, kind="stable")[:2])
        return (
            f"It holds {len(held)} different values, most of them rare: it was resized "
            f"with interpolation, drawn with smooth (anti-aliased) edges, or "
            f"compressed with loss. Export it without these (resize with nearest "
            f"neighbour); most pixels are {main[0]} or {main[1]}."
        )
    wrong = [v for v in held if num_classes <= v != IGNORE_LABEL]
    if wrong == [num_classes] and 0 in held:
        return (
            f"That is one value more than there are classes: if 0 stands for void in "
            f"these masks, set --config.data.reduce_zero_label=True; else name all "
            f"{num_classes + 1} classes."
        )
    if wrong == [num_classes] and min(held) > 0:
        return (
            f"0 does not occur in it, and {num_classes} does: if these masks count "
            f"classes from 1, set --config.data.reduce_zero_label=True, by which 1 is "
            f"the first class; else name all {num_classes + 1} classes."
        )
    if len(wrong) == 1 and wrong[0] >= 200:
        return (
            f"If {wrong[0]} stands for void in these masks, set "
            f"--config.data.void_label={wrong[0]}."
        )
    return (
        "Map the masks to these (--config.data.mask_values=(...) lists the value of "
        "each class), or name all classes that they hold: in classes.txt of a folder, "
        "and as num_classes of the network."
    )


def _are_spread(held: list[int]) -> bool:
    """Whether values are k / (n - 1) of 255, rounded in any way."""
    n = len(held)
    if not 2 <= n <= _MOST_LEVELS or held[0] != 0 or held[-1] < 254:
        return False
    expected = (k * 255 / (n - 1) for k in range(n))
    return all(abs(v - e) <= 1 for v, e in zip(held, expected, strict=True))


def _is_smoothed(values: np.ndarray, num_classes: int) -> bool:
    """Whether there are more values than classes, far apart, and few of them."""
    order = np.argsort(-values, kind="stable")
    others = [int(v) for v in order[max(2, num_classes) :] if values[v]]
    wrong = [v for v in others if v >= num_classes]
    if len(wrong) < 2 or max(wrong) - min(wrong) < _FAR_APART:
        return False
    return bool(values[others].sum() <= _RARE * values.sum())


def _listed(held: list[int]) -> str:
    return f"{', '.join(map(str, held[:-1]))} and {held[-1]}"


def _flag(held: list[int]) -> str:
    return f'"({",".join(map(str, held))})"'
