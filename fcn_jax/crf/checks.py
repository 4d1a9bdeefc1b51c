"""What `mean_field` refuses, and what it says then."""

from collections.abc import Mapping
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fcn_jax.crf.parameters import Number
from fcn_jax.ops import extents

Array = jax.Array
Values: TypeAlias = Array | np.ndarray

NORMALIZATIONS = ("no", "before", "after", "symmetric")
METHODS = ("lattice", "exact")


def check_arrays(unary: Values, image: Values):
    """Shapes and dtypes, which are known under `jit` too.

    Args:
        unary: Said to be [(N,) H, W, C] floating.
        image: Said to be [(N,) H, W, 3] uint8.

    Raises:
        TypeError: If a dtype is another.
        ValueError: If a shape is another.
    """
    if unary.ndim not in (3, 4) or 0 in unary.shape:
        raise ValueError(
            f"mean_field: the unary has shape {unary.shape}; expected [H, W, C] or "
            f"[N, H, W, C]."
        )
    if unary.shape[-1] < 2:
        raise ValueError(
            f"mean_field: the unary has shape {unary.shape}, one class, which is "
            f"always certain; a CRF needs two at least: stack -log p and -log (1 - p)."
        )
    if not jnp.issubdtype(unary.dtype, jnp.floating):
        raise TypeError(
            f"mean_field: the unary is {unary.dtype}; expected floating point, "
            f"-log p(class), such as crf.unary_from_logits makes."
        )
    if image.shape != (*unary.shape[:-1], 3):
        raise ValueError(
            f"mean_field: an image of shape {image.shape} for a unary of shape "
            f"{unary.shape}; expected {(*unary.shape[:-1], 3)}."
            f"{_about_channels(image.shape, unary.shape[:-1])}"
        )
    if image.dtype != jnp.uint8:
        raise TypeError(
            f"mean_field: the image is {image.dtype}; expected uint8 RGB in [0, 255], "
            f"which the bandwidths of colour are made for (of an image in 0..1 pass "
            f"np.round(255 * image).astype(np.uint8))."
        )


def _about_channels(shape: tuple[int, ...], place: tuple[int, ...]) -> str:
    """What to do with an image of the right size that has other channels than three."""
    if shape == place:
        return " Of a grey image repeat the channel: np.stack([image] * 3, axis=-1)."
    if shape[:-1] != place:
        return ""
    if shape[-1] == 1:
        return " Of a grey image repeat the channel: np.repeat(image, 3, axis=-1)."
    if shape[-1] == 4:
        return (
            " Give red, green and blue, image[..., :3], if the fourth channel is "
            "transparency or infrared."
        )
    return (
        " The bandwidths are those of three channels: choose three, such as "
        "image[..., :3], or project onto three, scaled to 0..255."
    )


def check_options(
    normalization: str,
    compatibility: str | Values,
    method: str,
    iterations: int,
    capacity: int | None,
    num_classes: int,
):
    """Names and numbers that are static.

    Args:
        normalization: One of `NORMALIZATIONS`.
        compatibility: "potts" or [C, C].
        method: One of `METHODS`.
        iterations: 0 or more.
        capacity: Vertices, 1 or more; None: as needed.
        num_classes: C.

    Raises:
        ValueError: If one is none of these.
    """
    for name, value, known in (
        ("normalization", normalization, NORMALIZATIONS),
        ("method", method, METHODS),
    ):
        if value not in known:
            raise ValueError(
                f"mean_field: {name}={value!r} is not known; choose one of "
                f"{', '.join(known)}."
            )
    if isinstance(compatibility, str):
        if compatibility != "potts":
            raise ValueError(
                f"mean_field: compatibility={compatibility!r} is not known; give "
                f"'potts', or a matrix [C, C] of costs."
            )
    elif jnp.shape(compatibility) != (num_classes, num_classes):
        raise ValueError(
            f"mean_field: a compatibility of shape {jnp.shape(compatibility)} for "
            f"{num_classes} classes; expected ({num_classes}, {num_classes})."
        )
    if iterations < 0:
        raise ValueError(
            f"mean_field: iterations={iterations} is negative; 0 gives the softmax."
        )
    if capacity is not None and capacity < 1:
        raise ValueError(
            f"mean_field: capacity={capacity} is not positive; give room for at least "
            f"one vertex, or None."
        )


def check_bandwidths(bandwidths: Mapping[str, Number]):
    """Standard deviations, where their values are known.

    Args:
        bandwidths: By name, pixels or units of 255.

    Raises:
        ValueError: If one is no number, or not positive.
    """
    for name, value in bandwidths.items():
        if np.ndim(value):
            raise ValueError(
                f"mean_field: {name}={value!r} is not understood; give one standard "
                f"deviation for all axes, such as {name}={np.ravel(value)[0]:g}."
            )
        unit = "units of 255" if "rgb" in name else "pixels"
        if not isinstance(value, Tracer) and not float(value) > 0:
            raise ValueError(
                f"mean_field: {name}={float(value):g} is not positive; it is a "
                f"standard deviation, in {unit}."
            )


_ROUNDING = 1e-3  # Nats, and of a sum of probabilities.


def check_unary(unary: Array, sizes: Array):
    """The values of a unary inside the true sizes, outside `jit`: finite, and -log p.

    Args:
        unary: [N, H, W, C].
        sizes: True (height, width) of every image, [N, 2] integer.

    Raises:
        ValueError: If one is NaN, infinite or negative, naming its pixel; or if they
            are probabilities.
    """
    inside = np.asarray(extents.valid(sizes, *unary.shape[1:3]))
    values = np.asarray(unary)
    wrong = ~np.isfinite(values) & inside
    if wrong.any():
        image, row, column, label = (int(i[0]) for i in np.nonzero(wrong))
        raise ValueError(
            f"mean_field: the unary of image {image} at pixel ({row}, {column}), class "
            f"{label}, is {float(unary[image, row, column, label])}; expected finite "
            f"nats (probabilities of 0 go through crf.unary_from_probs, which clips)."
        )
    least = np.where(inside, values, 0)
    if least.min() < -_ROUNDING:
        image, row, column, label = map(
            int, np.unravel_index(least.argmin(), least.shape)
        )
        raise ValueError(
            f"mean_field: the unary of image {image} at pixel ({row}, {column}), class "
            f"{label}, is {least.min():g}, but -log p is never negative; logits go "
            f"through crf.unary_from_logits (of other energies subtract the least of "
            f"each pixel)."
        )
    sums = values.sum(-1)[np.broadcast_to(inside[..., 0], values.shape[:-1])]
    # Of -log p the sum is C log C or more.
    if sums.size and np.abs(sums - 1).max() < _ROUNDING:
        raise ValueError(
            "mean_field: the unary sums to 1 at every pixel, so that it holds "
            "probabilities; expected -log p: they go through crf.unary_from_probs."
        )
