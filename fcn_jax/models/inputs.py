"""What every network asks of its arguments."""

import jax
import jax.numpy as jnp

from fcn_jax.ops import extents

Array = jax.Array


def check_images(images: Array) -> None:
    """Refuse what no network takes for a batch of preprocessed images.

    Raises:
        TypeError: If images are not floating point.
        ValueError: If images are not [N, H, W, 3] with H, W >= 1.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape[1:3]:
        raise ValueError(
            f"images have shape {tuple(images.shape)}; expected [N, H, W, 3] with "
            f"H, W >= 1 (for a single image pass image[None])."
        )
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(
            f"images have dtype {images.dtype}; the network does no preprocessing: "
            f"pass floating point, such as fcn_jax.preprocess(images) makes of uint8 "
            f"RGB."
        )


def check_sizes(sizes: Array | None, images: Array) -> Array | None:
    """The true sizes as int32 [N, 2], or None; see `extents.check` for errors."""
    if sizes is None:
        return None
    sizes = jnp.asarray(sizes)
    extents.check(sizes, images.shape)
    return sizes.astype(jnp.int32)  # Narrow or unsigned ones would overflow.


def check_num_classes(num_classes: int) -> None:
    """Refuse fewer classes than one.

    Raises:
        ValueError: If `num_classes` is not positive.
    """
    if num_classes < 1:
        raise ValueError(
            f"num_classes={num_classes} is not positive; pass the number of classes, "
            f"background included (21 for VOC)."
        )
