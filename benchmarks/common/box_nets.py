"""What benchmarks of networks of boxes share: their runs, and what is scored of them.

All nets see 200 updates of 8 whole images of the built-in shapes at an eighth of the
width, with the optimiser of the demo.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.common import machine
from fcn_jax import runtime
from fcn_jax.commands import regions
from fcn_jax.config import datasets
from fcn_jax.config.types import Config
from fcn_jax.proposals import cache
from fcn_jax.runs import logs, trainer
from fcn_jax.runs.evaluation import Evaluation

STEPS, IMAGES, WIDTH = 200, 8, 1 / 8
_AVERAGE = 2.0  # Regions an image, by which the background's threshold is found.


def alike(config: Config, smoke: bool) -> Config:
    """A config with what all rows have alike.

    Args:
        config: Of a row; it is changed.
        smoke: Whether it is to be as quick as can be.
    """
    config.num_pictures = 0
    if smoke:
        config.data.train_split, config.data.eval_split = "train[:4]", "val[:2]"
    else:
        config.model.width = WIDTH
        config.batch_size, config.num_steps = IMAGES, STEPS
    config.eval_every = config.checkpoint_every = config.num_steps
    return config


def propose(config: Config, kept: cache.Kept) -> None:
    """Make what is proposed for the images of both splits, where it is not there.

    Args:
        config: Of a row.
        kept: What keeps it.
    """
    for split in (config.data.train_split, config.data.eval_split):
        for _ in cache.precompute(datasets.open_split(config, split), kept, 1):
            pass


def row(config: Config, workdir: Path) -> Mapping[str, object]:
    """What a run found; it is done if it is not.

    Args:
        config: Of the run.
        workdir: Of the run.

    Returns:
        Mean IU and pixel accuracy; of a network of boxes also AP^r, and the mean IU
        once the threshold of its background is that of two regions an image.
    """
    if not (workdir / "result.json").exists():
        trainer.train(config, workdir)
    scores = [e for e in logs.read(workdir / "log.jsonl") if e["kind"] == "eval"][-1]
    found = {key: scores[key] for key in ("mean_iu", "pixel_accuracy")}
    if config.inference.method == "whole":
        return found
    precision, threshold, _ = regions.score(Evaluation(config, workdir), _AVERAGE)
    config.inference.background = threshold
    again = Evaluation(config, workdir).score()
    return found | {
        "mean_ap_r": precision["mean_ap_r"],
        "background": threshold,
        "mean_iu_with_it": again["mean_iu"],
    }


def print_rows(
    title: str,
    nets: Sequence[str],
    row_of: Callable[[str, Path, bool], Mapping[str, object]],
) -> None:
    """Read the command line, and print the rows of all nets as JSON.

    Args:
        title: Of the benchmark.
        nets: Names of the rows.
        row_of: Of a name, the directory of all runs, and whether to be quick.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--out", type=Path, help="of the runs; none: they are not kept")
    parser.add_argument("--smoke", action="store_true", help="two steps, narrow nets")
    arguments = parser.parse_args()
    runtime.prepare()
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        with contextlib.redirect_stdout(sys.stderr):
            rows = {name: row_of(name, out, arguments.smoke) for name in nets}
    print(json.dumps({**machine.describe(), "rows": rows}, indent=1))
