"""What a box shows of a map: maxima of its bins, and the map resized to one window.

`boxes` are (row0, col0, row1, col1), the end excluded, in pixels of the image; a map
has a cell for every `stride` pixels, cell (0, 0) over the first of them.

References:
    Girshick 2015, arXiv:1504.08083, sec. 2.1; rbgirshick/caffe-fast-rcnn,
    roi_pooling_layer.cpp.
    Hariharan et al. 2015, arXiv:1411.5752, sec. 3; bharath272/caffe-sds,
    box_upsample_layer.cpp.
"""

import jax
import jax.numpy as jnp

Array = jax.Array

_HIGHEST = jax.lax.Precision.HIGHEST


def roi_pool(
    x: Array, boxes: Array, stride: int, size: int = 7, extent: Array | None = None
) -> Array:
    """The maximum of each bin of boxes, as Fast R-CNN's ROI pooling layer takes it.

    A box's corners are rounded to cells, halves up, both inclusive; its cells are
    divided into `size` x `size` bins, which overlap by a cell where they do not come
    out even. A bin beyond the map is 0. Of values that are equal the first column's
    first has the gradient (in Caffe the first row's first).

    Args:
        x: A map, [h, w, C] floating point.
        boxes: [M, 4] integer, inside the image.
        stride: Image pixels per cell.
        size: Bins in each direction.
        extent: True (height, width) of the map, [2] integer, where it is padded; None:
            all of it.

    Returns:
        [M, size, size, C] of x's dtype.

    Raises:
        TypeError: If boxes are not integers.
        ValueError: If shapes are others, or a number is not positive.
    """
    _check("roi_pool", x, boxes, stride, size)
    boxes = boxes.astype(jnp.int32)  # Narrow or unsigned ones would overflow.
    height, width = _extent(x, extent)

    def of_box(box: Array) -> Array:
        in_rows = _bins(box[0], box[2], stride, size, height, x.shape[0])
        in_columns = _bins(box[1], box[3], stride, size, width, x.shape[1])
        found = _maxima(x, in_rows)  # [size, w, C]
        found = _maxima(jnp.swapaxes(found, 0, 1), in_columns)  # [size, size, C]
        there = jnp.any(in_rows, axis=1)[:, None] & jnp.any(in_columns, axis=1)[None]
        found = jnp.swapaxes(found, 0, 1)
        return jnp.where(there[..., None], found, jnp.zeros((), x.dtype))

    return jax.vmap(of_box)(boxes)


