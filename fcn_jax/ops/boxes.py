"""Windows of an image: cut out at one size, and laid back into their places.

Resampling is bilinear with the triangle widened where the result is smaller, so that
nothing is skipped (MATLAB's imresize, Pillow's BILINEAR). Both directions are products
with two small matrices; no direction gathers or scatters. A CPU, whose products cost
what they multiply, zeros too, lays maps back line by line of the box.

`boxes` are (row0, col0, row1, col1), the end excluded, in pixels of the image; they may
reach beyond it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Array = jax.Array

_HIGHEST = jax.lax.Precision.HIGHEST


def crop_boxes(image: Array, boxes: Array, out_shape: tuple[int, int]) -> Array:
    """Cut windows out of an image and resize them to one size.

    Args:
        image: [H, W, C] floating point; half precision is computed in float32.
        boxes: [B, 4] integer; at most the height (width) of the image beyond it.
        out_shape: Height and width of the results, pixels.

    Returns:
        `[B, *out_shape, C]` of the image's dtype. What lies outside the image is 0.
    """
    wide = _wide(image)
    rows = _from_box(boxes[:, 0], boxes[:, 2], wide.shape[0], out_shape[0], wide)
    columns = _from_box(boxes[:, 1], boxes[:, 3], wide.shape[1], out_shape[1], wide)
    crops = jnp.einsum("byh,hwc->bywc", rows, wide, precision=_HIGHEST)
    crops = jnp.einsum("bxw,bywc->byxc", columns, crops, precision=_HIGHEST)
    return crops.astype(image.dtype)


def place_box(x: Array, box: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Resize a map to its box and lay it there.

    Args:
        x: [h, w, C] floating point; half precision is computed in float32.
        box: [4] integer.
        shape: Height and width of the image.

    Returns:
        The map, `[*shape, C]` of x's dtype, 0 outside the box; and which pixels are
        inside, `[*shape, 1]` bool.
    """
    wide = _wide(x)
    rows, in_rows = _into_box(box[0], box[2], x.shape[0], shape[0], wide.dtype)
    columns, in_columns = _into_box(box[1], box[3], x.shape[1], shape[1], wide.dtype)
    placed = jnp.einsum("yh,hwc->ywc", rows, wide, precision=_HIGHEST)
    placed = jnp.einsum("xw,ywc->yxc", columns, placed, precision=_HIGHEST)
    inside = (in_rows[:, None] & in_columns[None])[:, :, None]
    return placed.astype(x.dtype), inside


def lay_box(
    canvas: Array, x: Array, box: Array, combine: Callable[[Array, Array], Array]
) -> tuple[Array, Array]:
    """Resize a map to its box and combine it with what lies there.

    Not to be differentiated on a CPU.

    Args:
        canvas: [H, W, C] floating point.
        x: [h, w, C] of the same dtype.
        box: [4] integer; one without pixels changes nothing.
        combine: Of canvas and map, element by element, as `jnp.maximum`.

    Returns:
        The canvas, changed inside the box alone; and which pixels are inside,
        [H, W, 1] bool.
    """

    def by_products(canvas: Array, x: Array, box: Array) -> Array:
        placed, inside = place_box(x, box, (canvas.shape[0], canvas.shape[1]))
        return jnp.where(inside, combine(canvas, placed), canvas)

    def by_lines(canvas: Array, x: Array, box: Array) -> Array:
        inside = _is_within(box[1], box[3], canvas.shape[1])[:, None]

        def put(row: Array, line: Array, canvas: Array) -> Array:
            before = jax.lax.dynamic_index_in_dim(canvas, row, keepdims=False)
            line = jnp.where(inside, combine(before, line), before)
            return jax.lax.dynamic_update_index_in_dim(canvas, line, row, 0)

        def put_column(column: Array, line: Array, wide: Array) -> Array:
            return jax.lax.dynamic_update_index_in_dim(wide, line, column, 1)

        wide = jnp.zeros((x.shape[0], *canvas.shape[1:]), x.dtype)
        wide = _lines_into_box(x, 1, box[1], box[3], put_column, wide)
        return _lines_into_box(wide, 0, box[0], box[2], put, canvas)

    laid = jax.lax.platform_dependent(canvas, x, box, cpu=by_lines, default=by_products)
    rows = _is_within(box[0], box[2], canvas.shape[0])
    columns = _is_within(box[1], box[3], canvas.shape[1])
    return laid, (rows[:, None] & columns[None])[:, :, None]


def _is_within(start: Array, end: Array, length: int) -> Array:
    """Which rows of the image are in the box, [length] bool."""
    row = jnp.arange(length, dtype=start.dtype)
    return (row >= start) & (row < end)


