"""Instance-wise inference: a network on windows of an image, their scores aggregated.

DeconvNet looks at candidate objects one by one, each at one size, and the score maps
are laid back into the image. Sliding windows (tiles) and one window that holds all of
the image go the same way.

References:
    Noh, Hong and Han 2015, arXiv:1505.04366, sec. 3.4 and eq. 1 and 2;
    HyeonwooNoh/DeconvNet, inference/generate_EDeconvNet_CRF_results.m.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.typing import VariableDict

from fcn_jax.data.batch import Batch
from fcn_jax.ops import boxes as box_ops
from fcn_jax.preprocessing import CAFFE, Preprocessing, preprocess

Array = jax.Array

AGGREGATIONS = ("max", "mean", "sum")
VARIANTS = ("paper", "released")
SIDE = 224  # Of the windows as the network sees them, pixels.


def scores(
    variables: VariableDict,
    batch: Batch,
    *,
    model: nn.Module,
    preprocessing: Preprocessing = CAFFE,
    aggregation: str = "max",
    variant: str = "paper",
    side: int = SIDE,
    boxes_at_once: int = 8,
) -> Array:
    """Class scores of every pixel, aggregated over the boxes of each image.

    One compiled network sees up to `boxes_at_once` windows at a time, and only as often
    as an image has boxes: time grows with their number, memory does not.

    Args:
        variables: What `model.apply` takes.
        batch: `image` uint8 RGB [N, H, W, 3], or float32 of other channels; `boxes`
            int32 [N, K, 4] as (row0, col0, row1, col1), end excluded, best first,
            perhaps beyond the image (black there); `num_boxes` int32 [N], how many of
            them count.
        model: A network of `fcn_jax.models`.
        preprocessing: What turns uint8 RGB into the network's input.
        aggregation: "max" (eq. 1), "sum" (eq. 2) or "mean", the sum divided by the
            number of boxes that cover a pixel. A map is 0 outside its box.
        variant: "paper", or "released": its code starts the maximum at 0, so that no
            score is negative even where all boxes overlap.
        side: Height and width that windows are resized to, pixels.
        boxes_at_once: Windows of one pass at most. Passes hold fewer where that leaves
            less of them to fill up: K = 50 goes in ten of 5.

    Returns:
        [N, H, W, C] float32. A pixel that no box covers scores 0 for every class.

    Raises:
        ValueError: If an option is unknown or the boxes do not fit the images.
    """
    _check_options(aggregation, variant, side, boxes_at_once)
    image, boxes, num_boxes = batch["image"], batch["boxes"], batch["num_boxes"]
    if boxes.ndim != 3 or boxes.shape[::2] != (image.shape[0], 4):
        raise ValueError(
            f"boxes have shape {tuple(boxes.shape)}; for images of shape "
            f"{tuple(image.shape)} expected [{image.shape[0]}, K, 4] as (row0, col0, "
            f"row1, col1)."
        )
    if boxes.shape[1] == 0:
        raise ValueError(
            "K = 0: there are no boxes to look at; ask for at least one proposal an "
            "image, or take the whole image as one box (windows.WholeImage)."
        )
    boxes_at_once = _windows_of_a_pass(boxes.shape[1], boxes_at_once)
    # Rows that fill up hold a box of one pixel: sound numbers that are not counted.
    boxes = jnp.pad(boxes, ((0, 0), (0, -boxes.shape[1] % boxes_at_once), (0, 0)))
    place = jnp.arange(boxes.shape[1], dtype=num_boxes.dtype)[None, :, None]
    one_pixel = jnp.array([0, 0, 1, 1], boxes.dtype)[None, None]
    boxes = jnp.where(place < num_boxes[:, None, None], boxes, one_pixel)
    of_image = functools.partial(
        _scores_of_image,
        variables=variables,
        model=model,
        preprocessing=preprocessing,
        aggregation=aggregation,
        variant=variant,
        side=side,
        boxes_at_once=boxes_at_once,
    )
    return jax.lax.map(lambda each: of_image(*each), (image, boxes, num_boxes))


def log_probs(variables: VariableDict, batch: Batch, **settings: Any) -> Array:
    """The log-softmax of `scores`, [N, H, W, C] float32; takes what that takes.

    Args:
        variables: What `model.apply` takes.
        batch: As of `scores`.
        **settings: As of `scores`.
    """
    return jax.nn.log_softmax(scores(variables, batch, **settings))


def _scores_of_image(
    image: Array,
    boxes: Array,
    num_boxes: Array,
    *,
    variables: VariableDict,
    model: nn.Module,
    preprocessing: Preprocessing,
    aggregation: str,
    variant: str,
    side: int,
    boxes_at_once: int,
):
    shape = (image.shape[0], image.shape[1])
    no_box = jnp.zeros_like(boxes[0])
    pixels = image.astype(jnp.float32)
    add = jnp.maximum if aggregation == "max" else jnp.add
    empty = -jnp.inf if aggregation == "max" and variant == "paper" else 0.0

    def add_box(carry: tuple[Array, Array], each: tuple[Array, Array, Array]):
        canvas, cover = carry
        x, box, counts = each
        box = jnp.where(counts, box, no_box)
        canvas, inside = box_ops.lay_box(canvas, x, box, add)
        return (canvas, cover + inside.astype(cover.dtype)), None

    def add_boxes(turn: Array, carry: tuple[Array, Array]):
        first = turn * boxes_at_once
        these = jax.lax.dynamic_slice_in_dim(boxes, first, boxes_at_once)
        counts = first + jnp.arange(boxes_at_once, dtype=jnp.int32) < num_boxes
        windows = box_ops.crop_boxes(pixels, these, (side, side))
        if image.dtype == jnp.uint8:
            # As whole numbers: what an image file holds, and what training crops hold.
            windows = jnp.clip(jnp.round(windows), 0, 255).astype(jnp.uint8)
        logits: Any = model.apply(
            variables, preprocess(windows, preprocessing), train=False
        )
        return jax.lax.scan(add_box, carry, (logits, these, counts))[0]

    # float32, whatever the dtype of the weights, as the models promise.
    canvas = jnp.full((*shape, model.num_classes), empty, jnp.float32)
    cover = jnp.zeros((*shape, 1), jnp.int32)
    turns = (num_boxes + boxes_at_once - 1) // boxes_at_once
    canvas, cover = jax.lax.fori_loop(0, turns, add_boxes, (canvas, cover))
    if aggregation == "max":  # Of maps that are 0 outside of their boxes.
        canvas = jnp.where(cover < num_boxes, jnp.maximum(canvas, 0), canvas)
    if aggregation == "mean":
        canvas = canvas / jnp.maximum(cover, 1).astype(canvas.dtype)
    return jnp.where(cover > 0, canvas, jnp.zeros((), canvas.dtype))


def _windows_of_a_pass(boxes: int, most: int) -> int:
    """How many of `boxes` a pass takes: few to fill up, half of `most` at least."""
    counts = range(max(1, (min(boxes, most) + 1) // 2), min(boxes, most) + 1)
    return min(reversed(counts), key=lambda count: -boxes % count)


def _check_options(aggregation: str, variant: str, side: int, boxes_at_once: int):
    if aggregation not in AGGREGATIONS:
        raise ValueError(
            f"aggregation={aggregation!r} is not known; choose one of "
            f"{', '.join(AGGREGATIONS)}."
        )
    if variant not in VARIANTS:
        raise ValueError(
            f"variant={variant!r} is not known; choose one of {', '.join(VARIANTS)}."
        )
    if variant == "released" and aggregation != "max":
        raise ValueError(
            f"variant='released' with aggregation={aggregation!r}: the released code "
            f"takes the maximum only; use aggregation='max' or variant='paper'."
        )
    if side < 1 or boxes_at_once < 1:
        raise ValueError(
            f"side={side}, boxes_at_once={boxes_at_once}: both are at least 1."
        )
