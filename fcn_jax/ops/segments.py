"""Pooling over a label map: sums, means and boxes of the segments of an image.

A map of segments is integer [H, W]: the number of each pixel's segment, 0 to num - 1;
what lies beyond the image is negative and counts nowhere. How many segments there may
be, `num`, is static; those that an image lacks have no pixels.

References:
    Mostajabi, Yadollahpour and Shakhnarovich 2015, arXiv:1412.0774, sec. 3.1.
"""

import jax
import jax.numpy as jnp

Array = jax.Array


def sums(x: Array, segments: Array, num: int) -> Array:
    """The sum over the pixels of each segment.

    Args:
        x: [H, W, F].
        segments: [H, W] integer; see the module.
        num: Segments.

    Returns:
        [num, F] of x's dtype; 0 where there are no pixels.

    Raises:
        TypeError: If the segments are no integers.
        ValueError: If shapes do not fit.
    """
    if not jnp.issubdtype(segments.dtype, jnp.integer):
        raise TypeError(f"segments are {segments.dtype}; expected integers, [H, W].")
    if x.ndim != 3 or x.shape[:2] != segments.shape:
        raise ValueError(
            f"a map {x.shape} and segments {segments.shape} do not fit; expected "
            f"[H, W, F] and [H, W]."
        )
    return _summed(x.reshape(-1, x.shape[-1]), _numbers(segments, num), num)


def counts(segments: Array, num: int) -> Array:
    """The pixels of each segment, [num] int32.

    Args:
        segments: [H, W] integer; see the module.
        num: Segments.
    """
    return _summed(jnp.ones(segments.size, jnp.int32), _numbers(segments, num), num)


def means(x: Array, segments: Array, num: int) -> Array:
    """The mean over the pixels of each segment.

    Args:
        x: [H, W, F] floating.
        segments: [H, W] integer; see the module.
        num: Segments.

    Returns:
        [num, F] of x's dtype; 0 where there are no pixels.

    Raises:
        TypeError: As `sums`.
        ValueError: As `sums`.
    """
    pixels = jnp.maximum(counts(segments, num), 1).astype(x.dtype)
    return sums(x, segments, num) / pixels[:, None]


def spread(values: Array, segments: Array) -> Array:
    """Every pixel gets the values of its segment.

    Args:
        values: [num, F].
        segments: [H, W] integer; see the module.

    Returns:
        [H, W, F]; 0 beyond the image.
    """
    segments = segments.astype(jnp.int32)
    inside = (segments >= 0) & (segments < values.shape[0])
    found = values[jnp.where(inside, segments, 0)]
    return jnp.where(inside[..., None], found, jnp.zeros((), values.dtype))


def adjacency(segments: Array, num: int) -> Array:
    """Which segments share an edge of a pixel, [num, num] bool; none with itself.

    Args:
        segments: [H, W] integer; see the module.
        num: Segments.
    """
    segments = segments.astype(jnp.int32)
    found = jnp.zeros((num, num), bool)
    for one, other in (
        (segments[:-1], segments[1:]),
        (segments[:, :-1], segments[:, 1:]),
    ):
        touch = (one != other) & (one >= 0) & (other >= 0)
        # A place beyond the array is dropped.
        row = jnp.where(touch, one, num).ravel()
        column = jnp.where(touch, other, num).ravel()
        found = found.at[row, column].set(True, mode="drop")
    return found | found.T


def within(adjacent: Array, hops: int) -> Array:
    """Which segments are as many steps from neighbour to neighbour apart, or fewer.

    Args:
        adjacent: [num, num] bool, as `adjacency` gives it.
        hops: Steps, from 0 on.

    Returns:
        [num, num] bool; every segment is within 0 of itself.

    Raises:
        ValueError: If `hops` is negative.
    """
    if hops < 0:
        raise ValueError(f"hops={hops} is no number of steps; give one from 0 on.")
    found = jnp.eye(adjacent.shape[0], dtype=bool)
    steps = adjacent.astype(jnp.float32)  # Sums of these are 0 or at least 1.
    for _ in range(hops):
        found = found | (found.astype(jnp.float32) @ steps > 0)
    return found


def boxes(segments: Array, num: int) -> Array:
    """The bounding box of each segment.

    Args:
        segments: [H, W] integer; see the module.
        num: Segments.

    Returns:
        (row0, col0, row1, col1), end excluded, [num, 4] int32; all 0 where there are no
        pixels.
    """
    height, width = segments.shape
    row = jnp.broadcast_to(
        jnp.arange(height, dtype=jnp.int32)[:, None], segments.shape
    ).ravel()
    column = jnp.broadcast_to(
        jnp.arange(width, dtype=jnp.int32)[None], segments.shape
    ).ravel()
    numbers = _numbers(segments, num)
    at = jnp.stack([row, column], axis=-1)
    start = jax.ops.segment_min(at, numbers, num + 1)[:num]
    end = jax.ops.segment_max(at + 1, numbers, num + 1)[:num]
    there = counts(segments, num) > 0
    found = jnp.concatenate([start, end], axis=-1)
    return jnp.where(there[:, None], found, jnp.int32(0))


def joined_boxes(of_segments: Array, near: Array) -> Array:
    """The box around all segments that are near a segment.

    Args:
        of_segments: [num, 4] int32, as `boxes` gives them.
        near: Which belong together, [num, num] bool, as `within` gives them.

    Returns:
        [num, 4] int32; all 0 where no segment that is near has pixels.
    """
    there = of_segments[:, 2] > of_segments[:, 0]
    joined = (near & there[None])[:, :, None]
    far = jnp.int32(jnp.iinfo(jnp.int32).max)
    start = jnp.where(joined, of_segments[None, :, :2], far).min(axis=1)
    end = jnp.where(joined, of_segments[None, :, 2:], jnp.int32(0)).max(axis=1)
    found = jnp.concatenate([start, end], axis=-1)
    return jnp.where(joined.any(axis=1), found, jnp.int32(0))


def majority(labels: Array, segments: Array, num: int, num_classes: int) -> Array:
    """The class of most pixels of each segment, the lowest of equals.

    Args:
        labels: [H, W] integer; what is not in [0, num_classes) is void and not counted.
        segments: [H, W] integer; see the module.
        num: Segments.
        num_classes: C.

    Returns:
        [num] int32; `num_classes` where no pixel has a class.
    """
    labels, segments = labels.astype(jnp.int32), segments.astype(jnp.int32)
    valid = (labels >= 0) & (labels < num_classes) & (segments >= 0)
    place = jnp.where(valid, segments * num_classes + labels, num * num_classes)
    ones = jnp.ones(labels.size, jnp.int32)
    votes = _summed(ones, place.ravel(), num * num_classes).reshape(num, num_classes)
    winner = jnp.argmax(votes, axis=-1).astype(jnp.int32)
    return jnp.where(votes.any(axis=-1), winner, jnp.int32(num_classes))


def _numbers(segments: Array, num: int) -> Array:
    """The segment of each pixel, [H * W]; `num` where it has none."""
    segments = segments.astype(jnp.int32)  # Narrow ones would overflow.
    inside = (segments >= 0) & (segments < num)
    return jnp.where(inside, segments, num).ravel()


def _summed(x: Array, numbers: Array, num: int) -> Array:
    return jax.ops.segment_sum(x, numbers, num_segments=num + 1)[:num]
