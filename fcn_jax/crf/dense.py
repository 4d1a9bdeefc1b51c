"""Mean-field inference, as pydensecrf iterates it.

References:
    Krähenbühl and Koltun 2011, arXiv:1210.5644; lucasb-eyer/pydensecrf, densecrf.cpp
    (the update) and pairwise.cpp (the normalisations).
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fcn_jax.crf import checks
from fcn_jax.crf.parameters import CRFParameters, Number, as_given
from fcn_jax.ops import extents, filtering, permutohedral

Array = jax.Array

# A pixel touches d + 1 vertices of a lattice of d dimensions; position and colour: 5.
_VERTICES_A_PIXEL = 6
# Room that is taken under `jit`, where nothing can be counted, by the deviation of
# colour below which it is taken. Photographs of 72x96 pixels need up to 2.6 vertices a
# pixel at 3, 1.1 at 5 and 0.3 at 13 (eight of CamVid); larger ones fewer.
_ROOM_BY_COLOUR = ((4.0, _VERTICES_A_PIXEL), (8.0, 3))
# Most photographs need fewer vertices than one for 8 pixels; tiny ones some more.
_PIXELS_A_VERTEX, _LEAST_ROOM = 8, 64

# The lattice of the smoothness kernel has 1.18 vertices a square deviation of the image
# (counted), which spills over its edges by two deviations on every side.
_VERTICES_A_DEVIATION, _EDGE_DEVIATIONS = 1.3, 4

_TINY = 1e-20  # Added to a kernel's sums, as in pydensecrf.


def mean_field(
    unary: Array | np.ndarray,
    image: Array | np.ndarray,
    parameters: CRFParameters | None = None,
    *,
    compatibility: str | Array = "potts",
    method: str = "lattice",
    sizes: Array | None = None,
    capacity: int | None = None,
    logits: bool = False,
    **numbers: Any,
) -> Array:
    """Class probabilities after mean-field inference.

    Every pixel is joined to every other by two Gaussian kernels: of position
    (smoothness), and of position and colour (appearance).

    Args:
        unary: -log p(class at pixel), [H, W, C] or [N, H, W, C] floating, nats.
        image: RGB, [H, W, 3] or [N, H, W, 3] uint8.
        parameters: Bandwidths, weights, iterations and normalisation; or give these
            one by one, as keywords.
        compatibility: "potts", or the cost of two labels side by side, [C, C].
        method: "lattice" (linear in the pixels) or "exact" (for small images).
        sizes: True (height, width) of every image of a batch, [N, 2] integer, where
            they were padded at the bottom and right; None: they fill it. Inside,
            probabilities are those of each image alone.
        capacity: Room for vertices of the appearance kernel's lattice. None: outside
            `jit` as much as the images turn out to need; inside, one a pixel, where
            `bilateral_rgb` is below 8 three, below 4 six, which always suffice; six
            for the first 64 pixels in any case.
        logits: Whether to return scores whose softmax are the probabilities, which do
            not round to 0 and 1.
        **numbers: The fields of `CRFParameters`, where `parameters` is not given:
            `mean_field(unary, image, **PARAMETERS["deeplab"])`.

    Returns:
        Probabilities, of the shape and dtype of `unary`; half precision is computed in
        float32. Under `jit` an image that
        has a non-finite unary, or needs more than `capacity`, comes back as all NaN.

    Raises:
        TypeError: If the image is not uint8, or the unary not floating point; or if
            the parameters are none, or a field of them missing, unknown or given twice.
        ValueError: If shapes do not fit, or an option or a number has no meaning.
            Outside `jit` also if a unary is not finite, or no -log p (logits,
            probabilities), or the capacity too small, naming the one needed.
    """
    given = as_given(parameters, numbers)
    unary = jnp.asarray(unary)
    image = jnp.asarray(image)
    checks.check_arrays(unary, image)
    checks.check_options(
        given.normalization,
        compatibility,
        method,
        given.iterations,
        capacity,
        unary.shape[-1],
    )
    bandwidths = {
        "smooth_xy": given.smooth_xy,
        "bilateral_xy": given.bilateral_xy,
        "bilateral_rgb": given.bilateral_rgb,
    }
    checks.check_bandwidths(bandwidths)
    single = unary.ndim == 3
    if single:
        unary, image = unary[None], image[None]
    if sizes is None:
        whole = jnp.asarray(unary.shape[1:3], jnp.int32)
        sizes = jnp.broadcast_to(whole[None], (unary.shape[0], 2))
    else:
        sizes = jnp.asarray(sizes)
        extents.check(sizes, unary.shape)
        sizes = sizes.astype(jnp.int32)  # Narrow or unsigned ones would overflow.
    num_pixels = unary.shape[1] * unary.shape[2]
    weights = given.smooth_weight, given.bilateral_weight
    traced = any(
        isinstance(x, Tracer)
        for x in (unary, image, sizes, *bandwidths.values(), *weights, compatibility)
    ) or isinstance(jnp.zeros(()), Tracer)  # All are constants of what `jit` traces.
    asked = unary.dtype
    dtype = asked if jnp.finfo(asked).bits >= 32 else jnp.dtype(jnp.float32)
    unary = unary.astype(dtype)
    run = functools.partial(
        _mean_field,
        unary,
        image,
        sizes,
        {name: jnp.asarray(value, dtype) for name, value in bandwidths.items()},
        tuple(jnp.asarray(weight, dtype) for weight in weights),
        None if isinstance(compatibility, str) else jnp.asarray(compatibility, dtype),
        how=_How(given.iterations, given.normalization, method),
        smooth_capacity=_smooth_capacity(unary.shape[1:3], given.smooth_xy),
    )

    found = (
        run(capacity=capacity or _room(given.bilateral_rgb, num_pixels))[0]
        if traced
        else _run_with_room(run, unary, sizes, method, capacity)
    )
    found = found[0] if single else found
    return (found if logits else jax.nn.softmax(found)).astype(asked)


_Filter: TypeAlias = Callable[[Array], Array]


class _How(NamedTuple):
    """What a compiled mean field cannot change."""

    iterations: int
    normalization: str
    method: str


def _run_with_room(
    run: Callable[..., tuple[Array, Array]],
    unary: Array,
    sizes: Array,
    method: str,
    capacity: int | None,
):
    """Scores outside `jit`, with as much room for vertices as turns out to be needed.

    Raises:
        ValueError: If a unary is not finite or no -log p, or the capacity too small.
    """
    checks.check_unary(unary, sizes)
    num_pixels = unary.shape[1] * unary.shape[2]
    largest = num_pixels * _VERTICES_A_PIXEL
    guess = num_pixels // _PIXELS_A_VERTEX + _LEAST_ROOM
    room = capacity or min(largest, _round_up(guess))
    scores, needed = run(capacity=room)
    most = int(needed.max())
    if method == "lattice" and most > room:
        if capacity is not None:
            raise ValueError(
                f"mean_field: capacity={capacity} is too small; image "
                f"{int(needed.argmax())} needs {most} vertices: give capacity={most} "
                f"or more, or None to have it found."
            )
        scores, _ = run(capacity=min(largest, _round_up(most)))
    return scores


@functools.partial(
    jax.jit,
    static_argnames=("how", "smooth_capacity", "capacity"),
)
def _mean_field(
    unary: Array,
    image: Array,
    sizes: Array,
    bandwidths: Mapping[str, Number],
    weights: tuple[Array, ...],
    compatibility: Array | None,
    *,
    how: _How,
    smooth_capacity: int,
    capacity: int,
):
    """Scores of a batch, and the vertices that each image needs, [N]."""
    terms = weights, compatibility

    def one(each: tuple[Array, Array, Array]):
        unary, image, size = each
        height, width, num_classes = unary.shape
        inside = extents.valid(size[None], height, width)[0].reshape(-1)
        flat = unary.reshape(-1, num_classes)
        flat = jnp.where(inside[:, None], flat, jnp.zeros((), flat.dtype))
        features = _features(image, bandwidths, flat.dtype)
        rooms = (smooth_capacity, capacity)
        filters, needed = [], jnp.zeros((), jnp.int32)
        fine = jnp.all(jnp.isfinite(flat))
        for feature, room in zip(features, rooms, strict=True):
            if how.method == "exact":
                filters.append(
                    functools.partial(_exact, features=feature, valid=inside)
                )
                continue
            lattice = permutohedral.build(feature, room, inside)
            filters.append(functools.partial(permutohedral.filter_values, lattice))
            fine = fine & lattice.fits
            needed = lattice.num_vertices  # Of the last, the appearance kernel.
        filters = [
            _normalized(f, inside, how.normalization, flat.dtype) for f in filters
        ]
        scores = jax.lax.cond(
            fine,
            lambda: _iterate(flat, filters, weights, compatibility, how.iterations),
            lambda: flat + sum(jnp.sum(x) for x in jax.tree.leaves(terms)),
        )
        # A product, so that gradients are NaN too: to all that the scores come from.
        scores = scores * jnp.where(fine, 1, jnp.nan).astype(scores.dtype)
        return scores.reshape(unary.shape), needed

    return jax.lax.map(one, (unary, image, sizes))


def _iterate(
    unary: Array,
    filters: Sequence[_Filter],
    weights: Sequence[Array],
    compatibility: Array | None,
    iterations: int,
):
    def update(scores: Array, _: None):
        probs = jax.nn.softmax(scores)
        # Potts costs 1 for all labels but the own: the same but for a constant.
        scores = -unary if compatibility is None else jnp.zeros_like(unary)
        for apply, weight in zip(filters, weights, strict=True):
            if weight.ndim:
                weight = weight[None]
            scores = scores + weight * apply(probs)
        if compatibility is not None:
            scores = -unary - jnp.matmul(
                scores, compatibility.T, precision=jax.lax.Precision.HIGHEST
            )
        return scores, None

    scores, _ = jax.lax.scan(update, -unary, length=iterations)
    return scores


def _features(image: Array, bandwidths: Mapping[str, Number], dtype: jnp.dtype):
    """Positions, and positions and colours, in standard deviations, [H W, 2 and 5]."""
    height, width, _ = image.shape
    row, column = jnp.meshgrid(
        jnp.arange(height, dtype=dtype), jnp.arange(width, dtype=dtype), indexing="ij"
    )
    position = jnp.stack([column, row], axis=-1).reshape(-1, 2)
    colour = image.reshape(-1, 3).astype(dtype)
    return (
        position / bandwidths["smooth_xy"],
        jnp.concatenate(
            [
                position / bandwidths["bilateral_xy"],
                colour / bandwidths["bilateral_rgb"],
            ],
            axis=1,
        ),
    )


def _exact(values: Array, *, features: Array, valid: Array):
    return filtering.exact_filter(features, values, valid)


def _normalized(apply: _Filter, inside: Array, normalization: str, dtype: jnp.dtype):
    """A filter divided by what it makes of ones."""
    if normalization == "no":
        return apply
    sums = apply(jnp.ones((inside.shape[0], 1), dtype)) + _TINY
    sums = jnp.where(inside[:, None], sums, jnp.ones((), dtype))
    if normalization == "symmetric":
        sums = jnp.sqrt(sums)
    factor = 1 / sums
    if normalization == "before":
        return lambda values: apply(values * factor)
    if normalization == "after":
        return lambda values: apply(values) * factor
    return lambda values: apply(values * factor) * factor


def _smooth_capacity(shape: Sequence[int], smooth_xy: Number) -> int:
    """Room for the vertices of the smoothness kernel, which image size bounds."""
    height, width = shape
    most = 3 * height * width  # d + 1 for each pixel, of a lattice of 2 dimensions.
    if isinstance(smooth_xy, Tracer):
        return min(most, height * width + _LEAST_ROOM)
    rows, columns = (n / float(smooth_xy) + _EDGE_DEVIATIONS for n in (height, width))
    return min(most, int(_VERTICES_A_DEVIATION * rows * columns) + _LEAST_ROOM)


def _room(bilateral_rgb: Number, num_pixels: int) -> int:
    """Vertices of the appearance kernel for which there is room under `jit`."""
    # Of a few pixels each has vertices of its own, and all of them take no room.
    least = _VERTICES_A_PIXEL * min(num_pixels, _LEAST_ROOM)
    if isinstance(bilateral_rgb, Tracer):
        return max(least, num_pixels)
    for limit, vertices in _ROOM_BY_COLOUR:
        if float(bilateral_rgb) < limit:
            return max(least, vertices * num_pixels)
    return max(least, num_pixels)


def _round_up(count: int):
    """To a power of two, or to three quarters of one: few compilations."""
    power = 1 << max(0, int(count) - 1).bit_length()
    return 3 * power // 4 if count <= 3 * power // 4 else power
