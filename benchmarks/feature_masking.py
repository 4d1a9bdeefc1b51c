"""CFM on the shapes against FCN-32s, from scratch, for as many first steps.

python -m benchmarks.feature_masking --out=runs/cfm  # half an hour on 2 cores
python -m benchmarks.feature_masking --smoke         # two steps of narrow nets

Nets at an eighth of the width, 200 updates of 8 whole images of the built-in shapes,
enlarged twice for CFM, with the optimiser of the demo: FCN-32s, design A on VGG-16 and
design B on ZF-5. Of CFM also AP^r, and the mean IU once the threshold of its background
is that of two segments an image; and what no choice among the proposed segments can
exceed, the mean over objects of the best segment's overlap. A run that is there is not
done again; segments are proposed once for both. Prints JSON.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import machine
from configs import shapes_cfm, shapes_fcn8s
from fcn_jax import runtime
from fcn_jax.commands import regions
from fcn_jax.config import datasets, examples
from fcn_jax.config.types import Config
from fcn_jax.data import objects
from fcn_jax.data.segments import overlaps
from fcn_jax.proposals import cache
from fcn_jax.runs import logs, trainer
from fcn_jax.runs.evaluation import Evaluation

STEPS, IMAGES, WIDTH = 200, 8, 1 / 8
NETS = ("fcn32s", "cfm", "cfm_design_b")


def config_of(name: str, out: Path, smoke: bool) -> Config:
    """The config of a row: what all have alike, and where its segments are."""
    mode = "smoke" if smoke else "full"
    if name.startswith("cfm"):
        config = shapes_cfm.get_config(mode)
        config.data.objects.cache_dir = str(out / "segments")
    else:
        config = shapes_fcn8s.get_config(mode)
        config.data.crop = ()
    config.model.name = name
    config.num_pictures = 0
    if smoke:
        config.data.train_split, config.data.eval_split = "train[:4]", "val[:2]"
    else:
        config.model.width = WIDTH
        config.batch_size, config.num_steps = IMAGES, STEPS
    config.eval_every = config.checkpoint_every = config.num_steps
    return config


def propose(config: Config) -> float:
    """The mean over objects of the best segment's overlap, of the split that is scored.

    The segments of both splits are made where they are not there.
    """
    found = examples.make_segment_cache(config, config.data.objects.cache_dir)
    for split in (config.data.train_split, config.data.eval_split):
        for _ in cache.precompute(datasets.open_split(config, split), found, 1):
            pass
    source, best = datasets.open_split(config, config.data.eval_split), list[float]()
    for place in range(len(source)):
        item = source[place]
        numbers = objects.object_map(item)
        shared = overlaps(found.of_item(item), numbers, item["labels"] != 255)
        own = np.unique(numbers[numbers > 0])
        best += shared[:, own].max(axis=0).tolist()
    return float(np.mean(best))


def row(name: str, out: Path, smoke: bool) -> dict[str, object]:
    """What a run of a network found; it is trained where it is not there."""
    config = config_of(name, out, smoke)
    workdir = out / name
    found: dict[str, object] = {}
    if name.startswith("cfm"):
        found["best_overlap"] = propose(config)
    if not (workdir / "result.json").exists():
        trainer.train(config, workdir)
    scores = [e for e in logs.read(workdir / "log.jsonl") if e["kind"] == "eval"][-1]
    found |= {key: scores[key] for key in ("mean_iu", "pixel_accuracy")}
    if name.startswith("cfm"):
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
    parser = argparse.ArgumentParser(description="CFM's first steps.")
    parser.add_argument("--out", type=Path, help="of the runs; none: they are not kept")
    parser.add_argument("--smoke", action="store_true", help="two steps, narrow nets")
    arguments = parser.parse_args()
    runtime.prepare()
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        with contextlib.redirect_stdout(sys.stderr):
            rows = {name: row(name, out, arguments.smoke) for name in NETS}
    print(json.dumps({**machine.describe(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
