"""Hypercolumn on the shapes against FCN-32s, from scratch, for as many first steps.

python -m benchmarks.hypercolumn --out=runs/hypercolumn  # half an hour on 2 cores
python -m benchmarks.hypercolumn --smoke                 # two steps of narrow nets

Both nets at an eighth of the width, 200 updates of 8 whole images of the built-in
shapes, with the optimiser of the demo. Of Hypercolumn also AP^r, and the mean IU once
the threshold of its background is that of two regions an image. A run that is there
is not done again; proposals are computed first. Prints JSON.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.common import machine
from configs import shapes_fcn8s, shapes_hypercolumn
from fcn_jax import runtime
from fcn_jax.commands import regions
from fcn_jax.config import datasets, examples
from fcn_jax.proposals import cache
from fcn_jax.runs import trainer
from fcn_jax.runs.evaluation import Evaluation

STEPS, IMAGES, WIDTH = 200, 8, 1 / 8


def config_of(name, out, smoke):
    """The config of a row: what both have alike, and where its proposals are."""
    if name == "hypercolumn":
        config = shapes_hypercolumn.get_config("smoke" if smoke else "full")
        config.data.objects.cache_dir = str(out / "proposals")
    else:
        config = shapes_fcn8s.get_config("smoke" if smoke else "full")
        config.model.name = name
        config.data.crop = ()
    config.num_pictures = 0
    if smoke:
        config.data.train_split, config.data.eval_split = "train[:4]", "val[:2]"
    else:
        config.model.width = WIDTH
        config.batch_size, config.num_steps = IMAGES, STEPS
    config.eval_every = config.checkpoint_every = config.num_steps
    return config


def propose(config):
    """The proposals of both splits, where they are not there."""
    found = examples.make_proposal_cache(config, config.data.objects.cache_dir)
    for split in (config.data.train_split, config.data.eval_split):
        for _ in cache.precompute(datasets.open_split(config, split), found, 1):
            pass


def row(name, out, smoke):
    """What a run of a network found; it is trained where it is not there."""
    config = config_of(name, out, smoke)
    workdir = out / name
    if name == "hypercolumn":
        propose(config)
    if not (workdir / "result.json").exists():
        trainer.train(config, workdir)
    scores = Evaluation(config, workdir).score()
    found = {"mean_iu": scores["mean_iu"], "pixel_accuracy": scores["pixel_accuracy"]}
    if name == "hypercolumn":
        precision, threshold = regions.score(Evaluation(config, workdir), 2)
        config.inference.background = threshold
        again = Evaluation(config, workdir).score()
        found |= {
            "mean_ap_r": precision["mean_ap_r"],
            "background": threshold,
            "mean_iu_with_it": again["mean_iu"],
        }
    return found


def main():
    parser = argparse.ArgumentParser(description="Hypercolumn's first steps.")
    parser.add_argument("--out", type=Path, help="of the runs; none: they are not kept")
    parser.add_argument("--smoke", action="store_true", help="two steps, narrow nets")
    arguments = parser.parse_args()
    runtime.prepare()
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        with contextlib.redirect_stdout(sys.stderr):
            rows = {
                name: row(name, out, arguments.smoke)
                for name in ("fcn32s", "hypercolumn")
            }
    print(json.dumps({**machine.describe(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