def _lines_into_box(
    x: Array,
    axis: int,
    start: Array,
    end: Array,
    put: Callable[[Array, Array, Array], Array],
    carry: Array,
) -> Array:
    """Give `put` each line of the image that is in the box, in order, with its place.

    The lines and their weights are those of `_into_box`.
    """
    length = x.shape[axis]
    origin = start.astype(x.dtype)
    step = length / (end.astype(x.dtype) - origin)
    reach = jnp.maximum(step, 1)  # Source lines within it count.
    taps = jnp.floor(2 * reach).astype(jnp.int32) + 1

    def weighed(centre: Array, source: Array) -> tuple[Array, Array]:
        there = (source >= 0) & (source < length)
        weight = 1 - jnp.abs(centre - (source.astype(x.dtype) + 0.5)) / reach
        weight = jnp.where(there, jnp.maximum(weight, 0), jnp.zeros((), x.dtype))
        place = jnp.clip(source, 0, length - 1)
        line = jax.lax.dynamic_index_in_dim(x, place, axis, keepdims=False)
        return weight, line

    def put_larger(place: Array, carry: Array) -> Array:
        """Where no source is skipped, a line lies between two of them."""
        centre = (place.astype(x.dtype) + 0.5 - origin) * step
        source = jnp.floor(centre - 0.5).astype(jnp.int32)
        (one, before), (two, after) = (weighed(centre, source + i) for i in (0, 1))
        total = one + two
        return put(place, one / total * before + two / total * after, carry)

    def put_smaller(place: Array, carry: Array) -> Array:
        centre = (place.astype(x.dtype) + 0.5 - origin) * step
        source = jnp.ceil(centre - reach - 0.5).astype(jnp.int32)

        def add(tap: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
            weight, line = weighed(centre, source + tap)
            return sums[0] + weight * line, sums[1] + weight

        shape = x.shape[:axis] + x.shape[axis + 1 :]
        none = (jnp.zeros(shape, x.dtype), jnp.zeros((), x.dtype))
        line, total = jax.lax.fori_loop(0, taps, add, none)
        return put(place, line / total, carry)

    first = jnp.maximum(start, 0)
    last = jnp.minimum(end, carry.shape[axis])
    return jax.lax.cond(
        step <= 1,
        lambda carry: jax.lax.fori_loop(first, last, put_larger, carry),
        lambda carry: jax.lax.fori_loop(first, last, put_smaller, carry),
        carry,
    )


def _wide(x: Array) -> Array:
    """A map in a precision that holds places too: bfloat16 counts to 256."""
    return x.astype(jnp.float64 if x.dtype == jnp.float64 else jnp.float32)


def _from_box(start: Array, end: Array, length: int, out_length: int, image: Array):
    """The share of each row of the image in each row of a result, [B, out, length]."""
    dtype = image.dtype
    start, end = start[:, None].astype(dtype), end[:, None].astype(dtype)
    step = (end - start) / out_length
    centre = start + (jnp.arange(out_length, dtype=dtype)[None] + 0.5) * step
    # The shares add up to 1 over the whole box; what is outside the image is black.
    row = jnp.arange(-length, 2 * length, dtype=dtype)[None, None] + 0.5
    inside = (row > start[:, :, None]) & (row < end[:, :, None])
    share = _triangle(centre[:, :, None] - row, step[:, :, None], inside)
    return share[:, :, length : 2 * length]


def _into_box(start: Array, end: Array, length: int, out_length: int, dtype: jnp.dtype):
    """The share of each row of a map in each row of the image, [out, length]."""
    start, end = start[None].astype(dtype), end[None].astype(dtype)
    row = jnp.arange(out_length, dtype=dtype) + 0.5
    inside = (row > start) & (row < end)
    step = length / (end - start)
    centre = (row - start) * step
    source = jnp.arange(length, dtype=dtype)[None] + 0.5
    share = _triangle(centre[:, None] - source, step[:, None], True)
    return jnp.where(inside[:, None], share, jnp.zeros((), dtype)), inside


def _triangle(distance: Array, step: Array, counts: Array | bool):
    """Normalised weights by distance in source pixels, `step` of which are a result."""
    weight = jnp.maximum(1 - jnp.abs(distance) / jnp.maximum(step, 1), 0)
    weight = jnp.where(counts, weight, jnp.zeros((), weight.dtype))
    total = jnp.sum(weight, axis=-1, keepdims=True)
    return weight / jnp.where(total > 0, total, jnp.ones((), total.dtype))
