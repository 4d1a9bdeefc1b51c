r"""Write one HTML page about a run, or about several beside each other.

fcn_jax report runs/shapes_fcn8s
fcn_jax report runs/camvid_fcn32s runs/camvid_fcn8s --out=both.html
fcn_jax report runs/siftflow_fcn8s --head=sem
fcn_jax report DIR --split=val --root=FOLDER --scales=0.75,1,1.25 --flip

The page needs nothing but itself (at most 20 MB, no network): the metrics beside
published numbers, classes, confusion matrix, boundary IU, IU by object size,
calibration, what other libraries would print for the same predictions, and the worst
and the best images with a slider between image, truth, prediction and errors. Classes
are sorted and filtered in the page.

It is RUN/eval/SPLIT/report.html (comparison.html of several; of a net that comes with
the package eval_NAME/SPLIT/report.html), or --out. All runs are
scored on the data of the first. fcn_jax eval --report writes the same page beside its
tables, and takes any key of the config. Needs the extra: pip install
"fcn-jax[report]".
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.runs import examination
from fcn_jax.weights import pretrained


def define_flags() -> None:
    """Declare the flags of this command."""
    flags.DEFINE_string("split", None, "Split to score; the first config's by default.")
    flags.DEFINE_string("out", None, "The page; in the first run by default.")
    flags.DEFINE_integer("step", None, "Checkpoint; the best of each by default.")
    flags.DEFINE_string("root", None, "Where the data lie; where the config says.")
    flags.DEFINE_string("scales", None, "Input scales to average; the configs'.")
    flags.DEFINE_bool("flip", False, "Average with the mirrored image.")
    flags.DEFINE_string("head", "", "Of nets with several heads, the one to look at.")
    flags.DEFINE_integer(
        "images", 8, "How many of the worst and the best are shown.", lower_bound=0
    )


def check_flags(values: flags.FlagValues, operands: Sequence[str]) -> None:
    """There must be a run, and each of them a directory, or a packed net.

    Args:
        values: Of the flags.
        operands: The runs.

    Raises:
        flags.Error: If there is none, or one is no directory or given twice.
    """
    del values
    if not operands:
        raise flags.Error("a run is missing; usage: fcn_jax report RUN [RUN ...]")
    for run in operands:
        if not Path(run).is_dir() and not pretrained.packed(run):
            what = "is a file" if Path(run).exists() else "does not exist"
            raise flags.Error(f"{run} {what}; give the directory of a run.")
    if len({Path(run).resolve() for run in operands}) < len(operands):
        raise flags.Error("a run is given twice; a comparison needs different ones.")


def run_flags(values: flags.FlagValues, *runs: str) -> None:
    """Write the page as the command line says.

    Args:
        values: Of the flags.
        *runs: Directories of the runs.
    """
    scales = None
    if values.scales:
        scales = command_line.parse_numbers("scales", values.scales)
    options = examination.Options(
        *(values.split, values.step, values.root, scales),
        flip=values.flip,
        images=values.images,
        head=values.head,
    )
    path = examination.report(runs, values.out, options)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    check=check_flags,
    memory="leave out --scales, or write the page by fcn_jax eval --report with a "
    "lower --config.eval_batch_size",
    out="file",
)
