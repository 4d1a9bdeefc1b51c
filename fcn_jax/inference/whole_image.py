"""From whole images to class scores: at one or more scales, mirrored."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.typing import VariableDict

from fcn_jax.data.batch import Batch, scaled_key
from fcn_jax.inference import ensembles
from fcn_jax.models import inputs
from fcn_jax.ops import resizing
from fcn_jax.preprocessing import CAFFE, Preprocessing, preprocess

Array = jax.Array


def scores(
    variables: VariableDict,
    batch: Batch,
    *,
    model: nn.Module,
    preprocessing: Preprocessing = CAFFE,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> Array | dict[str, Array]:
    """Class scores of every pixel, whose softmax are its probabilities.

    Probabilities are averaged over the views of an image.

    Args:
        variables: What `model.apply` takes.
        batch: `image` uint8 RGB [N, H, W, 3] and `sizes` int32 [N, 2] (may be absent
            when the images fill the array); for every scale other than 1 the same
            images resized, under `fcn_jax.data.batch.scaled_key`.
        model: A network of `fcn_jax.models`.
        preprocessing: What turns uint8 RGB into the network's input.
        scales: Input resolutions, relative to the image.
        flip: Whether each view is also seen mirrored.

    Returns:
        [N, H, W, C] float32: the network's own scores if there is one view, else the
        log of the mean of the views' probabilities. By head where there are several.

    Raises:
        ValueError: If the model takes more than images (`Network.extra_inputs`), and
            the batch has it not, or scales are asked for.
    """
    image = batch["image"]
    sizes = batch.get("sizes")
    if sizes is None and (flip or tuple(scales) != (1.0,)):
        whole = jnp.asarray(image.shape[1:3], jnp.int32)
        sizes = jnp.broadcast_to(whole[None], (image.shape[0], 2))
    extra = inputs.extra_inputs(model, batch)
    if extra and tuple(scales) != (1.0,):
        raise ValueError(
            f"scales {tuple(scales)}: {type(model).__name__} looks at "
            f"{', '.join(extra)} of images at their own size; leave them out "
            f"(--config.eval_scale=1)."
        )
    views = []
    for scale in scales:
        scaled, scaled_sizes = image, sizes
        if scale != 1:
            scaled, scaled_sizes = (
                batch[scaled_key("image", scale)],
                batch[scaled_key("sizes", scale)],
            )
        for mirrored in (False, True) if flip else (False,):
            view, beside = scaled, extra.copy()
            if mirrored:
                view = resizing.flip(scaled, _known(scaled_sizes))
                for name, x in extra.items():
                    beside[name] = _mirrored(x, _known(sizes))
            logits = model.apply(
                variables,
                preprocess(view, preprocessing),
                scaled_sizes,
                train=False,
                **beside,
            )
            if mirrored:
                back = functools.partial(resizing.flip, sizes=_known(scaled_sizes))
                logits = jax.tree.map(back, logits)
            if scale != 1:
                logits = jax.tree.map(
                    functools.partial(
                        _resize, _known(scaled_sizes), _known(sizes), image.shape[1:3]
                    ),
                    logits,
                )
            views.append(logits)
    if len(views) == 1:
        return views[0]
    views = jax.tree.map(jax.nn.log_softmax, views)
    return jax.tree.map(lambda *heads: ensembles.mean_log_prob(heads), *views)


def _mirrored(x: Array, sizes: Array) -> Array:
    """A map of every image, [N, H, W], mirrored."""
    return resizing.flip(x[..., None], sizes)[..., 0]


def _known(sizes: Array | None) -> Array:
    """Sizes, which are there wherever an image has more than one view."""
    assert sizes is not None
    return sizes


def _resize(sizes: Array, new_sizes: Array, shape: tuple[int, int], logits: Array):
    return resizing.resize(logits, sizes, new_sizes, shape)


def log_probs(variables: VariableDict, batch: Batch, **settings: Any) -> Array:
    """The log-softmax of `scores`, [N, H, W, C] float32; takes what that takes.

    Args:
        variables: What `model.apply` takes.
        batch: As of `scores`.
        **settings: As of `scores`.
    """
    return jax.tree.map(jax.nn.log_softmax, scores(variables, batch, **settings))
