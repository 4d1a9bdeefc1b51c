"""The E-steps of WSSL: labels of pixels, estimated from scores and weak labels.

Papandreou et al. train a net from the classes of an image, or from boxes, by
expectation and maximisation with hard labels: the scores of a forward pass, raised for
the classes that the weak label allows, say what every pixel is (E); then the net learns
that, as if a person had drawn it, from the scores as they were (M).

EM-Fixed raises by constants. EM-Adapt raises until every class of the image has its
portion of the pixels. In boxes, a pixel is of a box over it or background.

References:
    Papandreou, Chen, Murphy and Yuille 2015, "Weakly- and semi-supervised learning of a
    deep convolutional network for semantic image segmentation", arXiv:1502.02734,
    sec. 3; deeplab-public, bias_channel_layer.cpp and adaptive_bias_channel_layer.cpp.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from fcn_jax.ops import interp

Array = jax.Array

BACKGROUND = 0
MARGIN = 1e-5  # adaptive_bias_channel_layer.cpp: "margin" of those that are suppressed.


class Weak(NamedTuple):
    """What is known of pixels.

    Attributes:
        allowed: Which classes each may have, bool [N, H, W, C].
        estimated: Which are to be estimated, bool [N, H, W].
        held: Which classes each image holds, bool [N, C]; None: those that these pixels
            may have. Of an image of which some pixels alone are here, others count too.
    """

    allowed: Array
    estimated: Array
    held: Array | None = None


def weak_of(planes: Array, num_classes: int, shrink: int = 1) -> Weak:
    """The sets of classes in a batch's planes.

    Args:
        planes: uint8 [N, H, W, P]; see `fcn_jax.data.weak.planes`.
        num_classes: C.
        shrink: Pixels from one that is taken to the next. An image holds the classes of
            all its pixels, as in the release, where UNIQUE_LABEL sees the labels before
            they are shrunk: a small object may lie on none of those that are taken.

    Raises:
        ValueError: If there are planes for another number of classes.
    """
    if planes.shape[-1] != num_classes // 8 + 1:
        raise ValueError(
            f"weak labels of {planes.shape[-1]} planes; those of {num_classes} classes "
            f"have {num_classes // 8 + 1}: are they of another list of classes?"
        )
    held = classes_of_images(_unpacked(planes, num_classes))
    return _unpacked(interp.shrink(planes, shrink), num_classes)._replace(held=held)


def _unpacked(planes: Array, num_classes: int) -> Weak:
    """What planes say of their own pixels."""
    numbers = jnp.arange(num_classes + 1, dtype=jnp.int32)
    shifts = (numbers % 8).astype(jnp.uint8)[None, None, None]
    bits = jnp.right_shift(planes[..., numbers // 8], shifts) & jnp.uint8(1)
    return Weak(bits[..., :-1] == 1, bits[..., -1] == 1)


def classes_of_images(weak: Weak) -> Array:
    """Which classes each image holds, bool [N, C]: those that its pixels may have."""
    if weak.held is not None:
        return weak.held
    return jnp.any(weak.allowed & weak.estimated[..., None], axis=(1, 2))


def last_argmax(scores: Array) -> Array:
    """The best class of every pixel; of equal ones the last, as Caffe's ArgMax sorts.

    Args:
        scores: [N, H, W, C].

    Returns:
        int32 [N, H, W].
    """
    last = scores.shape[-1] - 1
    return last - jnp.argmax(scores[..., ::-1], axis=-1).astype(jnp.int32)


def em_fixed(scores: Array, weak: Weak, foreground: float, background: float) -> Array:
    """EM-Fixed: classes of the image are raised by constants, others stay.

    Args:
        scores: [N, H, W, C] floating point.
        weak: Of its pixels.
        foreground: By which those of objects are raised; c_f, published 6.
        background: By which the background is; c_b, published 5. The difference
            counts; the level counts against classes that are not there.

    Returns:
        Raised scores, [N, H, W, C]; `last_argmax` makes labels of them.

    References:
        arXiv:1502.02734, algorithm 1; bias_channel_layer.cpp.
    """
    biases = _biases(scores, foreground, background)[None]
    held = classes_of_images(weak)
    raised = jnp.where(held, biases, jnp.zeros_like(biases))  # [N, C]
    return scores + raised[:, None, None]


def em_boxes(scores: Array, weak: Weak, foreground: float, background: float) -> Array:
    """Bbox-EM-Fixed: EM-Fixed in boxes, a pixel being of one over it or background.

    Args:
        scores: [N, H, W, C] floating point.
        weak: Of its pixels; `allowed` are the classes of the boxes over it and 0.
        foreground: As of `em_fixed`.
        background: As of `em_fixed`.

    Returns:
        As `em_fixed`; -inf for classes that a pixel cannot have.

    References:
        arXiv:1502.02734, third version, sec. 3.2 ("Bbox-EM-Fixed").
    """
    biases = _biases(scores, foreground, background)
    least = jnp.asarray(-jnp.inf, scores.dtype)
    return jnp.where(weak.allowed, scores + biases[None, None, None], least)


def em_adapt(
    scores: Array,
    weak: Weak,
    keys: Array,
    *,
    portions: tuple[float, float] = (0.2, 0.4),
    sweeps: int = 5,
    suppress: bool = True,
    margin: float = MARGIN,
) -> Array:
    """EM-Adapt: classes of the image are raised until each has its portion of it.

    First, classes that are not there fall below those that are, pixel by pixel. Then,
    in every sweep, the background and after it the others, in an order of chance, are
    raised by as much as lets them win as many pixels as their portion, ties counted;
    those that come later may take them back. At last all scores are moved alike, so
    that the mean of the best of the classes that are there is what it was.

    Args:
        scores: [N, H, W, C] floating point.
        weak: Of its pixels; an image without one to be estimated stays as it is.
        keys: A random key for every image, [N]; of the step, as the order is drawn
            anew in each.
        portions: Of a class of objects, and of the background, in [0, 1); published
            0.2 and 0.4. They may add up to more than 1: then the last ones win.
        sweeps: Published 5.
        suppress: Whether classes that are not there fall.
        margin: By which.

    Returns:
        Raised scores, [N, H, W, C]; `last_argmax` makes labels of them. A class that is
        not there is chosen where its score was that of the least of those that are, to
        the bit, as in the release.

    Raises:
        ValueError: If a portion is not in [0, 1), or there is no sweep.

    References:
        arXiv:1502.02734, sec. 3.1 (EM-Adapt); adaptive_bias_channel_layer.cpp and
        config/DeepLab-Weak-EM-Adapt of deeplab-public.
    """
    check_portions(portions, sweeps, "em_adapt: portions")
    images, height, width, channels = scores.shape
    held = classes_of_images(weak)
    flat = scores.reshape(images, height * width, channels)
    counted = weak.estimated.reshape(images, height * width)
    if suppress:
        flat = _suppressed(flat, held, margin)
    shares = jnp.asarray(
        [portions[0] if c != BACKGROUND else portions[1] for c in range(channels)],
        scores.dtype,
    )
    pixels = jnp.sum(counted, axis=1, dtype=jnp.int32)
    # Cut off, as a cast of Caffe's floats is; of shares near 1 the product rounds up.
    rank = (shares[None] * pixels.astype(scores.dtype)[:, None]).astype(jnp.int32)
    rank = jnp.minimum(rank, jnp.maximum(pixels - 1, 0)[:, None])
    orders = jax.vmap(lambda key, there: _orders(key, there, sweeps))(keys, held)
    best = _best(flat, held)
    raised, end = _raised(flat, best, (held, counted, rank, orders))
    moved = _mean(best, counted) - _mean(end, counted)
    moved = jnp.where(jnp.any(held, axis=-1), moved, jnp.zeros_like(moved))
    return (raised + moved[:, None, None]).reshape(scores.shape)


def check_portions(portions: tuple[float, float], sweeps: int, what: str) -> None:
    """Refuse portions of an image that are none, and no sweep.

    Args:
        portions: Of a class of objects, and of the background.
        sweeps: Of EM-Adapt.
        what: Their name, for the message.

    Raises:
        ValueError: If a portion is not in [0, 1), or there is no sweep.
    """
    if len(portions) != 2 or not all(0 <= portion < 1 for portion in portions):
        raise ValueError(
            f"{what}={tuple(portions)} are what a class of objects and the background "
            f"have of an image, as two fractions from 0 to below 1; published are "
            f"(0.2,0.4)."
        )
    if sweeps < 1:
        raise ValueError(
            f"{what} are reached in sweeps={sweeps}; at least one is needed, published "
            f"are 5."
        )


def _biases(scores: Array, foreground: float, background: float) -> Array:
    """By how much each class is raised, [C]."""
    channels = jnp.arange(scores.shape[-1], dtype=jnp.int32)
    first, others = (jnp.asarray(x, scores.dtype) for x in (background, foreground))
    return jnp.where(channels == BACKGROUND, first, others)


def _best(flat: Array, held: Array) -> Array:
    """The best score of the classes that are there, [N, pixels]."""
    least = jnp.asarray(-jnp.inf, flat.dtype)
    return jnp.max(jnp.where(held[:, None], flat, least), axis=-1)


def _suppressed(flat: Array, held: Array, margin: float) -> Array:
    """Scores in which no class that is not there is above one that is."""
    most = jnp.asarray(jnp.inf, flat.dtype)
    least = jnp.min(jnp.where(held[:, None], flat, most), axis=-1, keepdims=True)
    fallen = least - jnp.asarray(margin, flat.dtype)
    return jnp.where(~held[:, None] & (flat > least), fallen, flat)


def _orders(key: Array, held: Array, sweeps: int) -> Array:
    """The classes of an image by turn, int32 [sweeps, C]; those not there come last."""
    drawn = jax.random.uniform(key, (sweeps, *held.shape))
    channels = jnp.arange(held.shape[0], dtype=jnp.int32)[None]
    turns = jnp.where(channels == BACKGROUND, jnp.float32(-1), drawn)
    turns = jnp.where(held[None], turns, jnp.float32(2))
    return jnp.argsort(turns, axis=-1).astype(jnp.int32)


def _raised(
    flat: Array, best: Array, of_images: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    """All sweeps: the raised scores, and the best of the classes that are there."""
    held, counted, rank, orders = of_images
    present = jnp.sum(held, axis=-1, dtype=jnp.int32)  # [N]
    turns = jnp.max(present, initial=0)
    channels = jnp.arange(flat.shape[-1], dtype=jnp.int32)
    infinite, zero = (jnp.asarray(x, flat.dtype) for x in (jnp.inf, 0))

    def turn(number: Array, carry: tuple[Array, Array]):
        scores, best = carry
        place = number % turns
        label = orders[:, number // turns, place]  # [N]
        own = jnp.take_along_axis(scores, label[:, None, None], axis=-1)[..., 0]
        lacking = jnp.sort(jnp.where(counted, best - own, infinite), axis=-1)
        asked = jnp.take_along_axis(rank, label[:, None], axis=-1)
        bias = jnp.take_along_axis(lacking, asked, axis=-1)  # [N, 1]
        bias = jnp.where((place < present)[:, None], bias, zero)
        hit = channels[None, None] == label[:, None, None]
        scores = jnp.where(hit, scores + bias[..., None], scores)
        return scores, jnp.maximum(best, own + bias)

    return jax.lax.fori_loop(0, orders.shape[1] * turns, turn, (flat, best))


def _mean(best: Array, counted: Array) -> Array:
    """The mean over the pixels that are to be estimated, [N]; 0 without one."""
    zero = jnp.zeros((), best.dtype)
    pixels = jnp.sum(counted, axis=1, dtype=jnp.int32).astype(best.dtype)
    total = jnp.sum(jnp.where(counted, best, zero), axis=1)
    return total / jnp.maximum(pixels, jnp.ones((), best.dtype))
