"""From boxes with a class and a mask each to one map: what a network of boxes predicts.

Every proposal is classified, and the object in it told from the ground; of each class
worse regions that overlap better ones are left out, and the best of what is left are
painted over background, the best on top (`fcn_jax.ops.pasting`).

References:
    Hariharan et al. 2015, arXiv:1411.5752, sec. 4 and 5; bharath272/sds_eccv2014,
    imagelist_to_seg.m (at most 10 regions an image, 2 on average over a data set).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import VariableDict

from fcn_jax.data.batch import Batch, scaled_key
from fcn_jax.models.hypercolumn import FOREGROUND, Hypercolumn
from fcn_jax.ops import pasting
from fcn_jax.preprocessing import CAFFE, Preprocessing, preprocess

Array = jax.Array

MOST = 10  # Regions of an image that are painted.
AVERAGE = 2.0  # Regions of an image on average, by which the threshold is found.
# Overlap within a class up to which both regions are left, as of R-CNN's boxes; the
# release leaves none, of superpixels, which hold no ragged edges.
MAX_IOU = 0.3


class Regions(NamedTuple):
    """The regions of images.

    Attributes:
        masks: [N, K, H, W] bool.
        scores: log-probability of its class, [N, K] float32.
        classes: [N, K] int32, 1 to C - 1.
        left: Which there are, after region NMS, [N, K] bool.
    """

    masks: Array
    scores: Array
    classes: Array
    left: Array


def find(
    variables: VariableDict,
    batch: Batch,
    *,
    model: Hypercolumn,
    preprocessing: Preprocessing = CAFFE,
    scale: float = 1.0,
    foreground: float = FOREGROUND,
    max_iou: float = MAX_IOU,
) -> Regions:
    """The regions of images, one for each box: its likeliest class, and the mask of it.

    Args:
        variables: What `model.apply` takes.
        batch: `image` uint8 RGB [N, H, W, 3], or float32 of other channels; `sizes`
            int32 [N, 2], where images are smaller; `boxes` int32 [N, K, 4] as (row0,
            col0, row1, col1), end excluded, inside the image; `num_boxes` int32 [N],
            how many of them count; with a scale the images at that scale too.
        model: A network of boxes, `fcn_jax.models.hypercolumn`.
        preprocessing: What turns uint8 RGB into the network's input.
        scale: At which the network sees images.
        foreground: Probability from which on a pixel is the object's.
        max_iou: See `pasting.region_nms`.

    Returns:
        The regions, in the order of the boxes.

    Raises:
        ValueError: If the boxes do not fit the images, or there are none.
    """
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
            "image (config.inference.num_proposals)."
        )
    sizes = batch.get("sizes")
    seen, seen_sizes, seen_boxes = image, sizes, boxes
    if scale != 1:
        seen, seen_sizes = (
            batch[scaled_key("image", scale)],
            batch[scaled_key("sizes", scale)],
        )
        seen_boxes = scaled(boxes, scale, seen_sizes)
    found = cast(
        "Mapping[str, Array]",
        model.apply(
            variables,
            preprocess(seen, preprocessing),
            seen_sizes,
            train=False,
            boxes=seen_boxes,
        ),
    )
    log_probs = jax.nn.log_softmax(found["class_scores"].astype(jnp.float32))
    classes = found["box_labels"]
    scores = jnp.take_along_axis(log_probs, classes[..., None], axis=-1)[..., 0]
    masks = jax.nn.sigmoid(found["mask_logits"]) >= foreground
    windows = found["windows"]
    if scale != 1 and sizes is not None:
        windows = _unscaled(windows, scale, sizes)

    def of_image(each: tuple[Array, ...]) -> Regions:
        masks, windows, scores, classes, count = each
        placed = pasting.place_masks(masks, windows, image.shape[1:3])
        there = jnp.arange(masks.shape[0], dtype=count.dtype) < count
        placed = placed & there[:, None, None]
        left = pasting.region_nms(placed, scores, classes, max_iou)
        return Regions(placed, scores, classes, left)

    return jax.lax.map(of_image, (masks, windows, scores, classes, num_boxes))


def scores(
    variables: VariableDict,
    batch: Batch,
    *,
    model: Hypercolumn,
    preprocessing: Preprocessing = CAFFE,
    scale: float = 1.0,
    foreground: float = FOREGROUND,
    max_iou: float = MAX_IOU,
    background: float = 0.5,
    most: int = MOST,
) -> Array:
    """Class scores of every pixel: the regions that are painted, over background.

    Args:
        variables: What `model.apply` takes.
        batch: As of `find`.
        model: A network of boxes.
        preprocessing: As of `find`.
        scale: As of `find`.
        foreground: As of `find`.
        max_iou: As of `find`.
        background: Probability of its class above which a region is painted.
        most: How many regions of an image are painted at most.

    Returns:
        [N, H, W, C] float32; see `pasting.painted_logits`.

    Raises:
        ValueError: As `find`, or if `background` or `most` is out of range.
    """
    threshold = threshold_of(background, most)
    found = find(
        variables,
        batch,
        model=model,
        preprocessing=preprocessing,
        scale=scale,
        foreground=foreground,
        max_iou=max_iou,
    )
    num_classes = model.heads[""]

    def of_image(regions: Regions) -> Array:
        left = pasting.best(regions.scores, regions.left, threshold, most)
        owner = pasting.paint(regions.masks, regions.scores, left)
        return pasting.painted_logits(
            owner, regions.scores, regions.classes, threshold, num_classes
        )

    return jax.lax.map(of_image, found)


def threshold_of(background: float, most: int) -> float:
    """The log-probability above which regions are painted.

    Args:
        background: Probability of its class above which a region is painted.
        most: How many regions of an image are painted at most.

    Raises:
        ValueError: If one is out of range.
    """
    if not 0 < background < 1 or most < 1:
        raise ValueError(
            f"background={background}, most={most}: a probability between 0 and 1, "
            f"and at least one region."
        )
    return float(np.log(background))


def background_threshold(
    scores_of: Sequence[np.ndarray],
    *,
    average: float = AVERAGE,
    most: int = MOST,
    start: float = -1.0,
    step: float = 0.01,
) -> float:
    """The threshold above which the images of a data set have so many regions.

    It rises from `start` in steps until the images have at most `average` regions
    above it on average, each image at most `most`; one image alone cannot tell it.

    Args:
        scores_of: The scores of each image's regions that region NMS left, [K].
        average: Regions an image; 2 is what VOC's images hold.
        most: Regions of an image that count.
        start: The lowest threshold.
        step: By which it rises.

    Returns:
        The threshold.

    Raises:
        ValueError: If there are no images, or `average` or `step` is not positive.

    References:
        bharath272/sds_eccv2014, imagelist_to_seg.m.
    """
    if not len(scores_of):
        raise ValueError(
            "background_threshold: there are no images; give the scores of the "
            "regions of a data set, an array for each image."
        )
    if not average > 0 or not step > 0:
        raise ValueError(
            f"background_threshold: average={average}, step={step}; both are positive."
        )
    kept = [np.sort(np.asarray(x, np.float64))[::-1][:most] for x in scores_of]
    every = np.concatenate(kept)
    number, threshold = 0, start
    while np.sum(every > threshold) > average * len(kept):
        number += 1
        threshold = round(start + number * step, 10)
    return threshold


def scaled(boxes: Array, scale: float, sizes: Array) -> Array:
    """Boxes in an image at a scale: no smaller than they are.

    Args:
        boxes: [N, M, 4] integer, pixels.
        scale: Of the images.
        sizes: Height and width of the images at that scale, [N, 2] integer.
    """
    exact = boxes.astype(jnp.float32) * scale
    starts, ends = jnp.floor(exact[..., :2]), jnp.ceil(exact[..., 2:])
    limit = sizes[:, None].astype(boxes.dtype)
    return jnp.concatenate(
        [
            jnp.minimum(starts.astype(boxes.dtype), limit - 1),
            jnp.minimum(ends.astype(boxes.dtype), limit),
        ],
        axis=-1,
    )


def _unscaled(windows: Array, scale: float, sizes: Array) -> Array:
    """Windows in the image itself, rounded to its pixels."""
    found = jnp.round(windows.astype(jnp.float32) / scale).astype(windows.dtype)
    limit = jnp.tile(sizes.astype(windows.dtype), (1, 2))[:, None]
    return jnp.minimum(found, limit)
