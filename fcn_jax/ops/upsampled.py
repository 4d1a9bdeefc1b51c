"""Scores on their way to the image: what upsamples them is known, and not done yet.

Bilinear upsampling by a factor f in two steps, columns first: the map after the first
has a row a cell, and each of its rows gives f rows of the image, sums of few rows of
it. What needs every pixel once can make it from them, and never holds all pixels.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from fcn_jax.ops import bilinear, cropping

Array = jax.Array


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where the pixels of an image lie among upsampled scores.

    Attributes:
        factor: Pixels from cell to cell.
        kernel_size: Of the bilinear filter, pixels.
        offset: Row and column of the upsampled map at which the image starts.
        size: Height and width of the image.
    """

    factor: int
    kernel_size: int
    offset: int
    size: tuple[int, int]

    @property
    def blocks(self) -> tuple[int, int]:
        """The blocks of `factor` rows that hold it: first, and one past the last."""
        end = self.offset + self.size[0]
        return self.offset // self.factor, -(-end // self.factor)


@dataclasses.dataclass(frozen=True)
class Upsampled:
    """The logits of an image, as scores that are to be upsampled.

    Attributes:
        scores: [N, h, w, C] floating.
        frame: Where the image lies.
    """

    scores: Array
    frame: Frame

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the logits: [N, H, W, C]."""
        n, _, _, channels = self.scores.shape
        return (n, *self.frame.size, channels)

    def whole(self) -> Array:
        """The logits, [N, H, W, C] of the scores' dtype."""
        frame = self.frame
        wide = bilinear.bilinear_upsample(self.scores, frame.factor, frame.kernel_size)
        return cropping.crop(wide, frame.offset, frame.size)


def whole(logits: Array | Upsampled) -> Array:
    """Logits, [N, H, W, C], upsampled where they are not yet.

    Args:
        logits: Of either kind.
    """
    return logits.whole() if isinstance(logits, Upsampled) else logits


def row_taps(frame: Frame) -> np.ndarray:
    """Weights of the terms of `row_terms`, [terms, factor] float64.

    Args:
        frame: Where the image lies.
    """
    factor, kernel_size = frame.factor, frame.kernel_size
    terms = -(-kernel_size // factor)
    taps = bilinear.bilinear_taps(kernel_size)
    return np.pad(taps, (0, terms * factor - kernel_size)).reshape(terms, factor)


def row_terms(scores: Array, frame: Frame) -> tuple[Array, ...]:
    """What the rows of the image are sums of.

    Row r of block m is the sum over terms t of row_taps[t, r] times row m of term t.

    Args:
        scores: [N, h, w, C].
        frame: Where the image lies.

    Returns:
        Maps [N, blocks, W, C], upsampled along columns alone.
    """
    columns = bilinear.upsample_axis(scores, frame.factor, frame.kernel_size, axis=2)
    first, last = frame.offset, frame.offset + frame.size[1]
    columns = jax.lax.slice_in_dim(columns, first, last, axis=2)
    more = len(row_taps(frame)) - 1
    columns = jnp.pad(columns, ((0, 0), (more, more), (0, 0), (0, 0)))
    first, last = frame.blocks
    return tuple(
        jax.lax.slice_in_dim(columns, more - t + first, more - t + last, axis=1)
        for t in range(more + 1)
    )


def in_blocks(x: Array, frame: Frame, fill: float) -> Array:
    """What belongs to pixels, in the blocks of `row_terms`.

    Args:
        x: [N, H, W].
        frame: Where the image lies.
        fill: Of rows beyond the image.

    Returns:
        [N, blocks, factor, W] of x's dtype.
    """
    first, last = frame.blocks
    top = frame.offset - first * frame.factor
    bottom = (last - first) * frame.factor - top - x.shape[1]
    x = jnp.pad(x, ((0, 0), (top, bottom), (0, 0)), constant_values=fill)
    return x.reshape(x.shape[0], last - first, frame.factor, x.shape[2])


def row_of_blocks(terms: tuple[Array, ...], taps: np.ndarray, row: int) -> Array:
    """One row of every block, [N, blocks, W, C].

    Args:
        terms: Of `row_terms`.
        taps: Of `row_taps`.
        row: In [0, factor).
    """
    weighed = [
        term * jnp.asarray(tap, term.dtype)
        for term, tap in zip(terms, taps[:, row], strict=True)
    ]
    return functools.reduce(jnp.add, weighed)
