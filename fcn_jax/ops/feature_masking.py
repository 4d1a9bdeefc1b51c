"""What boxes, and segments in them, show of a map: maxima of a spatial pyramid's bins.

A pyramid's level n divides the cells of a box into n x n bins. Of a segment only the
cells that belong to it are seen (`fcn_jax.proposals.projection`), as if the map were
multiplied by its mask.

References:
    He, Zhang, Ren and Sun 2014, arXiv:1406.4729, sec. 2 and appendix A;
    ShaoqingRen/SPP_net, rois_to_features.m and spp_pooling (cells of boxes, bins).
    Dai, He and Sun 2015, arXiv:1412.1283, sec. 3 (masks).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

Array = jax.Array

# Pixels by which a box's edges are moved inwards before its cells are looked for.
INWARDS = 6.5
_AT_ONCE = 16  # Boxes that are pooled together.


def cells_of_boxes(
    boxes: Array,
    extent: Array,
    *,
    first: float,
    stride: float,
    inwards: float = INWARDS,
) -> Array:
    """The cells of boxes: those between their edges, which are moved inwards first.

    Edges are the first and last pixels, and the centre nearest to each counts. Where
    there is no cell between them it is the one in the middle; what lies beyond the map
    is its outermost cell.

    Args:
        boxes: (row0, col0, row1, col1), end excluded, [M, 4] integer, pixels.
        extent: Height and width of the map, [2] integer, cells.
        first: Centre of the first cell, pixels; see `projection.Cells`.
        stride: Pixels from a centre to the next.
        inwards: Pixels; SPP-net's 6.5 by default.

    Returns:
        (row0, col0, row1, col1), end excluded, [M, 4] int32, cells; none is empty.

    Raises:
        TypeError: If boxes are not integers.
        ValueError: If they are not [M, 4].
    """
    if not jnp.issubdtype(boxes.dtype, jnp.integer):
        raise TypeError(
            f"cells_of_boxes: boxes are {boxes.dtype}; expected integers, pixels."
        )
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            f"cells_of_boxes: boxes of shape {tuple(boxes.shape)}; expected [M, 4], a "
            f"row (row0, col0, row1, col1) a box."
        )
    exact = boxes.astype(jnp.float32)
    start = jnp.floor((exact[:, :2] - (first - inwards)) / stride + 0.5)
    last = jnp.ceil((exact[:, 2:] - (1 + first + inwards)) / stride - 0.5)
    start, last = start.astype(jnp.int32), last.astype(jnp.int32)
    middle = (start + last) // 2
    nothing = start > last
    start, last = jnp.where(nothing, middle, start), jnp.where(nothing, middle, last)
    limit = extent.astype(jnp.int32)[None] - 1
    start, last = jnp.clip(start, 0, limit), jnp.clip(last, 0, limit)
    return jnp.concatenate([start, last + 1], axis=-1)


def bins(start: Array, end: Array, count: int, length: int) -> Array:
    """Which cells are in which bin of a range.

    Bin j of n over L cells is from floor(j L / n) to ceil((j + 1) L / n), end excluded:
    bins overlap where n does not divide L, and none is empty.

    Args:
        start: First cell of the range, integer scalar.
        end: Its end, excluded.
        count: Bins, n.
        length: Cells of the map.

    Returns:
        [count, length] bool.
    """
    number = jnp.arange(count, dtype=start.dtype)
    cells = end - start
    starts = start + number * cells // count
    ends = start - (-(number + 1) * cells // count)
    cell = jnp.arange(length, dtype=start.dtype)[None]
    return (cell >= starts[:, None]) & (cell < ends[:, None])


def pyramid_pool(
    x: Array, cells: Array, levels: Sequence[int], masks: Array | None = None
) -> list[Array]:
    """The maxima of each bin of boxes, at least 0.

    Of values that are equal the first column's first has the gradient (in Caffe the
    first row's first).

    Args:
        x: A map after ReLU, [h, w, C] floating point.
        cells: Of the boxes, [M, 4] integer, as `cells_of_boxes` returns them.
        levels: Bins in each direction, a number for each level.
        masks: Which cells are seen, [M, h, w] bool; None: all.

    Returns:
        For each level [M, n, n, C] of x's dtype.

    Raises:
        ValueError: If shapes do not fit, or there is no level or one without bins.
    """
    if not levels or min(levels) < 1:
        raise ValueError(
            f"pyramid_pool: levels={tuple(levels)}; give at least one, each of a bin "
            f"or more."
        )
    if x.ndim != 3 or cells.ndim != 2 or cells.shape[1] != 4:
        raise ValueError(
            f"pyramid_pool: a map of shape {tuple(x.shape)} and cells of "
            f"{tuple(cells.shape)}; expected [h, w, C] and [M, 4]."
        )
    if masks is not None and masks.shape != (cells.shape[0], *x.shape[:2]):
        raise ValueError(
            f"pyramid_pool: masks of shape {tuple(masks.shape)}; for a map of "
            f"{tuple(x.shape)} and {cells.shape[0]} boxes expected "
            f"{(cells.shape[0], *x.shape[:2])}."
        )
    zero = jnp.zeros((), x.dtype)
    cells = cells.astype(jnp.int32)  # Narrow or unsigned ones would overflow.

    def of_box(each: tuple[Array, Array | None]) -> list[Array]:
        box, mask = each
        seen = x if mask is None else jnp.where(mask[..., None], x, zero)
        found = []
        for level in levels:
            in_rows = bins(box[0], box[2], level, x.shape[0])
            in_columns = bins(box[1], box[3], level, x.shape[1])
            rows = _maxima(seen, in_rows)  # [n, w, C]
            found.append(
                jnp.swapaxes(_maxima(jnp.swapaxes(rows, 0, 1), in_columns), 0, 1)
            )
        return found

    if cells.shape[0] <= _AT_ONCE:
        return jax.vmap(of_box)((cells, masks))
    return jax.lax.map(of_box, (cells, masks), batch_size=_AT_ONCE)


def _maxima(x: Array, members: Array) -> Array:
    """The maxima over the first axis of a map, for each set of members, [B, w, C].

    They are picked by their place, as `roi.roi_pool` does.
    """
    seen, lowest = jax.lax.stop_gradient(x), jnp.full((), -jnp.inf, x.dtype)

    def of(member: Array) -> Array:
        place = jnp.argmax(jnp.where(member[:, None, None], seen, lowest), axis=0)
        return jnp.take_along_axis(x, place[None], axis=0)[0]

    return jnp.maximum(jax.vmap(of)(members), jnp.zeros((), x.dtype))


def flattened(levels: Sequence[Array]) -> Array:
    """The bins of all levels as one vector, as SPP-net's files have them.

    Args:
        levels: [M, n, n, C] each.

    Returns:
        [M, sum of n * n * C]: level by level, in a level channel by channel.
    """
    parts = [jnp.moveaxis(x, 3, 1).reshape(x.shape[0], -1) for x in levels]
    return jnp.concatenate(parts, axis=-1)
