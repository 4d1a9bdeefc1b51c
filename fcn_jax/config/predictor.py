"""From a config to the way in which a network is asked about images.

`train.py` and `eval.py` share it, so that a run is watched as it will be evaluated.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from flax import linen as nn

from fcn_jax import crf, proposals
from fcn_jax.config import build, datasets, superpixels
from fcn_jax.config.types import Config
from fcn_jax.data import loader
from fcn_jax.data.batch import Batch
from fcn_jax.inference import instance_wise, whole_image, windows
from fcn_jax.inference.predictor import Predictor, Variables
from fcn_jax.preprocessing import Preprocessing, colours

METHODS = ("whole", "window", "tiles", "proposals")


def make_predictor(
    config: Config,
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
        ValueError: If the method is unknown, or scales or several heads are asked for
            with windows.
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
        divide = superpixels.make_superpixels(config)
        return Predictor(scores, tuple(scales), divide=divide)
    if superpixels.make_superpixels(config) is not None:
        raise ValueError(
            f"config.inference.method={settings.method!r} looks at windows, and "
            f"{config.model.name!r} at superpixels of the image; set "
            f"config.inference.method=whole."
        )
    # Tiles are cut so much larger, and seen at their one size.
    scale = scales[0] if settings.method == "tiles" and len(scales) == 1 else 1.0
    if tuple(scales) != (scale,) or flip:
        raise ValueError(
            f"scales {tuple(scales)} and flip={flip} are for whole images; windows of "
            f"method {settings.method!r} have one size: leave them out "
            f"(--config.eval_scale=1, where the config has another), or set "
            f"config.inference.method=whole."
        )
    build.check_one_head(config, f"config.inference.method={settings.method!r}")
    scores = functools.partial(
        instance_wise.scores,
        model=model,
        preprocessing=preprocessing,
        aggregation=settings.aggregation,
        variant=settings.variant,
        side=settings.side,
        boxes_at_once=settings.boxes_at_once,
    )
    return Predictor(scores, windows=make_windows(config, scale))


def make_windows(config: Config, scale: float = 1.0) -> loader.Windows:
    """Which windows of an image `config.inference` looks at; see `windows`.

    Args:
        config: See `fcn_jax.config.base`.
        scale: At which tiles are seen.
    """
    settings, of_training = config.inference, config.data.objects
    if settings.method == "window":
        return windows.WholeImage()
    if settings.method == "tiles":
        return windows.Tiles(round(settings.side / scale), settings.overlap)
    if of_training.cache_dir:
        propose = datasets.make_proposal_cache(config, of_training.cache_dir)
    else:

        def propose(image: np.ndarray, name: str):
            del name
            return proposals.propose(
                image,
                of_training.proposal_method,
                num=of_training.num_proposals,
                **of_training.proposal_options.to_dict(),
            )

    return windows.ProposalWindows(
        propose,
        num=settings.num_proposals,
        extension=of_training.extension,
        min_side=settings.min_side,
    )


def with_crf(predictor: Predictor, config: Config) -> Predictor:
    """A predictor whose probabilities go through the dense CRF of `config.crf`.

    Args:
        predictor: Of a network with one head.
        config: See `fcn_jax.config.base`.

    Raises:
        ValueError: If its parameters are neither published ones nor a JSON file, or
            the network has several heads, or sees no colours.
    """
    build.check_one_head(config, "config.crf.parameters")
    given = build.make_preprocessing(config)
    if not given.has_colours and given.num_channels > 1:
        raise ValueError(
            f"config.crf.parameters={config.crf.parameters!r} compares colours, and "
            f"this network sees {given.channels_given}; leave it out."
        )
    parameters = crf.get_parameters(config.crf.parameters)

    def scores(variables: Variables, batch: Batch):
        log_probs = predictor.log_probs(variables, batch)
        assert not isinstance(log_probs, Mapping)
        return crf.mean_field(
            -log_probs,
            colours(batch["image"]),
            sizes=batch.get("sizes"),
            capacity=config.crf.capacity or None,
            logits=True,
            **parameters,
        )

    return dataclasses.replace(predictor, scores=scores)
