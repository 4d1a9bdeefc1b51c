"""From a config to the examples that are cut out of images, or are boxes in them."""

from pathlib import Path

from fcn_jax.config.types import Config
from fcn_jax.data import crops, regions
from fcn_jax.data.contracts import Source
from fcn_jax.proposals.cache import ProposalCache


def of_source(config: Config, source: Source) -> Source:
    """The examples of a stage of DeconvNet, or of a network of boxes.

    Args:
        config: See `fcn_jax.config.base`; `data.objects.stage` says which.
        source: Of whole images.

    Raises:
        ValueError: If the stage is not known, or has no place for proposals, or the
            crop is larger than the examples.
    """
    settings, crop = config.data.objects, config.data.crop
    if settings.stage not in ("objects", "proposals", "regions"):
        raise ValueError(
            f"config.data.objects.stage={settings.stage!r} is not known; use "
            f"'objects', 'proposals', 'regions', or '' for whole images."
        )
    if settings.stage == "regions":
        return _regions(config, source)
    if crop and max(crop) > settings.size:
        raise ValueError(
            f"config.data.crop={tuple(crop)} is larger than the examples, "
            f"config.data.objects.size={settings.size}; lower the one or raise the "
            f"other."
        )
    options = {
        name: settings[name] for name in ("size", "extension", "min_area", "balance")
    }
    if settings.stage == "objects":
        return crops.ObjectCrops(
            source, cache_dir=settings.cache_dir or None, **options
        )
    cache = make_proposal_cache(config, _cache_dir(config))
    return crops.ProposalCrops(
        source,
        cache.boxes_of,
        min_iou=settings.min_iou,
        cache_dir=settings.cache_dir,
        boxes_name=cache.key,
        **options,
    )


def _regions(config: Config, source: Source) -> Source:
    """The examples of a network of boxes."""
    settings = config.data.objects
    cache = make_proposal_cache(config, _cache_dir(config))
    return regions.RegionExamples(
        source,
        cache.boxes_of,
        regions.Drawing(
            settings.boxes,
            settings.class_boxes,
            config.model.side,
            config.model.extension,
        ),
        min_iou=settings.min_iou,
        min_area=settings.min_area,
        balance=settings.balance,
        cache_dir=settings.cache_dir,
    )


def _cache_dir(config: Config) -> str:
    """Where proposals are kept.

    Raises:
        ValueError: If the config does not say.
    """
    settings = config.data.objects
    if not settings.cache_dir:
        raise ValueError(
            f"config.data.objects.stage={settings.stage!r} needs a place for the "
            f"proposals, which take a second an image or so; set "
            f"config.data.objects.cache_dir=DIR (python -m fcn_jax proposals --out=DIR "
            f"fills it on all cores)."
        )
    return settings.cache_dir


def make_proposal_cache(config: Config, directory: str | Path) -> ProposalCache:
    """The proposals that stage 2 is trained on, kept in a directory.

    Args:
        config: See `fcn_jax.config.base`.
        directory: Where they are kept.
    """
    settings = config.data.objects
    return ProposalCache(
        directory,
        settings.proposal_method,
        num=settings.num_proposals,
        **settings.proposal_options.to_dict(),
    )
