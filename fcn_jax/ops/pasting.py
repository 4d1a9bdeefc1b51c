"""Regions of an image made one map: who is left, and who lies on top.

A region is a mask of the image, a class and a score. Worse ones of a class that overlap
a better one are left out; the others are painted in the order of their scores, the best
last, so that it is on top; what none covers is background.

References:
    Hariharan et al. 2014, arXiv:1407.1808, sec. 4 and 5; bharath272/sds_eccv2014,
    region_nms.m, nms_inference_simplicity_bias.m and paste_segments.m.
"""

import jax
import jax.numpy as jnp

Array = jax.Array

# By how much a class that no region claims lies below the background.
MARGIN = 10.0


def place_masks(masks: Array, boxes: Array, shape: tuple[int, int]) -> Array:
    """Masks of boxes as masks of the image, each pixel by the nearest of its box.

    Pixel k of a side of n pixels is pixel floor(k side / n) of the mask.

    Args:
        masks: [M, side, side] bool.
        boxes: (row0, col0, row1, col1), end excluded, [M, 4] integer.
        shape: Height and width of the image.

    Returns:
        [M, H, W] bool, False outside the boxes.
    """
    side = masks.shape[-1]
    boxes = boxes.astype(jnp.int32)  # Narrow or unsigned ones would overflow.

    def along(start: Array, end: Array, length: int) -> tuple[Array, Array]:
        pixel = jnp.arange(length, dtype=boxes.dtype)
        inside = (pixel >= start) & (pixel < end)
        place = (pixel - start) * side // jnp.maximum(end - start, 1)
        return jnp.clip(place, 0, side - 1), inside

    def of_box(mask: Array, box: Array) -> Array:
        rows, in_rows = along(box[0], box[2], shape[0])
        columns, in_columns = along(box[1], box[3], shape[1])
        found = jnp.take(jnp.take(mask, rows, axis=0), columns, axis=1)
        return found & in_rows[:, None] & in_columns[None]

    return jax.vmap(of_box)(masks, boxes)


def region_nms(
    masks: Array, scores: Array, classes: Array, max_iou: float = 0.0
) -> Array:
    """Which regions are left where worse ones of their class overlap better ones.

    Args:
        masks: [M, H, W] bool.
        scores: [M] floating point; of equal ones the first counts as better.
        classes: [M] integer.
        max_iou: Intersection over union up to which both are left; 0: one pixel in
            common removes the worse, as published (there: one superpixel).

    Returns:
        [M] bool. A region without a pixel is left out.

    Raises:
        ValueError: If `max_iou` is not in [0, 1].
    """
    flat = masks.reshape(masks.shape[0], -1).astype(jnp.float32)
    shared = jnp.matmul(flat, flat.T, precision=jax.lax.Precision.HIGHEST)
    return nms_of_areas(shared, scores, classes, max_iou)


def nms_of_areas(
    shared: Array, scores: Array, classes: Array, max_iou: float = 0.0
) -> Array:
    """The same, of masks of which the pixels that they have in common are known.

    Args:
        shared: Pixels of each pair of masks, [M, M] floating point; on the diagonal
            their areas.
        scores: As of `region_nms`.
        classes: As of `region_nms`.
        max_iou: As of `region_nms`.

    Returns:
        [M] bool. A region without a pixel is left out.

    Raises:
        ValueError: If `max_iou` is not in [0, 1].
    """
    if not 0 <= max_iou <= 1:
        raise ValueError(
            f"region_nms: max_iou={max_iou} is not in [0, 1]; 0 leaves no overlap "
            f"within a class, 1 leaves all."
        )
    order = jnp.argsort(-scores, stable=True)
    shared = shared[order][:, order]
    areas = jnp.diagonal(shared)
    union = areas[:, None] + areas[None] - shared
    alike = classes[order][:, None] == classes[order][None]
    clash = alike & (shared > max_iou * union)

    def look(place: Array, left: Array) -> Array:
        before = jnp.arange(left.shape[0], dtype=place.dtype) < place
        return left.at[place].set(left[place] & ~jnp.any(clash[place] & left & before))

    left = jax.lax.fori_loop(0, shared.shape[0], look, areas > 0)
    return jnp.zeros_like(left).at[order].set(left)


def best(scores: Array, left: Array, threshold: Array | float, most: int) -> Array:
    """The regions of an image that are painted: better than background, and not many.

    Args:
        scores: [M] floating point.
        left: Which there are, [M] bool.
        threshold: Of the background: only better regions count.
        most: How many at most.

    Returns:
        [M] bool.
    """
    left = left & (scores > threshold)
    order = jnp.argsort(jnp.where(left, -scores, jnp.inf), stable=True)
    rank = (
        jnp.zeros(order.shape, jnp.int32)
        .at[order]
        .set(jnp.arange(order.shape[0], dtype=jnp.int32))
    )
    return left & (rank < most)


def paint(masks: Array, scores: Array, left: Array) -> Array:
    """Which region is on top at each pixel, painted in ascending order of scores.

    Args:
        masks: [M, H, W] bool.
        scores: [M] floating point; of equal ones the first is on top.
        left: Which are painted, [M] bool.

    Returns:
        int32 [H, W]; -1 where none is.
    """
    there = masks & left[:, None, None]
    lowest = jnp.full((), -jnp.inf, scores.dtype)
    ranked = jnp.where(there, scores[:, None, None], lowest)
    top = jnp.argmax(ranked, axis=0).astype(jnp.int32)
    return jnp.where(jnp.any(there, axis=0), top, jnp.int32(-1))


def painted_logits(
    owner: Array,
    scores: Array,
    classes: Array,
    threshold: float,
    num_classes: int,
) -> Array:
    """The class scores of pixels: those of the regions on top, and of the background.

    Their argmax is the painting. A pixel scores its region's class with the region's
    score, the background (class 0) with the threshold, and all else `MARGIN` below.

    Args:
        owner: As `paint` returns it.
        scores: [M] floating point, above the threshold where a region is on top.
        classes: [M] integer, 1 to C - 1.
        threshold: Of the background.
        num_classes: C.

    Returns:
        [H, W, C] float32.
    """
    place = jnp.maximum(owner, 0)
    score = scores.astype(jnp.float32)[place]
    label = jnp.where(owner >= 0, classes.astype(jnp.int32)[place], jnp.int32(0))
    score = jnp.where(owner >= 0, score, jnp.float32(threshold))
    channel = jnp.arange(num_classes, dtype=jnp.int32)[None, None]
    found = jnp.where(channel == 0, threshold, threshold - MARGIN).astype(jnp.float32)
    found = jnp.broadcast_to(found, (*owner.shape, num_classes))
    return jnp.where(channel == label[..., None], score[..., None], found)
