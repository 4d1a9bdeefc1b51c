"""What every network asks of its arguments."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from fcn_jax.ops import extents

Array = jax.Array
Extra: TypeAlias = dict[str, Any]  # Arrays, by the names that a network has for them.


def example_image(model: nn.Module, least: int = 1) -> Array:
    """A black image, [1, side, side, channels] float32, to initialise a network with.

    Args:
        model: A network.
        least: The least side, pixels; larger where the network needs it.
    """
    side = max(least, getattr(model, "smallest_image", 1))
    return jnp.zeros((1, side, side, getattr(model, "channels", 3)), jnp.float32)


def extra_inputs(model: nn.Module, batch: Mapping[str, object]) -> Extra:
    """What a network takes of a batch beside images and sizes, by name.

    Args:
        model: A network, perhaps with a CRF behind it.
        batch: Of its images.

    Raises:
        ValueError: If the batch has it not.
    """
    names = getattr(model, "extra_inputs", ())
    missing = [name for name in names if name not in batch]
    if missing:
        raise ValueError(
            f"{type(model).__name__} looks at {', '.join(missing)} of an image, and "
            f"the batch has {', '.join(batch)}; take batches of a source that gives "
            f"them (of superpixels: fcn_jax.data.superpixels.Divided)."
        )
    return {name: batch[name] for name in names}


def assert_batch(
    image: Array, labels: object = None, sizes: Array | None = None
) -> None:
    """Assert what every step relies on; under `jit` shapes and dtypes are known too.

    Args:
        image: Said to be [B, H, W, channels].
        labels: Said to be integer [B, H, W]; a dict of such where there are several
            heads, None where there are none.
        sizes: Said to be integer [B, 2], or None.

    Raises:
        AssertionError: If one has another shape or dtype.
    """
    chex.assert_rank(image, 4)
    for of_head in jax.tree.leaves(labels):
        chex.assert_shape(of_head, image.shape[:3])
        chex.assert_type(of_head, int)
    if sizes is not None:
        chex.assert_shape(sizes, (image.shape[0], 2))
        chex.assert_type(sizes, int)


def check_images(images: Array, channels: int = 3) -> None:
    """Refuse what no network takes for a batch of preprocessed images.

    Args:
        images: Said to be [N, H, W, channels].
        channels: What the network takes.

    Raises:
        TypeError: If images are not floating point.
        ValueError: If images are not [N, H, W, channels] with H, W >= 1.
    """
    if images.ndim != 4 or images.shape[-1] != channels or 0 in images.shape[1:3]:
        raise ValueError(
            f"images have shape {tuple(images.shape)}; expected [N, H, W, {channels}] "
            f"with H, W >= 1 (for a single image pass image[None])."
        )
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(
            f"images have dtype {images.dtype}; the network does no preprocessing: "
            f"pass floating point, such as fcn_jax.preprocess(images) makes of uint8 "
            f"RGB."
        )


def check_sizes(sizes: Array | None, images: Array) -> Array | None:
    """The true sizes as int32 [N, 2], or None; see `extents.check` for errors.

    Args:
        sizes: True (height, width) of every example, [N, 2] integer, or None.
        images: [N, H, W, channels].
    """
    if sizes is None:
        return None
    sizes = jnp.asarray(sizes)
    extents.check(sizes, images.shape)
    return sizes.astype(jnp.int32)  # Narrow or unsigned ones would overflow.


def check_num_classes(num_classes: int | Mapping[str, int]) -> None:
    """Refuse fewer classes than two, and heads without a name.

    Args:
        num_classes: A number, or one for each head.

    Raises:
        ValueError: If a number is below two, or a head has no name.
    """
    if isinstance(num_classes, Mapping):
        if not num_classes or "" in num_classes:
            raise ValueError(
                f"num_classes={dict(num_classes)}: expected a number for each head, by "
                f"its name, such as {{'semantic': 33, 'geometric': 3}}."
            )
        counts = list(num_classes.values())
    else:
        counts = [num_classes]
    for count in counts:
        if count < 1:
            raise ValueError(
                f"num_classes={count} is not positive; pass the number of classes, "
                f"background included (21 for VOC)."
            )
        if count < 2:
            raise ValueError(
                f"num_classes={count}: a network chooses between classes, and its "
                f"softmax over one is always 1; pass 2 for an object and its "
                f"background."
            )
