r"""Search the dense CRF's parameters that give a run the best mean IU on a split.

fcn_jax crf_search --workdir=runs/mine --out=crf.json --images=50
fcn_jax eval --workdir=runs/mine --split=test --config.crf.parameters=crf.json

fcn_jax crf_search --workdir=DIR --out=crf.json
    [--split=val] [--images=100] [--start=deeplab] [--with_run=DIR2]
    [--bilateral_xy=50,60,80,100] [--bilateral_rgb=3,5,8,13] [--bilateral_weight=4,5,10]
    [--smooth_xy=1,3] [--smooth_weight=1,3]

All combinations are tried on the first images of the split, with iterations and
normalisation of --start, and its smoothness where no values of that are given. The
networks run once. What is best goes to --out; evaluate with
--config.crf.parameters=crf.json, on another split.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from absl import flags
from tqdm import tqdm

from fcn_jax import crf
from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.config import build
from fcn_jax.crf.parameters import Numbers
from fcn_jax.data.contracts import heads_of
from fcn_jax.evaluation import metrics
from fcn_jax.preprocessing import colours
from fcn_jax.runs.evaluation import Evaluation
from fcn_jax.storage import files

# Chen et al. 2015, arXiv:1412.7062, sec. 5.1, search about such values.
_GRID = {
    "bilateral_xy": "50,60,80,100",
    "bilateral_rgb": "3,5,8,13",
    "bilateral_weight": "4,5,10",
    "smooth_xy": None,  # That of --start: theirs was fixed too.
    "smooth_weight": None,
}


def define_flags() -> None:
    """Declare the flags of this command."""
    command_line.define_flags()
    flags.DEFINE_string("out", None, "JSON file of the best parameters.")
    flags.DEFINE_string("split", None, "Split; the config's eval_split by default.")
    flags.DEFINE_integer("images", 100, "Images of the split, from the first on.")
    flags.DEFINE_string("with_run", None, "A second run: search for the ensemble.")
    flags.DEFINE_enum("start", "deeplab", list(crf.PARAMETERS), "All that is fixed.")
    for name, values in _GRID.items():
        without = "" if values else " Without: that of --start."
        flags.DEFINE_string(name, values, f"Values to try.{without}")


def run_flags(values: flags.FlagValues) -> None:
    """Search as the command line says.

    Args:
        values: Of the flags.

    Raises:
        ValueError: If the grid or the number of images has no meaning, or the network
            has several heads.
    """
    grid = {
        name: command_line.parse_numbers(name, str(values[name].value))
        for name in _GRID
        if values[name].value is not None
    }
    if values.images < 1:
        raise ValueError(f"--images={values.images} is not positive.")
    config = command_line.config_of_flags()
    build.check_one_head(config, "crf_search")
    run = Evaluation(
        config,
        values.workdir,
        values.split,
        with_run=values.with_run,
    )
    results = search(run, grid, crf.PARAMETERS[values.start], values.images)
    files.write_json(
        Path(values.out),
        {
            "parameters": results[0]["parameters"],
            "mean_iu": results[0]["mean_iu"],
            "split": run.source.split,
            "images": min(values.images, len(run.source)),
            "tried": results,
        },
    )
    print(f"best: {results[0]}; in {values.out}, with all that were tried")


def search(
    run: Evaluation,
    grid: Mapping[str, Sequence[float]],
    start: Numbers,
    num_images: int,
) -> list[Numbers]:
    """Mean IU of every combination, the best first.

    Args:
        run: The networks and the split.
        grid: Values to try, by name of a field of `crf.CRFParameters`.
        start: The other fields.
        num_images: Images of the split to look at; one at a time is held.

    Returns:
        Dicts of `mean_iu` and `parameters`; the first of all is best, and the network
        without a CRF is among them, with parameters of 0 iterations.
    """
    tried: list[Numbers] = [{**start, "iterations": 0}] + [
        {**start, **dict(zip(grid, values, strict=True))}
        for values in itertools.product(*grid.values())
    ]
    head = heads_of(run.source)[0]
    size = head.num_classes
    confusions = [np.zeros((size, size), np.int64) for _ in tried]
    count = min(num_images, len(run.source))
    images = itertools.islice(run.log_probs(), num_images)
    for image, labels, log_probs in tqdm(
        images, total=count, unit="image", disable=None
    ):
        for parameters, confusion in zip(tried, confusions, strict=True):
            probs = crf.mean_field(
                -log_probs, colours(jnp.asarray(image)), **parameters
            )
            counts = metrics.confusion_matrix(
                labels, probs.argmax(-1), size, head.ignore_label
            )
            confusion += np.asarray(counts)
    results = [
        {"mean_iu": metrics.scores(confusion)["mean_iu"], "parameters": parameters}
        for parameters, confusion in zip(tried, confusions, strict=True)
    ]
    return sorted(results, key=lambda result: -(result["mean_iu"] or 0))


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    required={"config": "NAME", "workdir": "DIR", "out": "FILE.json"},
    takes_weights=True,
    out="file",
)
