"""How scores come to the size of the image: every way, in one net, at equal steps.

python -m benchmarks.upsampling --out=runs/upsampling                # built-in shapes
python -m benchmarks.upsampling --data=camvid --root=DIR --out=runs/upsampling_camvid
python -m benchmarks.upsampling --smoke --out=DIR                    # two steps

A narrow FCN-8s from scratch, with the same seed, batches, rate and number of steps for
every way: its scores are resized (nearest, bilinear), or upsampled by transposed
convolutions that are fixed or learned; or the encoder is dilated in place of its last
strides, down to a score for every pixel. A row is a run of its own under --out: what is
done is not done again, and a run that was stopped goes on. Prints JSON: `mean_iu`,
`boundary_iu` (3 pixels), and `cpu_seconds` of the process in training, compilation and
scoring at its end included (null if it was stopped on its way). With --table a table.
--only "transposed, fixed" ... leaves out the others; the last takes most of the time.
"""

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path

import numpy as np

import fcn_jax
from benchmarks.common import machine
from configs import camvid_fcn8s, shapes_fcn8s
from fcn_jax import runtime
from fcn_jax.config import datasets
from fcn_jax.config.types import Config
from fcn_jax.evaluation.boundary import BoundaryIU
from fcn_jax.runs import logs, trainer

STEPS = {"shapes": 200, "camvid": 300}
# What is shown, and the keys of `config.model`.
ROWS = {
    "nearest": {"upsampling": "nearest"},
    "bilinear": {"upsampling": "bilinear"},
    "transposed, fixed": {"upsampling": "fixed"},
    "transposed, learned": {"upsampling": "learned"},
    "dilated to stride 8, bilinear": {"output_stride": 8, "upsampling": "bilinear"},
    "dilated to stride 1": {"output_stride": 1, "upsampling": "nearest"},
}


def config_of(row: str, arguments: argparse.Namespace) -> Config:
    if arguments.data == "camvid":
        config = camvid_fcn8s.get_config("full")
        config.data.root = arguments.root
        config.data.crop, config.data.scale = (96, 128), (0.35, 0.8)
        config.eval_scale = 0.5
        config.data.cache = 0.3  # GiB: all images, decoded once.
    else:
        config = shapes_fcn8s.get_config("full")
        config.data.crop = (64, 96)
    config.model.width, config.model.fc_features = 1 / 8, 512
    config.batch_size, config.eval_batch_size = 8, 8
    config.num_steps = arguments.steps or STEPS[arguments.data]
    if arguments.smoke:
        config.num_steps = 2
        config.model.width, config.model.fc_features = 1 / 64, 64
    config.eval_every = config.checkpoint_every = config.num_steps
    config.log_every = max(1, config.num_steps // 10)
    config.num_pictures = 0
    config.model.update(ROWS[row])
    return config


def measured(config: Config, workdir: Path) -> dict[str, float | None]:
    """Train what is not trained, and score it, once."""
    place = workdir.with_suffix(".json")
    if place.exists():
        return json.loads(place.read_text("utf-8"))
    fresh, before = not workdir.exists(), time.process_time()
    with contextlib.redirect_stdout(sys.stderr):
        if not _is_done(config, workdir):
            trainer.train(config, workdir)
    spent = time.process_time() - before
    found = scores(config, workdir)
    found["cpu_seconds"] = round(spent, 1) if fresh else None
    place.write_text(json.dumps(found), "utf-8")
    return found


def _is_done(config: Config, workdir: Path) -> bool:
    log = workdir / "log.jsonl"
    entries = logs.read(log) if log.exists() else []
    return any(
        e["step"] == config.num_steps for e in entries if e.get("kind") == "eval"
    )


def scores(config: Config, workdir: Path) -> dict[str, float | None]:
    """Mean IU and boundary IU over the validation images, of the last step."""
    entries = logs.read(workdir / "log.jsonl")
    last = [e for e in entries if e["kind"] == "eval"][-1]
    net = fcn_jax.load(workdir)
    source = datasets.open_source(config, "eval")
    boundary = BoundaryIU(config.model.num_classes)
    for i in range(len(source)):
        example = source[i]
        boundary.add(np.asarray(example["labels"]), net.predict(example["image"]))
    return {
        "mean_iu": last["mean_iu"],
        "boundary_iu": boundary.scores(source.classes)["mean_iu"],
    }


def table(rows: dict[str, dict[str, float | None]]) -> str:
    """As Markdown."""
    lines = [
        "| scores to pixels | mean IU | boundary IU | CPU seconds |",
        "| --- " * 4 + "|",
    ]
    for name, found in rows.items():
        spent = found["cpu_seconds"]
        lines.append(
            f"| {name} | {found['mean_iu']:.3f} | {found['boundary_iu']:.3f} "
            f"| {'-' if spent is None else format(spent, '.0f')} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=tuple(STEPS), default="shapes")
    parser.add_argument("--root", default="", help="CamVid, in VOC layout")
    parser.add_argument("--out", required=True, help="directory of the runs")
    parser.add_argument("--steps", type=int, default=0, help="of every way")
    parser.add_argument("--only", nargs="+", choices=tuple(ROWS), default=tuple(ROWS))
    parser.add_argument("--table", action="store_true", help="Markdown, no JSON")
    parser.add_argument("--smoke", action="store_true", help="tiny nets, 2 steps")
    arguments = parser.parse_args()
    if arguments.data == "camvid" and not arguments.root:
        sys.exit("--root=DIR says where CamVid is; see docs/data_sets.md.")
    runtime.prepare()
    rows = {}
    for row in arguments.only:
        config = config_of(row, arguments)
        name = row.replace(", ", "_").replace(" ", "_")
        rows[row] = measured(config, Path(arguments.out) / name)
        print(row, rows[row], file=sys.stderr, flush=True)
    if arguments.table:
        print(table(rows))
    else:
        report = {"rows": rows, "steps": config.num_steps, **machine.describe()}
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
