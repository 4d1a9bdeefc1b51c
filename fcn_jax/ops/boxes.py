"""Windows of an image: cut out at one size, and laid back into their places.

Resampling is bilinear with the triangle widened where the result is smaller, so that
nothing is skipped (MATLAB's imresize, Pillow's BILINEAR). Both directions are products
with two small matrices; no direction gathers or scatters.

`boxes` are (row0, col0, row1, col1), the end excluded, in pixels of the image; they may
reach beyond it.
"""

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
