"""From a config to the examples that are cut out of images, or are boxes in them."""

from pathlib import Path

from fcn_jax import data
from fcn_jax.config import build
from fcn_jax.config.types import Config
from fcn_jax.data import crops, regions, segment_examples, segments
from fcn_jax.data.contracts import Source
from fcn_jax.models.encoders.layer import cells_along
from fcn_jax.models.feature_masking import CFM
from fcn_jax.proposals.cache import ProposalCache
from fcn_jax.proposals.projection import Cells
from fcn_jax.proposals.segment_cache import SegmentCache

# Of an image as a CFM net sees it, pixels: those of more than 4 million are seen by
# tiles, and others fit, enlarged twice, that are up to four times as long as wide.
_MOST_SIDE = 8192


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
    if settings.stage not in ("objects", "proposals", "regions", "segments"):
        raise ValueError(
            f"config.data.objects.stage={settings.stage!r} is not known; use "
            f"'objects', 'proposals', 'regions', 'segments', or '' for whole images."
        )
    if settings.stage == "regions":
        return _regions(config, source)
    if settings.stage == "segments":
        return _segments(config, source)
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


def _segments(config: Config, source: Source) -> Source:
    """The examples of a CFM net.

    Raises:
        ValueError: If a class of stuff is none of the source.
    """
    settings = config.data.objects
    classes = data.heads_of(source)[0].classes
    unknown = [name for name in settings.stuff if name not in classes]
    if unknown:
        raise ValueError(
            f"config.data.objects.stuff names {unknown[0]!r}, and {source.name} has "
            f"the classes {', '.join(classes)}; name some of these."
        )
    cache = make_segment_cache(config, settings.cache_dir)
    return segment_examples.SegmentExamples(
        source,
        cache.of_item,
        cells_of(config),
        segments.Sampling(
            settings.boxes,
            settings.background_boxes,
            (settings.min_iou, 1.0),
            tuple(settings.negative_iou),
            tuple(classes.index(name) for name in settings.stuff),
        ),
        min_area=settings.min_area,
        cache_dir=settings.cache_dir or None,
    )


def cells_of(config: Config) -> Cells:
    """How the cells of a CFM net's last map lie over an image.

    Args:
        config: Of such a net.

    Raises:
        ValueError: If the network is another.
    """
    network = build.make_model(config).network
    if not isinstance(network, CFM):
        raise ValueError(
            f"segments are projected to the last map of a CFM net, and "
            f"config.model.name={config.model.name!r} is none; take 'cfm' or "
            f"'cfm_design_b'."
        )
    counts = cells_along(network.encoder.layers(), _MOST_SIDE)
    return Cells(*network.geometry(), counts, network.inwards)


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


def make_segment_cache(config: Config, directory: str | Path) -> SegmentCache:
    """The segments of a CFM net, kept in a directory.

    Args:
        config: See `fcn_jax.config.base`.
        directory: Where they are kept; "": in memory.
    """
    settings = config.data.objects
    return SegmentCache(
        settings.proposal_method,
        directory,
        num=settings.num_proposals,
        files=settings.mcg_dir,
        options=settings.proposal_options.to_dict(),
    )


def make_proposal_cache(config: Config, directory: str | Path) -> ProposalCache:
    """The boxes that stage 2, or a network of boxes, is trained on, in a directory.

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
