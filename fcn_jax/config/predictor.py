"""From a config to the way in which a network is asked about images.

`train.py` and `eval.py` share it, so that a run is watched as it will be evaluated.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import ml_collections
from flax import linen as nn

from fcn_jax import crf, proposals
from fcn_jax.config import datasets
from fcn_jax.inference import ensembles, instance_wise, whole_image, windows
from fcn_jax.preprocessing import Preprocessing

METHODS = ("whole", "window", "tiles", "proposals")


class Predictor(NamedTuple):
    """How to ask, and what a batch must hold for it."""

    scores: Callable  # (variables, batch) -> class scores, [N, H, W, C] float32.
    scales: tuple[float, ...] = (1.0,)  # At which batches hold the images.
    windows: Any = None  # Of every image; None: batches hold none.

    def log_probs(self, variables: Any, batch: Any) -> jax.Array:
        """Class log-probabilities, [N, H, W, C] float32."""
        return jax.nn.log_softmax(self.scores(variables, batch))


def make_predictor(
    config: ml_collections.ConfigDict,
    model: nn.Module,
    preprocessing: Preprocessing,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> Predictor:
    """The predictor that `config.inference` describes.

    Args:
        config: See configs/base.py.
        model: The network.
        preprocessing: What it was trained with.
        scales: Of whole images, averaged.
        flip: Whether whole images are seen mirrored too.

    Returns:
        The predictor; it takes the variables of `model`.

    Raises:
        ValueError: If the method is unknown, or scales are asked for with windows.
    """
    settings = config.inference
    if settings.method not in METHODS:
        raise ValueError(
            f"config.inference.method={settings.method!r} is not known; choose one of "
            f"{', '.join(METHODS)}."
        )
    if settings.method == "whole":
        scores = functools.partial(
            whole_image.scores,
            model=model,
            preprocessing=preprocessing,
            scales=tuple(scales),
            flip=flip,
        )
        return Predictor(scores, tuple(scales))
    if tuple(scales) != (1.0,) or flip:
        raise ValueError(
            f"scales {tuple(scales)} and flip={flip} are for whole images; windows of "
            f"method {settings.method!r} have one size: leave them out, or set "
            f"config.inference.method=whole."
        )
    scores = functools.partial(
        instance_wise.scores,
        model=model,
        preprocessing=preprocessing,
        aggregation=settings.aggregation,
        variant=settings.variant,
        side=settings.side,
        boxes_at_once=settings.boxes_at_once,
    )
    return Predictor(scores, windows=make_windows(config))


def make_windows(config: ml_collections.ConfigDict) -> Any:
    """Which windows of an image `config.inference` looks at; see `windows`."""
    settings, of_training = config.inference, config.data.objects
    if settings.method == "window":
        return windows.WholeImage()
    if settings.method == "tiles":
        return windows.Tiles(settings.side, settings.overlap)
    if of_training.cache_dir:
        propose = datasets.make_proposal_cache(config, of_training.cache_dir)
    else:

        def propose(image, name):
            del name
            return proposals.proposals(
                image,
                of_training.proposal_method,
                num=of_training.num_proposals,
                **of_training.proposal_options.to_dict(),
            )

    return windows.Proposals(
        propose,
        num=settings.num_proposals,
        extension=of_training.extension,
        min_side=settings.min_side,
    )


def combine(members: Sequence[Predictor], how: str) -> Predictor:
    """An ensemble as one predictor; its variables are a tuple, of each member.

    Args:
        members: At most one may look at windows.
        how: "mean_prob" or "product_score"; see `ensembles.log_probs`.

    Returns:
        The predictor.

    Raises:
        ValueError: If two members look at windows.
    """
    of_windows = [m.windows for m in members if m.windows is not None]
    if len(of_windows) > 1:
        raise ValueError(
            f"{len(of_windows)} members of the ensemble look at windows; one may (set "
            f"config.inference.method=whole for the others)."
        )
    scores = functools.partial(
        ensembles.log_probs, members=[m.scores for m in members], combine=how
    )
    scales = sorted({scale for member in members for scale in member.scales})
    return Predictor(scores, tuple(scales), of_windows[0] if of_windows else None)


def with_crf(predictor: Predictor, config: ml_collections.ConfigDict) -> Predictor:
    """A predictor whose probabilities go through the dense CRF of `config.crf`.

    Raises:
        ValueError: If its parameters are neither published ones nor a JSON file.
    """
    parameters = crf.parameters_named(config.crf.parameters)

    def scores(variables, batch):
        return crf.mean_field(
            -predictor.log_probs(variables, batch),
            batch["image"],
            sizes=batch.get("sizes"),
            capacity=config.crf.capacity or None,
            logits=True,
            **parameters,
        )

    return predictor._replace(scores=scores)
