r"""Compute the object proposals of a split, once, for DeconvNet's second stage.

fcn_jax proposals --config=voc2012_deconvnet_stage2 --out=proposals
fcn_jax proposals --config=voc2012_deconvnet_stage2 --out=proposals --split=val

fcn_jax proposals --config=NAME --out=DIR [--split=train]
    [--method=edge_boxes|selective_search|sliding_windows] [--workers=N]

Train with --config.data.objects.cache_dir=DIR, and with the method. What is in DIR
already is not computed again; a run that was stopped goes on.
"""

from absl import flags
from tqdm import tqdm

from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.config import datasets, examples
from fcn_jax.proposals import cache as proposal_cache


def define_flags() -> None:
    """Declare the flags of this command."""
    command_line.define_config_flag()
    flags.DEFINE_string("out", None, "Directory of the proposals, a file an image.")
    flags.DEFINE_string("split", None, "Split; the config's train_split by default.")
    flags.DEFINE_string("method", None, "The config's proposal_method by default.")
    flags.DEFINE_integer("workers", None, "Processes; one a core by default.")


def run_flags(values: flags.FlagValues) -> None:
    """Compute proposals as the command line says.

    Args:
        values: Of the flags.

    Raises:
        ValueError: If --workers is not positive.
    """
    config = command_line.config_of_flags()
    if values.workers is not None and values.workers < 1:
        raise ValueError(f"--workers={values.workers} is not positive.")
    if values.method:
        config.data.objects.proposal_method = values.method
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


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    required={"config": "NAME", "out": "DIR"},
)
