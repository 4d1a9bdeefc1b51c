"""Loss sampling: pixels that are left out by chance, all alike or by their class.

Training on patches drawn from images is training on whole images whose loss is sampled:
a patch is the receptive field of a cell of scores, and its gradient is that cell's.

References:
    Long et al. 2015, arXiv:1411.4038, sec. 3.4 and 4.4 ("Patch Sampling").
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def sample_pixels(
    keys: Array, labels: Array, probability: float | Array, stride: int = 1
) -> Array:
    """Choose at random which pixels take part in the loss.

    Args:
        keys: A random key for every image, [N].
        labels: [N, H, W]; only their shape matters.
        probability: With which each cell is kept, in (0, 1]; or of every pixel its
            own, [N, H, W]: one number is drawn a cell, and of two pixels of a cell
            the one with the lower probability is never kept alone.
        stride: Side of the cells that are kept or left out together, in pixels; the
            first begins at the top left.

    Returns:
        [N, H, W] bool.

    Raises:
        ValueError: If the probability is not in (0, 1] or the stride not positive.

    References:
        Long et al. 2015, sec. 4.4 ("Patch Sampling").
    """
    if isinstance(probability, float | int) and not 0 < probability <= 1:
        raise ValueError(
            f"sample_pixels: probability={probability} is not in (0, 1]; 1 keeps all "
            f"pixels."
        )
    if stride < 1:
        raise ValueError(
            f"sample_pixels: stride={stride} is not positive; 1 draws every pixel for "
            f"itself."
        )
    height, width = labels.shape[1:]
    cells = (-(-height // stride), -(-width // stride))
    drawn = jax.vmap(lambda key: jax.random.uniform(key, cells))(keys)
    for axis in (1, 2) if stride > 1 else ():
        drawn = jnp.repeat(drawn, stride, axis=axis)
    return drawn[:, :height, :width] < probability


def class_probabilities(
    labels: Array, class_weights: Sequence[float], probability: float
) -> Array:
    """With which probability each pixel is kept where sampling balances the classes.

    Pixels of the class that weighs most are kept with `probability`, those of others
    with that times their weight over the largest. The expectation of the sampled sum
    is then `probability` / largest weight times the sum with these weights as factors,
    and so is that of its gradient.

    Args:
        labels: [N, H, W] int32; those that are no class have probability 0.
        class_weights: [C], from 0 on, not all 0.
        probability: Of the class that weighs most, in (0, 1].

    Returns:
        [N, H, W] float32.

    Raises:
        ValueError: If no weight is above 0, or one is below or not finite.
    """
    weights = np.asarray(class_weights, np.float32)
    if not (np.isfinite(weights).all() and weights.min() >= 0 < weights.max()):
        raise ValueError(
            f"class_probabilities: class_weights={tuple(weights.tolist())} cannot be "
            f"probabilities; give finite weights from 0 on, of which one is above 0."
        )
    shares = jnp.asarray(probability * weights / weights.max())
    classes = jnp.arange(len(weights), dtype=jnp.int32)[None, None, None]
    hit = labels[..., None] == classes
    zero = jnp.zeros((), jnp.float32)
    return jnp.sum(jnp.where(hit, shares[None, None, None], zero), axis=-1)
