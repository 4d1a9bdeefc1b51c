"""From a config to the way in which a network is asked about images.

`train.py` and `eval.py` share it, so that a run is watched as it will be evaluated.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import numpy as np
from flax import linen as nn
from flax.typing import VariableDict

from fcn_jax import crf, proposals
from fcn_jax.config import build, examples, superpixels
from fcn_jax.config.types import Config
from fcn_jax.data import loader
from fcn_jax.data.batch import Batch
from fcn_jax.inference import (
    instance_wise,
    regions,
    segments,
    whole_image,
    windows,
)
from fcn_jax.inference.predictor import Predictor, Variables
from fcn_jax.models.hypercolumn import Hypercolumn
from fcn_jax.models.network import Network
from fcn_jax.preprocessing import Preprocessing, colours

METHODS = ("whole", "window", "tiles", "proposals", "regions", "segments")


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
    if settings.method == "regions":
        return _of_regions(config, model, preprocessing, scales, flip)
    if settings.method == "segments":
        return _of_segments(config, model, preprocessing, scales, flip)
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


def _of_regions(
    config: Config,
    model: nn.Module,
    preprocessing: Preprocessing,
    scales: Sequence[float],
    flip: bool,
) -> Predictor:
    """The predictor of a network of boxes: regions of proposals, pasted.

    Raises:
        ValueError: If the network is another, or several views are asked for.
    """
    settings = config.inference
    if not isinstance(model, Hypercolumn):
        raise ValueError(
            f"config.inference.method='regions' is for networks of boxes "
            f"(hypercolumn), and config.model.name={config.model.name!r} is none; use "
            f"'proposals'."
        )
    if len(scales) != 1 or flip:
        raise ValueError(
            f"scales {tuple(scales)} and flip={flip}: regions are pasted from one "
            f"view of an image; give one scale (--config.eval_scale) and no flip."
        )
    scores = functools.partial(
        regions.scores,
        background=settings.background,
        most=settings.most_regions,
        **_settings_of_regions(config, model, preprocessing, scales[0]),
    )
    return Predictor(scores, tuple(scales), make_windows(config))


def _of_segments(
    config: Config,
    model: nn.Module,
    preprocessing: Preprocessing,
    scales: Sequence[float],
    flip: bool,
) -> Predictor:
    """The predictor of a CFM net: proposed segments, classified and pasted.

    Raises:
        ValueError: If the network is another, or mirrored images are asked for.
    """
    settings = config.inference
    if flip:
        raise ValueError(
            "flip=True: segments are classified in images as they are; leave it out."
        )
    cells = examples.cells_of(config)
    propose = examples.make_segment_cache(config, config.data.objects.cache_dir)
    assert isinstance(model, Network)  # As `cells_of` holds.
    scores = functools.partial(
        segments.scores,
        model=model,
        preprocessing=preprocessing,
        scales=tuple(scales),
        background=settings.background,
        most=settings.most_regions,
        max_iou=settings.region_iou,
    )
    found = segments.SegmentWindows(
        propose,
        cells,
        settings.num_proposals,
        tuple(scales),
        settings.min_side,
        settings.segment_parts,
    )
    return Predictor(scores, tuple(scales), found)


def find_regions(
    config: Config, model: nn.Module, preprocessing: Preprocessing
) -> Callable[[VariableDict, Batch], regions.Regions]:
    """How a network of boxes is asked for the regions themselves.

    Args:
        config: See `fcn_jax.config.base`.
        model: The network.
        preprocessing: What it was trained with.

    Returns:
        (variables, batch) -> regions; a batch holds what the predictor of the method
        ("regions" or "segments") asks for.

    Raises:
        ValueError: If the config asks in another way.
    """
    if config.inference.method == "segments":
        assert isinstance(model, Network)
        return functools.partial(
            segments.find,
            model=model,
            preprocessing=preprocessing,
            scales=(config.eval_scale,),
            max_iou=config.inference.region_iou,
        )
    if config.inference.method != "regions" or not isinstance(model, Hypercolumn):
        raise ValueError(
            f"config.inference.method={config.inference.method!r} finds no regions; "
            f"set --config.inference.method=regions (networks of boxes, hypercolumn), "
            f"or segments (cfm)."
        )
    settings = _settings_of_regions(config, model, preprocessing, config.eval_scale)
    return functools.partial(regions.find, **settings)


class _Settings(TypedDict):
    """Those of `regions.find`."""

    model: Hypercolumn
    preprocessing: Preprocessing
    scale: float
    foreground: float
    max_iou: float


def _settings_of_regions(
    config: Config, model: Hypercolumn, preprocessing: Preprocessing, scale: float
) -> _Settings:
    return {
        "model": model,
        "preprocessing": preprocessing,
        "scale": scale,
        "foreground": config.inference.foreground,
        "max_iou": config.inference.region_iou,
    }


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
        propose = examples.make_proposal_cache(config, of_training.cache_dir)
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
        # A network of boxes extends them itself.
        extension=1.0 if settings.method == "regions" else of_training.extension,
        min_side=settings.min_side,
    )


def check_crf(config: Config, head: str = "") -> None:
    """Refuse a dense CRF, where the config has one, that cannot come after a network.

    Args:
        config: See `fcn_jax.config.base`.
        head: Whose scores it takes, of several; "": there is one.

    Raises:
        ValueError: If its parameters are neither published ones nor a JSON file, or
            the network has several heads and none is chosen, or sees no colours.
    """
    if not config.crf.parameters:
        return
    if not head:
        build.check_one_head(config, "config.crf.parameters", _ONE_OF_HEADS)
    given = build.make_preprocessing(config)
    if not given.has_colours and given.num_channels > 1:
        raise ValueError(
            f"config.crf.parameters={config.crf.parameters!r} compares colours, and "
            f"this network sees {given.channels_given}; leave it out."
        )
    crf.get_parameters(config.crf.parameters)


_ONE_OF_HEADS = (
    "leave it out, or choose one with --head (fcn_jax predict, report, eval --compare)"
)


def with_crf(predictor: Predictor, config: Config, head: str = "") -> Predictor:
    """A predictor whose probabilities go through the dense CRF of `config.crf`.

    Args:
        predictor: Of a network with one head, or of one of its heads.
        config: See `fcn_jax.config.base`.
        head: Whose scores the predictor gives, of several; "": there is one.

    Raises:
        ValueError: As `check_crf`.
    """
    check_crf(config, head)
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