def _bins(
    start: Array, end: Array, stride: int, size: int, extent: Array, length: int
) -> Array:
    """Which cells are in which bin, [size, length] bool."""
    first = (2 * start + stride) // (2 * stride)
    last = (2 * (end - 1) + stride) // (2 * stride)
    cells = jnp.maximum(last - first + 1, 1)
    number = jnp.arange(size, dtype=start.dtype)
    starts = first + number * cells // size
    ends = first - (-(number + 1) * cells // size)
    cell = jnp.arange(length, dtype=start.dtype)[None]
    inside = cell < extent.astype(start.dtype)
    return (cell >= starts[:, None]) & (cell < ends[:, None]) & inside


def _maxima(x: Array, members: Array) -> Array:
    """The maxima over the first axis of a map, for each set of members, [B, w, C].

    They are picked by their place: the gradient of a maximum compares values, of which
    XLA may have computed one anew, rounded otherwise.
    """
    seen, lowest = jax.lax.stop_gradient(x), jnp.full((), -jnp.inf, x.dtype)

    def of(member: Array) -> Array:
        place = jnp.argmax(jnp.where(member[:, None, None], seen, lowest), axis=0)
        return jnp.take_along_axis(x, place[None], axis=0)[0]

    return jax.vmap(of)(members)


def box_upsample(
    x: Array, boxes: Array, stride: int, size: int = 50, extent: Array | None = None
) -> Array:
    """Windows of a map at one size, bilinear, half a pixel and half a cell in.

    Pixel k of a window lies at (k + 1/2) / `size` of the box's side; beyond its
    outermost cells the map goes on as they are. The published layer lays boxes over a
    map that it takes to be the image's size minus one pixel long: at most half a pixel
    of the image from here.

    Args:
        x: A map, [h, w, C] floating point; or one for each box, [M, h, w, C]. Half
            precision is computed in float32.
        boxes: [M, 4] integer.
        stride: Image pixels per cell.
        size: Height and width of the windows.
        extent: As for `roi_pool`.

    Returns:
        [M, size, size, C] of x's dtype.

    Raises:
        TypeError: If boxes are not integers.
        ValueError: If shapes are others, or a number is not positive.
    """
    own = x.ndim == 4
    _check("box_upsample", x[0] if own else x, boxes, stride, size)
    if own and x.shape[0] != boxes.shape[0]:
        raise ValueError(
            f"box_upsample: {x.shape[0]} maps for {boxes.shape[0]} boxes; give one "
            f"map for all, or one for each."
        )
    height, width = _extent(x[0] if own else x, extent)
    # It holds places too: bfloat16 counts to 256.
    wide = jnp.float64 if x.dtype == jnp.float64 else jnp.float32

    def of_box(box: Array, seen: Array) -> Array:
        rows = _shares(box[0], box[2], stride, size, height, seen.shape[0], wide)
        columns = _shares(box[1], box[3], stride, size, width, seen.shape[1], wide)
        found = jnp.einsum("yh,hwc->ywc", rows, seen, precision=_HIGHEST)
        return jnp.einsum("xw,ywc->yxc", columns, found, precision=_HIGHEST)

    found = jax.vmap(of_box, in_axes=(0, 0 if own else None))(boxes, x.astype(wide))
    return found.astype(x.dtype)


def _shares(
    start: Array,
    end: Array,
    stride: int,
    size: int,
    extent: Array,
    length: int,
    dtype: jnp.dtype,
) -> Array:
    """The share of each cell in each pixel of a window's side, [size, length]."""
    start, end = start.astype(dtype), end.astype(dtype)
    centre = (jnp.arange(size, dtype=dtype) + 0.5) / size
    place = (start + centre * (end - start)) / stride - 0.5
    place = jnp.clip(place, 0, extent.astype(dtype) - 1)
    cell = jnp.arange(length, dtype=dtype)[None]
    return jnp.maximum(1 - jnp.abs(place[:, None] - cell), 0)


def widened(boxes: Array, factor: float, sizes: Array) -> Array:
    """Boxes extended about their centres, and cut at the edges of their images.

    By the rule of `fcn_jax.data.boxes.extend`: both ends of a side move by half of its
    growth, in whole pixels.

    Args:
        boxes: [N, M, 4] integer.
        factor: On the sides; at least 1.
        sizes: Height and width of the images, [N, 2] integer.

    Returns:
        [N, M, 4] of the boxes' dtype.

    Raises:
        ValueError: If the factor is less than 1.
    """
    if not factor >= 1:
        raise ValueError(f"extension={factor} shrinks boxes; give a factor >= 1.")
    given, boxes = boxes.dtype, boxes.astype(jnp.int32)
    sides = (boxes[..., 2:] - boxes[..., :2]).astype(jnp.float32)
    growth = jnp.floor(jnp.round(sides * ((factor - 1) / 2), 4) + 0.5)
    growth = growth.astype(jnp.int32)
    starts = jnp.maximum(boxes[..., :2] - growth, 0)
    ends = jnp.minimum(boxes[..., 2:] + growth, sizes[:, None].astype(jnp.int32))
    return jnp.concatenate([starts, ends], axis=-1).astype(given)


def _extent(x: Array, extent: Array | None) -> Array:
    return jnp.asarray(x.shape[:2], jnp.int32) if extent is None else extent


def _check(what: str, x: Array, boxes: Array, stride: int, size: int) -> None:
    if not jnp.issubdtype(boxes.dtype, jnp.integer):
        raise TypeError(f"{what}: boxes are {boxes.dtype}; expected integers, pixels.")
    if boxes.ndim != 2 or boxes.shape[1] != 4 or x.ndim != 3:
        raise ValueError(
            f"{what}: a map of shape {tuple(x.shape)} and boxes of "
            f"{tuple(boxes.shape)}; expected [h, w, C] and [M, 4], a row (row0, col0, "
            f"row1, col1) a box."
        )
    if stride < 1 or size < 1:
        raise ValueError(
            f"{what}: stride={stride}, size={size}; both are at least 1 (image pixels "
            f"per cell, and the side of the result)."
        )
