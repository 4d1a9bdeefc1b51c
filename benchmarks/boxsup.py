"""BoxSup on the shapes, between rectangles and masks: the same net, the same updates.

python -m benchmarks.boxsup --out=runs/boxsup           # 10 minutes a row on 2 cores
python -m benchmarks.boxsup --out=runs/boxsup --rows=rectangles,boxsup,masks --seeds=3
python -m benchmarks.boxsup --out=DIR --smoke           # two steps a row

Trains the config shapes_boxsup: from rectangles (Bbox-Rect), from masks that are chosen
among candidates by overlap alone, by BoxSup, and from masks. Prints a Markdown table:
mean IU on the validation images (of several seeds the mean and the standard deviation),
that of the labels of the last epoch on training images, against masks, and what was
published for VOC 2012 val with a CRF. Candidates are made once, for all rows, and a run
that is finished is not done again; all numbers, and the machine, are in
DIR/boxsup.json.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import machine, weak_rows
from fcn_jax.config import datasets, named
from fcn_jax.data.weak import boxsup as weak_boxsup
from fcn_jax.runs import boxsup
from fcn_jax.storage import checkpoints, files

CONFIG = "shapes_boxsup"
LOOKED_AT = 100  # Training images whose labels are compared with masks.


class Row(NamedTuple):
    """One way to train the net.

    Attributes:
        text: What it learns from.
        changes: Keys of the config that differ.
        published: Mean IU on VOC 2012 val, percent, with the CRF; "-": none.
    """

    text: str
    changes: dict[str, object]
    published: str


ROWS = {
    "rectangles": Row("rectangles", {"data.supervision": "boxes"}, "52.3"),
    "overlap": Row("candidates, by overlap alone", {"data.boxsup.weight": 0.0}, "-"),
    "boxsup": Row("BoxSup", {}, "62.0 (MCG), 59.7 (selective search)"),
    "masks": Row("masks", {"data.supervision": ""}, "63.8"),
}


def trained(row: Row, folder: Path, seed: int, extra: list[str], mode: str) -> float:
    """The mean IU at the end of a run, which is done if it is not."""
    changes = [f"--config.{key}={value}" for key, value in row.changes.items()]
    options = [f"--config.seed={seed}", *changes, *extra]
    return weak_rows.final_mean_iu(CONFIG + mode, folder, options)


def label_quality(row: Row, folder: Path, candidates: Path, mode: str) -> float:
    """The mean IU of the labels that the run last learned from, against masks."""
    config = named.load(CONFIG).get_config(mode.removeprefix(":") or "full")
    config.update_from_flattened_dict(row.changes)
    config.data.boxsup.cache_dir = str(candidates)
    source = datasets.open_source(config, "train")
    masks = datasets.open_split(config, config.data.train_split)
    if isinstance(source, weak_boxsup.BoxSupSource):
        store = checkpoints.CheckpointReader(folder / "checkpoints")
        saved = store.read(store.steps()[-1]).metadata[boxsup.KEY]
        source.assign(weak_boxsup.unpacked(saved["picks"]))
    classes = config.model.num_classes
    count = min(LOOKED_AT, len(source))
    return weak_rows.mean_iu_of_labels(source, masks, classes, count)


def table(found: dict[str, dict]) -> str:
    """As Markdown."""
    lines = [
        "| learned from | mean IU | of the labels | published, VOC |",
        "| --- | --- | --- | --- |",
    ]
    for name, values in found.items():
        scores, row = values["mean_iu"], ROWS[name]
        shown = f"{statistics.mean(scores):.3f}"
        if len(scores) > 1:
            shown += f" ± {statistics.stdev(scores):.3f}"
        labels = f"{values['labels']:.3f}"
        lines.append(f"| {row.text} | {shown} | {labels} | {row.published} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", default=",".join(ROWS), help=", ".join(ROWS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="two steps a row")
    parser.add_argument("extra", nargs="*", help="after --: options of every run")
    arguments = parser.parse_args()
    wanted = arguments.rows.split(",")
    if unknown := [name for name in wanted if name not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    out, mode = arguments.out.resolve(), ":smoke" if arguments.smoke else ""
    candidates, found = out / "candidates", {}
    extra = [f"--config.data.boxsup.cache_dir={candidates}", *arguments.extra]
    for name in wanted:
        folders = [out / f"{name}_{seed}" for seed in range(arguments.seeds)]
        scores = [
            trained(ROWS[name], folder, seed, extra, mode)
            for seed, folder in enumerate(folders)
        ]
        labels = label_quality(ROWS[name], folders[0], candidates, mode)
        found[name] = {"mean_iu": scores, "labels": labels}
    report = {"rows": found, "extra": arguments.extra, **machine.describe()}
    files.write_text(out / "boxsup.json", json.dumps(report, indent=2))
    print(table(found))


if __name__ == "__main__":
    main()
