"""Weak labels on the shapes: masks, boxes and classes of images, side by side (WSSL).

python -m benchmarks.wssl --out=runs/wssl               # 5 minutes a row on 2 cores
python -m benchmarks.wssl --out=runs/wssl --rows=masks,rect,box_em,seg --seeds=3
python -m benchmarks.wssl --out=DIR --smoke             # two steps a row

Trains the configs shapes_wssl_*, which differ in what is known of the images alone,
and the same net from masks, of all images and of 150. Bbox-EM-Fixed starts from
Bbox-Rect's net (from noise it ends where all is background); so does a row that goes on
with Bbox-Rect for as many updates. Prints a Markdown table: mean IU on the validation
images (of several seeds the mean and the standard deviation), that of the labels which
boxes give on training images, and what was published for VOC 2012 val without a CRF. A
run that is finished is not done again; all numbers, and the machine, are in
DIR/wssl.json.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import machine, weak_rows
from fcn_jax.config import datasets, named
from fcn_jax.storage import files

LOOKED_AT = 100  # Training images whose labels are compared with masks.
MASKS = "--config.data.supervision="
ALONE = "--config.data.train_split=train[:150]"


class Row(NamedTuple):
    """One way to train the net.

    Attributes:
        known: What of the images is.
        method: Its name in the paper.
        config: Without "shapes_wssl_".
        options: More of the command line.
        start: Row whose net it starts from; "": noise.
        published: Mean IU on VOC 2012 val, percent, without a CRF; Bbox-EM-Fixed with
            one, of another net, as it is quoted.
    """

    known: str
    method: str
    config: str
    options: tuple[str, ...]
    start: str
    published: str


ROWS = {
    "masks": Row("masks", "", "bbox_rect", (MASKS,), "", "59.85"),
    "rect": Row("boxes", "Bbox-Rect", "bbox_rect", (), "", "47.72"),
    "rect_on": Row("boxes", "Bbox-Rect, twice", "bbox_rect", (), "rect", "-"),
    "box_em": Row("boxes", "Bbox-EM-Fixed", "bbox_em_fixed", (), "rect", "(54.1)"),
    "seg": Row("boxes", "Bbox-Seg", "bbox_seg", (), "", "53.68"),
    "em_fixed": Row("classes", "EM-Fixed", "em_fixed", (), "", "20.25"),
    "em_adapt": Row("classes", "EM-Adapt", "em_adapt", (), "", "34.22"),
    "few": Row("150 masks", "", "bbox_rect", (MASKS, ALONE), "", "54.77"),
    "semi": Row("150 masks, classes", "EM-Fixed", "semi", (), "", "58.30"),
}
OF_BOXES = ("rect", "seg")  # Whose labels are there before anything is learned.


def config_name(row: Row) -> str:
    """The config of a row, by name."""
    return f"shapes_wssl_{row.config}"


def trained(name: str, out: Path, seed: int, extra: list[str], mode: str) -> float:
    """The mean IU at the end of a run; what is not done yet is done first."""
    row, folder = ROWS[name], out / f"{name}_{seed}"
    start = []
    if row.start:
        trained(row.start, out, seed, extra, mode)
        start = [f"--config.init_from={out / f'{row.start}_{seed}'}"]
    options = [f"--config.seed={seed}", *row.options, *start, *extra]
    return weak_rows.final_mean_iu(config_name(row) + mode, folder, options)


def label_quality(row: Row, cache: Path, count: int) -> float:
    """The mean IU of the labels that boxes give, against masks."""
    config = named.load(config_name(row)).get_config()
    config.data.box_cache_dir = str(cache)
    weak = datasets.open_source(config, "train")
    masks = datasets.open_split(config, config.data.train_split)
    classes = config.model.num_classes
    return weak_rows.mean_iu_of_labels(weak, masks, classes, count)


def table(found: dict[str, dict]) -> str:
    """As Markdown."""
    lines = [
        "| known of the images | method | mean IU | of its labels | published, VOC |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, values in found.items():
        row, scores = ROWS[name], values["mean_iu"]
        shown = f"{statistics.mean(scores):.3f}"
        if len(scores) > 1:
            shown += f" ± {statistics.stdev(scores):.3f}"
        labels = f"{values['labels']:.3f}" if "labels" in values else "-"
        lines.append(
            f"| {row.known} | {row.method or '-'} | {shown} | {labels} "
            f"| {row.published} |"
        )
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
    segments, found = out / "segments", {}
    extra = [f"--config.data.box_cache_dir={segments}", *arguments.extra]
    for name in wanted:
        row = ROWS[name]
        scores = [
            trained(name, out, seed, extra, mode) for seed in range(arguments.seeds)
        ]
        found[name] = {"mean_iu": scores}
        if name in OF_BOXES:
            count = 2 if arguments.smoke else LOOKED_AT
            found[name]["labels"] = label_quality(row, segments, count)
    report = {"rows": found, "extra": arguments.extra, **machine.describe()}
    files.write_text(out / "wssl.json", json.dumps(report, indent=2))
    print(table(found))


if __name__ == "__main__":
    main()
