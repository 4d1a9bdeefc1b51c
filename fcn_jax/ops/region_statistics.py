"""Hand-crafted features of regions: histograms of L*a*b*, their entropies, positions.

Regions are unions of segments (`fcn_jax.ops.segments`): counts are taken of segments
once, and added.

References:
    Mostajabi, Yadollahpour and Shakhnarovich 2015, arXiv:1412.0774, sec. 3.1.
"""

import jax
import jax.numpy as jnp

from fcn_jax.ops import colour, segments

Array = jax.Array

BINS = 32  # Of a histogram of one channel; the paper's number is not known.
_CHANNELS = 3
# Two histograms a channel, an entropy of each, and the position.
FEATURES = 2 * _CHANNELS * BINS + 2 * _CHANNELS + 2


def features(
    image: Array, of_pixels: Array, regions: Array, size: Array | None = None
) -> Array:
    """What is counted in regions of an image.

    Args:
        image: RGB in [0, 255], [H, W, 3].
        of_pixels: Segments, [H, W] integer; negative beyond the image.
        regions: Which segments are in each region, [R, num] bool.
        size: True height and width, [2] integer; None: all of it.

    Returns:
        [R, FEATURES] float32. By channel (L*, a*, b*) the shares of `BINS` even bins of
        `colour.RANGES`, then of bins that hold equally many pixels of this image
        ("adaptive"); the entropies of these six, nats; the mean row and column of the
        region from the centre of the image, in [-1, 1]. All 0 of a region without
        pixels.
    """
    num, of_pixels = regions.shape[1], of_pixels.astype(jnp.int32)
    height, width = image.shape[:2] if size is None else (size[0], size[1])
    lab = colour.to_lab(image)
    inside = of_pixels >= 0
    even, adaptive = [], []
    for channel, (least, most) in enumerate(colour.RANGES):
        x = lab[..., channel]
        place = jnp.floor((x - least) / (most - least) * BINS)
        even.append(jnp.clip(place, 0, BINS - 1).astype(jnp.int32))
        adaptive.append(_adaptive_bins(x, inside))
    member = regions.astype(jnp.float32)
    highest = jax.lax.Precision.HIGHEST

    def of_regions(of_segments: Array) -> Array:
        return jnp.matmul(member, of_segments.astype(jnp.float32), precision=highest)

    pixels = of_regions(segments.counts(of_pixels, num)[:, None])  # [R, 1]
    total = jnp.maximum(pixels, 1)
    shares = [
        of_regions(_histograms(bins, of_pixels, num)) / total
        for bins in (*even, *adaptive)
    ]
    entropies = [_entropy(share) for share in shares]
    centred = jnp.stack(
        jnp.broadcast_arrays(
            _centred(image.shape[0], height)[:, None],
            _centred(image.shape[1], width)[None],
        ),
        axis=-1,
    )
    position = of_regions(segments.sums(centred, of_pixels, num)) / total
    return jnp.concatenate([*shares, *entropies, position], axis=-1)


def _centred(length: int, side: Array | int) -> Array:
    """Where pixels lie along a side: -1 at its beginning, 1 at its end, [length]."""
    place = jnp.arange(length, dtype=jnp.float32) + 0.5
    return 2 * place / jnp.asarray(side, jnp.float32) - 1


def _histograms(bins: Array, of_pixels: Array, num: int) -> Array:
    """How many pixels of each segment are in each bin, [num, BINS] int32."""
    joint = jnp.where(of_pixels >= 0, of_pixels * BINS + bins, -1)
    return segments.counts(joint, num * BINS).reshape(num, BINS)


def _adaptive_bins(x: Array, inside: Array) -> Array:
    """The bin of each pixel, of bins that hold as many pixels of the image, int32.

    Equal values are in one bin.
    """
    most = jnp.asarray(jnp.inf, x.dtype)
    ordered = jnp.sort(jnp.where(inside, x, most).ravel())
    count = jnp.sum(inside, dtype=jnp.int32)
    ranks = jnp.arange(1, BINS, dtype=jnp.int32) * count // BINS
    edges = ordered[ranks]
    return jnp.searchsorted(edges, x.ravel(), side="right").reshape(x.shape)


def _entropy(share: Array) -> Array:
    """-sum p log p, nats, [R, 1]."""
    logs = jnp.log(jnp.where(share > 0, share, jnp.ones((), share.dtype)))
    return -jnp.sum(share * logs, axis=-1, keepdims=True)
