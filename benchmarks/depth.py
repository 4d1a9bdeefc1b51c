"""What depth is worth on the built-in rooms: RGB, RGB-D, HHA, RGB-HHA.

python -m benchmarks.depth --out=runs/depth            # some minutes on two cores
python -m benchmarks.depth --out=runs/depth --steps=2

The nets of configs/indoor_fcn32s.py, each on its own for as many steps; then that of
both streams, from those of color and hha, for half as many at a tenth of the rate. That
of color alone goes on for as long, so that what is gained is not the longer training.
Prints JSON: mean IU and IU by class. Runs that are finished are not done again.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path

import jax

from benchmarks.common import machine
from fcn_jax.config import named
from fcn_jax.runs import logs, trainer

LATER_RATE = 0.1  # Of the nets that start from others.


def config_of(mode, steps, seed):
    config = named.load("indoor_fcn32s").get_config(mode)
    config.num_steps = config.eval_every = config.checkpoint_every = steps
    config.seed = seed
    config.log_every = max(1, steps // 6)
    config.num_pictures = 0
    return config


def later(config, init_from):
    """A config that goes on from other nets, at a lower rate."""
    config.init_from = init_from
    config.optim.learning_rate *= LATER_RATE
    return config


def scores(config, workdir):
    """Mean IU, and IU by class, of a run on the validation rooms."""
    if not (workdir / "result.json").exists():
        trainer.train(config, workdir)
    found = [e for e in logs.read(workdir / "log.jsonl") if "mean_iu" in e][-1]
    return {"mean_iu": found["mean_iu"], "iu": found["iu"]}


def measure(out, steps, seed=0):
    """The scores of each net, by name.

    Args:
        out: Where the runs are kept.
        steps: Of each net that is trained alone.
        seed: Of all.
    """
    found = {}
    half = max(1, steps // 2)
    for mode in ("color", "hha"):
        found[mode] = scores(config_of(mode, steps, seed), out / mode)
    again = later(config_of("color", half, seed), str(out / "color"))
    found["color, longer"] = scores(again, out / "color_longer")
    start = f"color={out / 'color'},hha={out / 'hha'}"
    both = later(config_of("full", half, seed), start)
    found["color_hha"] = scores(both, out / "color_hha")
    found["color_d"] = scores(config_of("color_d", steps, seed), out / "color_d")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    jax.config.update("jax_numpy_dtype_promotion", "standard")  # As train.py.
    with contextlib.redirect_stdout(sys.stderr):
        found = measure(arguments.out, arguments.steps, arguments.seed)
    report = {"scores": found, "steps": arguments.steps, **machine.describe()}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
