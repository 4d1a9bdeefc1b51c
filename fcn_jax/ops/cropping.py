"""The offsets that align a coarse score map with its input, derived, not typed in.

Every layer maps coordinates linearly; a crop has to start where the first pixel of its
reference lies in the map that is cropped (Caffe, coord_map.py).
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import jax
import jax.numpy as jnp
from jax import export


@dataclasses.dataclass(frozen=True)
class CoordinateMap:
    """x -> scale * x + shift, from the pixels of an image to those of a map.

    Attributes:
        scale: Pixels of the map per pixel of the image.
        shift: Where the image's first pixel lies in the map.
    """

    scale: Fraction
    shift: Fraction

    def then(self, other: "CoordinateMap") -> "CoordinateMap":
        """This map, then the other."""
        return CoordinateMap(
            self.scale * other.scale, other.scale * self.shift + other.shift
        )

    def inverse(self) -> "CoordinateMap":
        """The map back."""
        return CoordinateMap(
            1 / Fraction(self.scale), -Fraction(self.shift) / self.scale
        )


def window_map(kernel_size: int, stride: int = 1, pad: int = 0) -> CoordinateMap:
    """The map of a convolution or a pooling: to the centre of its window.

    Args:
        kernel_size: Side of the window, pixels.
        stride: Its step, pixels.
        pad: Added on every side, pixels.
    """
    centre = Fraction(kernel_size - 1, 2)
    return CoordinateMap(Fraction(1, stride), (pad - centre) / stride)


def upsample_map(kernel_size: int, stride: int, pad: int = 0) -> CoordinateMap:
    """The map of a transposed convolution.

    Args:
        kernel_size: Side of the kernel, pixels.
        stride: Factor of the upsampling.
        pad: Cut off on every side, pixels.
    """
    return CoordinateMap(Fraction(stride), Fraction(kernel_size - 1, 2) - pad)


def crop_offset(reference: CoordinateMap, cropped: CoordinateMap) -> int:
    """Where a map has to be cropped to lie on its reference.

    Args:
        reference: Image -> reference.
        cropped: Image -> the map that is cropped.

    Returns:
        The first row and column to keep. Negative: the reference reaches further out,
        and it is the one to crop, at minus this offset.

    Raises:
        ValueError: If the strides differ, or the offset is no whole number of pixels.
    """
    between = reference.inverse().then(cropped)
    if between.scale != 1:
        raise ValueError(
            f"crop_offset: {cropped.scale} pixels of the cropped map and "
            f"{reference.scale} of its reference fall on a pixel of the image; they "
            f"must be as many. Check the strides along both paths."
        )
    offset = Fraction(between.shift)
    if offset.denominator != 1:
        raise ValueError(
            f"crop_offset: the maps are {offset} pixels apart, which is no whole "
            f"number; an upsampling kernel of another parity (63 and 64 for stride 32) "
            f"moves them by half a pixel."
        )
    return int(offset)


def crop(x: jax.Array, offset: int, size: Sequence[int]) -> jax.Array:
    """Cut [offset, offset + size) out of both spatial axes.

    Args:
        x: [N, H, W, C].
        offset: First row and column to keep.
        size: Rows and columns to keep.

    Returns:
        [N, size[0], size[1], C].

    Raises:
        ValueError: If the cut reaches outside; with symbolic sizes (`jax.export`), for
            all of which that cannot be answered, it is not asked.
    """
    height, width = size
    if any(map(export.is_symbolic_dim, (*x.shape[1:3], height, width))):
        return _crop_by_padding(x, offset, size)
    if offset < 0 or offset + height > x.shape[1] or offset + width > x.shape[2]:
        raise ValueError(
            f"crop: {height}x{width} at offset {offset} does not lie in a map of "
            f"{x.shape[1]}x{x.shape[2]}; check the padding and rounding of the layers."
        )
    return x[:, offset : offset + height, offset : offset + width]


def place(x: jax.Array, offset: int, size: Sequence[int]) -> jax.Array:
    """The same cut, zero where the map does not reach.

    Args:
        x: [N, H, W, C].
        offset: First row and column to keep; negative: so many before the map.
        size: Rows and columns to keep.

    Returns:
        [N, size[0], size[1], C].
    """
    return _crop_by_padding(x, offset, size)


def _crop_by_padding(x: jax.Array, offset: int, size: Sequence[int]) -> jax.Array:
    """The cut as padding by less than nothing: its size follows without a proof."""
    ends = [
        (-offset, offset + wanted - there, 0)
        for wanted, there in zip(size, x.shape[1:3], strict=True)
    ]
    return jax.lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *ends, (0, 0, 0)))
