"""From a config to weak labels: what is known of images, and which E-step uses it."""

from collections.abc import Callable

import numpy as np

from fcn_jax.config import boxsup, build, sampling, superpixels
from fcn_jax.config.types import Config
from fcn_jax.data import contracts
from fcn_jax.data.contracts import Source
from fcn_jax.data.weak.boxsup import BOXSUP
from fcn_jax.data.weak.source import (
    BOXES,
    CROP_LABELS,
    IMAGE_LABELS,
    SEGMENTS,
    SUPERVISIONS,
    WeakLabels,
)
from fcn_jax.training import estimation
from fcn_jax.training.box_segments import BoxSegments
from fcn_jax.training.estimated import ByConstants, ByPortions, EStep

# Which supervision each E-step takes.
_TAKES = {
    "": ("", BOXES, SEGMENTS, BOXSUP),
    "em_fixed": (IMAGE_LABELS, CROP_LABELS),
    "em_adapt": (IMAGE_LABELS, CROP_LABELS),
    "em_boxes": (BOXES,),
}
_STRONG_SEED = 0  # Of the images that keep their masks: the same in every run.


def e_step(config: Config) -> EStep | None:
    """What labels the pixels of weak labels; None: nothing does.

    Args:
        config: See `fcn_jax.config.base`; keys that an older run lacks are passed over.
    """
    settings = config.loss
    name = settings.get("estimation", "")
    if name == "em_adapt":
        portions, sweeps = settings.estimation_portions, settings.estimation_sweeps
        return ByPortions(tuple(portions), sweeps)
    steps = {"em_fixed": estimation.em_fixed, "em_boxes": estimation.em_boxes}
    if name not in steps:
        return None
    return ByConstants(steps[name], tuple(settings.estimation_biases))


def check_weak_labels(config: Config) -> None:
    """Refuse keys of weak labels that have no sense, or do not fit.

    Args:
        config: See `fcn_jax.config.base`; keys that an older run lacks are passed over.

    Raises:
        ValueError: Naming the key.
    """
    name = config.loss.get("estimation", "")
    if name not in _TAKES:
        raise ValueError(
            f"config.loss.estimation={name!r} is not known; use one of "
            f"{', '.join(filter(None, _TAKES))}, or '' for none."
        )
    supervision = config.data.get("supervision", "")
    if supervision not in ("", *SUPERVISIONS, BOXSUP):
        raise ValueError(
            f"config.data.supervision={supervision!r} is not known; use one of "
            f"{', '.join((*SUPERVISIONS, BOXSUP))}, or '' for masks."
        )
    if supervision not in _TAKES[name]:
        fitting = [step for step, takes in _TAKES.items() if supervision in takes]
        raise ValueError(
            f"config.loss.estimation={name!r} does not fit config.data.supervision="
            f"{supervision!r}, with which it is "
            f"{' or '.join(repr(step) for step in fitting)}; {name!r} takes "
            f"{' or '.join(repr(given) for given in _TAKES[name])}."
        )
    if name:
        _check_numbers(config)
    if supervision:
        _check_masks_wanted(config, supervision)
    _check_strong(config, supervision)


def with_weak_labels(
    config: Config, source: Source, open_split: Callable[[str, str], Source]
) -> Source:
    """A source whose masks are weak labels, where a config says so.

    Args:
        config: See `fcn_jax.config.base`; keys that an older run lacks are passed over.
        source: With masks.
        open_split: Opens another split, of the data set or, by its name, of another.

    Raises:
        ValueError: As `check_weak_labels` and `WeakLabels`; or if there are fewer
            images with masks than are asked for.
    """
    check_weak_labels(config)
    settings = config.data
    supervision = settings.get("supervision", "")
    if not supervision:
        return source
    strong = _strong(config, source, open_split)
    if supervision == BOXSUP:
        return boxsup.supervised(config, source, strong)
    segment = None
    if supervision == SEGMENTS:
        segment = BoxSegments(
            settings.box_crf,
            centre=settings.box_centre,
            canvas=_largest(source),
            cache_dir=settings.box_cache_dir or None,
        )
    return WeakLabels(
        source,
        supervision,
        strong=strong,
        strong_share=settings.strong_share,
        segment=segment,
    )


def _largest(source: Source) -> tuple[int, int]:
    """The height and width that all images of a source fit into."""
    height, width = source.image_sizes().max(axis=0)
    return int(height), int(width)


