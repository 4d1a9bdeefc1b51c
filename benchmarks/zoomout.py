"""Zoom-out on the built-in shapes, beside FCN-32s after the same steps.

python -m benchmarks.zoomout --out=runs/zoomout            # an hour on two cores
python -m benchmarks.zoomout --out=DIR --smoke             # two steps each

All are trained on the same images for the same steps, at the same width: FCN-32s by the
recipe of the demo; and zoom-out (`configs/shapes_zoomout.py`), whose encoder does not
learn, with its MLP and linear, by the loss in which classes count alike and by the
plain one, on random weights and on those of that FCN-32s. First comes the ceiling: what
is scored by who knows the label of every superpixel. Prints JSON, and writes
OUT/zoomout.md, a table. Runs that are finished are not done again.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.common import machine
from fcn_jax.config import datasets, named, superpixels
from fcn_jax.data import contracts
from fcn_jax.evaluation import metrics
from fcn_jax.regions import superpixels as regions
from fcn_jax.storage import files

ROOT = Path(__file__).resolve().parent.parent
STEPS, WIDTH = 200, 1 / 8
CEILINGS = ((64, 10.0), (64, 40.0), (128, 40.0))  # Superpixels, compactness.
_ZOOMOUT = "shapes_zoomout"
# The config of each run, and what differs from it.
RUNS = {
    "FCN-32s": ("shapes_fcn8s", {"model.name": "fcn32s"}),
    "zoom-out": (_ZOOMOUT, {}),
    "zoom-out, encoder of FCN-32s": (_ZOOMOUT, {"init_from": "FCN-32s"}),
    "zoom-out, linear": (_ZOOMOUT, {"model.hidden": 0}),
    "zoom-out, plain loss": (_ZOOMOUT, {"loss.balance": ""}),
    "zoom-out, first version": (_ZOOMOUT, {"model.name": "zoomout_v1"}),
}
SMOKE = ("FCN-32s", "zoom-out", "zoom-out, encoder of FCN-32s")


def ceiling(num, compactness, smoke):
    """What labels of superpixels can score on the validation images."""
    config = named.load(_ZOOMOUT).get_config("smoke" if smoke else "full")
    config.model.num_superpixels, config.model.compactness = num, compactness
    source = datasets.open_eval(config)
    divide = superpixels.make_superpixels(config)
    (head,) = contracts.heads_of(source)
    counts = [divide(x["image"], x["id"]).max() + 1 for x in _items(source)]
    found = regions.ceiling(source, divide, head.num_classes, head.ignore_label)
    return {
        "asked": num,
        "compactness": compactness,
        "superpixels": float(sum(counts) / len(counts)),
        "mean_iu": metrics.scores(found, head.classes)["mean_iu"],
    }


def _items(source):
    return (source[index] for index in range(len(source)))


def train(name, out, smoke):
    """The scores of a run, trained if it is not finished."""
    config, changes = RUNS[name]
    workdir = out / name.replace(", ", "_").replace(" ", "_")
    steps = 2 if smoke else STEPS
    settings = {"num_steps": steps, "eval_every": steps, "checkpoint_every": steps}
    settings |= {"log_every": max(1, steps // 10), "num_pictures": 0} | changes
    if smoke:
        settings |= {"data.train_split": "train[:4]", "data.eval_split": "val[:2]"}
        settings |= {"model.fc_features": 256}
    else:
        settings |= {"model.width": WIDTH, "model.fc_features": 1024}
    if "init_from" in settings:  # A run of these.
        settings["init_from"] = out / settings["init_from"]
    if not (workdir / "result.json").exists():
        mode = ":smoke" if smoke else ""
        command = [
            *(sys.executable, "train.py", f"--workdir={workdir}"),
            f"--config=configs/{config}.py{mode}",
            *(f"--config.{key}={value}" for key, value in settings.items()),
        ]
        print("$", *command[1:], file=sys.stderr, flush=True)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path))
        }
        subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr
        )
    scores = json.loads((workdir / "result.json").read_text("utf-8"))["scores"]
    return {key: scores[key] for key in ("mean_iu", "pixel_accuracy", "loss", "iu")}


def table(rows):
    """Rows as Markdown."""
    lines = ["| net | mean IU | pixel accuracy |", "| --- | --- | --- |"]
    for name, found in rows.items():
        lines.append(
            f"| {name} | {found['mean_iu']:.3f} | {found['pixel_accuracy']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="where the runs are")
    parser.add_argument("--smoke", action="store_true", help="narrow nets, two steps")
    arguments = parser.parse_args()
    out, smoke = arguments.out.resolve(), arguments.smoke
    ceilings = [ceiling(*asked, smoke) for asked in CEILINGS[: 1 if smoke else None]]
    names = SMOKE if smoke else RUNS
    rows = {name: train(name, out, smoke) for name in names}
    files.write_text(out / "zoomout.md", table(rows))
    steps = 2 if smoke else STEPS
    report = {"ceilings": ceilings, "rows": rows, "steps": steps, **machine.describe()}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
