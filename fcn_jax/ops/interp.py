"""What DeepLab's Interp layer does: upsampling and shrinking, corners on corners.

By a factor f, cell i of the small map lies on pixel f i of the large one, and n cells
make n + (n - 1)(f - 1) pixels. Resizing by half-pixel centres, as image libraries do,
moves every cell instead.

References:
    Chen et al. 2015, arXiv:1412.7062, sec. 3.1; deeplab-public, interp_layer.cpp
    (zoom_factor, shrink_factor).
"""

import jax
from jax import export

from fcn_jax.ops import bilinear, cropping

Array = jax.Array


def zoom(x: Array, factor: int, size: tuple[int, int]) -> Array:
    """Upsample bilinearly, and cut to a size that the cells reach over.

    Args:
        x: Scores, [N, h, w, C] floating point.
        factor: Pixels from cell to cell.
        size: Height and width of the result, at most (h - 1) factor + 1 pixels.

    Returns:
        [N, height, width, C] of x's dtype; pixel (factor i, factor j) is cell (i, j).

    Raises:
        ValueError: If the factor is not positive, or the cells end before the size.
    """
    _check_factor("zoom", factor)
    reach = [(cells - 1) * factor + 1 for cells in x.shape[1:3]]
    for side, most in zip(size, reach, strict=True):
        if not _is_symbolic(side, most) and side > most:
            raise ValueError(
                f"zoom: {x.shape[1]}x{x.shape[2]} cells, {factor} pixels apart, reach "
                f"over {reach[0]}x{reach[1]} pixels, and {size[0]}x{size[1]} were "
                f"asked for; give a map that has a cell at or beyond the last pixel."
            )
    # A kernel of 2 f - 1 pixels is a tent of f on both sides of its cell.
    wide = bilinear.bilinear_upsample(x, factor, 2 * factor - 1)
    return cropping.crop(wide, factor - 1, size)


def shrink(x: Array, factor: int) -> Array:
    """The pixels on which cells of a map lie: every `factor`-th, from the first on.

    Of n pixels (n - 1) // factor + 1. Caffe's layer spreads as many cells from the
    first to the last pixel; where n - 1 is no multiple of the factor, they come to lie
    between pixels, and it mixes the numbers of classes. Nets of the release see crops
    of 321 pixels only, where both are the same.

    Args:
        x: Labels, [N, H, W], or scores, [N, H, W, C].
        factor: Pixels from cell to cell.

    Returns:
        [N, h, w] or [N, h, w, C] of x's dtype.

    Raises:
        ValueError: If the factor is not positive.
    """
    _check_factor("shrink", factor)
    return x[:, ::factor, ::factor]


def _is_symbolic(*sides: int) -> bool:
    """Whether a side is one of `jax.export`, about which nothing can be asked."""
    return any(map(export.is_symbolic_dim, sides))


def _check_factor(what: str, factor: int) -> None:
    if factor < 1:
        raise ValueError(
            f"{what}: factor={factor} is not positive; DeepLab's maps lie 8 pixels "
            f"apart, and 1 changes nothing."
        )
