"""What each loss does for the rare classes of CamVid: a narrow net, equal steps.

python -m benchmarks.losses --root=DIR --out=runs/losses   # minutes on 2 idle cores
python -m benchmarks.losses --root=DIR --out=runs/losses --only dice lovasz
python -m benchmarks.losses --smoke --out=DIR              # two steps of one

A narrow FCN-8s from scratch on crops of images at about half resolution: the same seed,
batches, rate and number of steps for every loss, scored at half resolution on all
validation images. A row is a run of its own under --out: what is done is not done
again, and a run that was stopped goes on. Prints JSON, and with --table a table.
"""

import argparse
import contextlib
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.common import machine
from configs import camvid_fcn8s, shapes_fcn8s
from fcn_jax import runtime
from fcn_jax.config.types import Config
from fcn_jax.runs import logs, trainer

STEPS = 300
RARE = ("pole", "sign_symbol", "pedestrian", "bicyclist")


@dataclasses.dataclass(frozen=True)
class Row:
    """A loss, as its keys say."""

    loss: str
    balance: str = ""

    @property
    def title(self) -> str:
        """As it stands in a table."""
        return self.loss + (f", balance={self.balance}" if self.balance else "")

    @property
    def keys(self) -> dict[str, str]:
        """Of the config."""
        return {"loss.name": self.loss, "loss.balance": self.balance}


ROWS = (
    Row("cross_entropy"),
    Row("cross_entropy", "median_frequency"),
    Row("focal"),
    Row("dice"),
    Row("tversky"),
    Row("lovasz"),
    Row("cross_entropy+dice"),
    Row("cross_entropy+lovasz"),
)


def config_of(row: Row, root: str, steps: int) -> Config:
    config = camvid_fcn8s.get_config("full")
    config.data.root = root
    config.data.crop, config.batch_size = (96, 128), 4
    config.model.width, config.model.fc_features = 1 / 16, 2048
    config.data.cache = 0.3  # GiB: all images, decoded once.
    config.num_steps = config.eval_every = config.checkpoint_every = steps
    config.log_every = max(1, steps // 20)
    config.num_pictures = 0
    config.update_from_flattened_dict(row.keys)
    return config


def smoke_config(row: Row) -> Config:
    config = shapes_fcn8s.get_config("smoke")
    config.num_steps = config.eval_every = config.checkpoint_every = 2
    config.num_pictures = 0
    config.update_from_flattened_dict(row.keys)
    return config


def score(config: Config, workdir: Path) -> dict[str, float | None]:
    """The IU of every class and their mean, after the last step."""
    last = [e for e in _scores(workdir) if e["step"] == config.num_steps]
    if not last:
        with contextlib.redirect_stdout(sys.stderr):
            trainer.train(config, workdir)
        last = _scores(workdir)
    return {**last[-1]["iu"], "mean": last[-1]["mean_iu"]}


def _scores(workdir: Path):
    log = workdir / "log.jsonl"
    entries = logs.read(log) if log.exists() else []
    return [entry for entry in entries if entry.get("kind") == "eval"]


def table(scores: dict[str, dict[str, float | None]]) -> str:
    """As Markdown."""
    columns = [*RARE, "mean"]
    lines = [f"| `config.loss` | {' | '.join(columns)} |", "| --- " * 6 + "|"]
    for title, found in scores.items():
        shown = " | ".join(f"{found[name] or 0:.3f}" for name in columns)
        lines.append(f"| `{title}` | {shown} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Losses and rare classes.")
    parser.add_argument("--root", default="", help="CamVid, in VOC layout")
    parser.add_argument("--out", help="directory of the runs; none: they are not kept")
    parser.add_argument("--steps", type=int, default=STEPS, help="of every loss")
    titles = [row.title for row in ROWS]
    parser.add_argument("--only", nargs="+", choices=titles, default=titles)
    parser.add_argument("--table", action="store_true", help="Markdown, no JSON")
    parser.add_argument("--smoke", action="store_true", help="built-in data, 2 steps")
    arguments = parser.parse_args()
    if not (arguments.root or arguments.smoke):
        sys.exit("--root=DIR says where CamVid is; see docs/data_sets.md.")
    runtime.prepare()
    scores = {}
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(arguments.out or temporary)
        for number, row in enumerate(ROWS[-1:] if arguments.smoke else ROWS):
            if row.title not in arguments.only:
                continue
            config = (
                smoke_config(row)
                if arguments.smoke
                else config_of(row, arguments.root, arguments.steps)
            )
            scores[row.title] = score(config, out / f"{number}_{row.loss}")
            print(row.title, scores[row.title], file=sys.stderr, flush=True)
    if arguments.table:
        print(table(scores))
    else:
        report = {"iu": scores, "steps": config.num_steps, **machine.describe()}
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
