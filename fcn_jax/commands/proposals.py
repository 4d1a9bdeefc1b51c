r"""Compute what is proposed for images, once: boxes, segments, or masks for BoxSup.

fcn_jax proposals --config=voc2012_deconvnet_stage2 --out=proposals
fcn_jax proposals --config=voc2012_deconvnet_stage2 --out=proposals --split=val
fcn_jax proposals --config=voc_cfm --out=segments
fcn_jax proposals --config=voc_boxsup:segments --out=candidates

fcn_jax proposals --config=NAME --out=DIR [--split=train]
    [--method=edge_boxes|selective_search|sliding_windows] [--workers=N]

Train with --config.data.objects.cache_dir=DIR, and with the method; candidate masks
(--method=segments|grabcut, where config.data.supervision is "boxsup") with
--config.data.boxsup.cache_dir=DIR. What is in DIR already is not computed again; a run
that was stopped goes on.
"""

from absl import flags
from tqdm import tqdm

from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.config import boxsup, datasets, examples
from fcn_jax.config.types import Config
from fcn_jax.data.weak.boxsup import BOXSUP, BoxSupSource, OfBoxes
from fcn_jax.proposals import cache as proposal_cache


def define_flags() -> None:
    """Declare the flags of this command."""
    command_line.define_config_flag()
    flags.DEFINE_string("out", None, "Directory of the proposals, a file an image.")
    flags.DEFINE_string("split", None, "Split; the config's train_split by default.")
    flags.DEFINE_string("method", None, "That of the config by default.")
    flags.DEFINE_integer("workers", None, "Processes; one a core by default.")


def run_flags(values: flags.FlagValues) -> None:
    """Compute proposals as the command line says.

    Args:
        values: Of the flags.

    Raises:
        ValueError: If --workers is not positive, or nothing is to be computed.
    """
    config = command_line.config_of_flags()
    if values.workers is not None and values.workers < 1:
        raise ValueError(f"--workers={values.workers} is not positive.")
    if config.data.get("supervision", "") == BOXSUP:
        _make_candidates(config, values)
        return
    if values.method:
        config.data.objects.proposal_method = values.method
    _check_made(config.data.objects.proposal_method)
    of_segments = config.data.objects.stage == "segments"
    make = examples.make_segment_cache if of_segments else examples.make_proposal_cache
    cache = make(config, values.out)
    source = datasets.open_split(config, values.split or config.data.train_split)
    print(datasets.describe_source(source))
    counts = proposal_cache.precompute(source, cache, values.workers)
    bar = tqdm(counts, total=len(source), unit="image", disable=None)
    total = sum(bar)
    print(
        f"{total} proposals ({cache.method}) of {len(source)} images are in "
        f"{values.out}; train with --config.data.objects.cache_dir={values.out} "
        f"--config.data.objects.proposal_method={cache.method}"
    )


def _check_made(method: str) -> None:
    """Refuse to make what MCG has made.

    Raises:
        ValueError: If the method is its.
    """
    if method == "mcg":
        raise ValueError(
            "masks of method 'mcg' are read from the files that MCG has written; "
            "nothing is to be computed of them. For others: --method=segments."
        )


def _make_candidates(config: Config, values: flags.FlagValues) -> None:
    """Make the candidate masks of a config's training images.

    Raises:
        ValueError: As `_check_made`, or if another split is asked for.
    """
    settings = config.data.boxsup
    settings.method = values.method or settings.method
    settings.cache_dir = values.out
    _check_made(settings.method)
    if values.split:
        raise ValueError(
            f"--split={values.split}: candidates are of the images that are trained "
            f"on; leave it out, or set --config.data.train_split."
        )
    pools, source = boxsup.make_pools(config), datasets.open_source(config, "train")
    assert isinstance(source, BoxSupSource)  # The config says so.
    print(datasets.describe_source(source))
    kept = OfBoxes(source, pools)
    counts = proposal_cache.precompute(source.base, kept, values.workers)
    total = sum(tqdm(counts, total=len(source), unit="image", disable=None))
    print(
        f"{total} candidate masks ({kept.method}) of {len(source)} images are in "
        f"{values.out}; train with --config.data.boxsup.cache_dir={values.out} "
        f"--config.data.boxsup.method={kept.method}"
    )


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    required={"config": "NAME", "out": "DIR"},
    out="directory",
)