def _strong(
    config: Config, source: Source, open_split: Callable[[str, str], Source]
) -> np.ndarray | None:
    """Which images of the source keep their masks, bool [N]; None: none of them."""
    split, count = config.data.strong_split, config.data.strong_images
    if not split and not count:
        return None
    ids = contracts.ids_of(source)
    wanted = set(ids)
    if split:
        wanted = set(contracts.ids_of(open_split(split, config.data.strong_name)))
    found = np.array([name in wanted for name in ids])
    if not found.any():
        raise ValueError(
            f"config.data.strong_split={split!r}: none of its images is among the "
            f"{len(ids)} of {source.name} {source.split}, which are trained on; name a "
            f"split that shares some with config.data.train_split."
        )
    if not count:
        return found
    if count > found.sum():
        raise ValueError(
            f"config.data.strong_images={count}, and there are {found.sum()} images "
            f"with masks to draw them from; lower it, or 0 takes all."
        )
    # By their names, not their places: the same images whatever the order.
    candidates = sorted(name for name in ids if name in wanted)
    order = np.random.default_rng(_STRONG_SEED).permutation(len(candidates))
    kept = {candidates[place] for place in order[:count]}
    return np.array([name in kept for name in ids])


def _check_numbers(config: Config) -> None:
    """Refuse biases and portions that have no sense, and several heads."""
    settings = config.loss
    build.check_one_head(config, f"config.loss.estimation={settings.estimation!r}")
    biases = tuple(settings.estimation_biases)
    if len(biases) != 2 or not np.isfinite(biases).all():
        raise ValueError(
            f"config.loss.estimation_biases={biases} are added to the scores of "
            f"classes of objects, and of the background: two numbers, published (6,5)."
        )
    estimation.check_portions(
        tuple(settings.estimation_portions),
        settings.estimation_sweeps,
        "config.loss.estimation_portions",
    )


def _check_masks_wanted(config: Config, supervision: str) -> None:
    """Refuse what looks at masks that weak labels take away."""
    wanting = {
        "config.data.objects.stage": config.data.objects.stage,
        "config.data.train_cue": config.data.get("train_cue", ""),
        "config.loss.balance": config.loss.get("balance", ""),
        "config.data.class_mix": config.data.get("class_mix", 0.0),
    }
    for key, value in wanting.items():
        if value:
            raise ValueError(
                f"{key}={value!r} asks for masks, and config.data.supervision="
                f"{supervision!r} takes them away; leave out one of the two."
            )
    if supervision == BOXSUP and superpixels.make_superpixels(config) is not None:
        raise ValueError(
            f"config.data.supervision={supervision!r} estimates masks pixel by pixel, "
            f"and config.model.name={config.model.name!r} labels superpixels; take "
            f"another network, or {BOXES!r} or {SEGMENTS!r}."
        )
    workers = config.data.get("num_workers", 0)
    if supervision == SEGMENTS and workers:
        raise ValueError(
            f"config.data.num_workers={workers} has other processes read images, and "
            f"the CRF of config.data.supervision={supervision!r} runs in this one; set "
            f"it to 0."
        )
    share = config.data.box_centre
    if not 0 < share <= 1:
        raise ValueError(
            f"config.data.box_centre={share!r} is what of a box is its object, above 0 "
            f"and at most 1; published 0.2."
        )


def _check_strong(config: Config, supervision: str) -> None:
    """Refuse a choice of images with masks where all have them, and wrong numbers."""
    settings = config.data
    keys = ("strong_split", "strong_images", "strong_share")
    given = {key: settings[key] for key in keys if settings.get(key)}
    for key, value in given.items():
        if not supervision:
            raise ValueError(
                f"config.data.{key}={value!r} says which images keep their masks, and "
                f"all do; set config.data.supervision for the others, or leave it out."
            )
    name = settings.get("strong_name", "")
    if name and "strong_split" not in given:
        raise ValueError(
            f"config.data.strong_name={name!r} is the data set of "
            f"config.data.strong_split, which names nothing of it; name a split, or "
            f"leave both out."
        )
    if "strong_images" in given and settings.strong_images < 0:
        raise ValueError(
            f"config.data.strong_images={settings.strong_images} is no number of "
            f"images; give one from 0 on."
        )
    if "strong_share" not in given:
        return
    share, size = settings.strong_share, sampling.images_of_update(config)
    if not 0 < share < 1 or not 0 < round(share * size) < size:
        raise ValueError(
            f"config.data.strong_share={share!r} is what of each batch of {size} "
            f"image(s) has masks; give a share from 0 to below 1 by which there are "
            f"some of both kinds, or 0 for images as they come."
        )
