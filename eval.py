r"""Evaluate a run: the four FCN metrics, the classes' table, and pictures.

python eval.py --config=configs/shapes_fcn8s.py --workdir=runs/shapes_fcn8s
python eval.py --config=... --workdir=DIR --split=val --scales=0.75,1,1.25 --flip
python eval.py --config=... --workdir=DIR --resolutions=0.5,1,2

Takes the run's best checkpoint (or --step) and writes, into --out (by default
DIR/eval/SPLIT): metrics.json, table.txt, contact_sheet.png, labels/ID.png in the
palette of the data set (VOC's is what its server takes) and overlays/ID.png. With
--resolutions: resolutions.json and resolutions.png instead. With --compare:
comparison.json and comparison.txt. With --config.crf.parameters=pydensecrf the dense
CRF comes last; scores and the contact sheet then show before and after.

python eval.py --config=configs/shapes_deconvnet_stage2.py --workdir=DIR \
    --with_run=DIR_OF_FCN8S --compare
"""

import time
from pathlib import Path

import numpy as np
from absl import app, flags

from fcn_jax import (
    command_line,
    configuration,
    ensembles,
    files,
    metrics,
    object_sizes,
    plots,
    runtime,
    viz,
)
from fcn_jax.data import objects
from fcn_jax.runs import Evaluation


class Pictures:
    """Writes what each batch looks like, and keeps a few images for a sheet."""

    def __init__(self, out, source, labels, overlays, sheet_rows):
        self.out, self.source = out, source
        self.labels, self.overlays = labels, overlays
        # Spread over the split, so that the sheet shows more than its first scene.
        stride = max(1, len(source) // max(1, sheet_rows))
        self.chosen = set(range(0, stride * sheet_rows, stride))
        self.rows = {}

    def __call__(self, batch, pred):
        """Write the pictures of one batch."""
        for row in np.flatnonzero(batch["example_valid"]):
            h, w = batch["sizes"][row]
            name, index = batch["id"][row], int(batch["index"][row])
            image, labels = batch["image"][row, :h, :w], batch["labels"][row, :h, :w]
            predicted = pred[row, :h, :w]
            palette = self.source.palette
            if self.labels:
                viz.save_label_png(
                    self.out / "labels" / f"{name}.png", predicted, palette
                )
            if self.overlays:
                overlay = viz.overlay(image, predicted, palette=palette)
                viz.save_image(self.out / "overlays" / f"{name}.png", overlay)
            if index in self.chosen:
                self.rows[index] = (name, image, labels, predicted)

    def write_sheet(self, before=None):
        """The contact sheet: image, truth, prediction and errors, an image a row.

        Args:
            before: Pictures of the same images before the CRF; their predictions are
                then shown too.
        """
        rows = [self.rows[index] for index in sorted(self.rows)]
        titles = ("prediction",)
        if before is not None:
            titles = ("before the CRF", "after it")
            rows = [
                (*row[:3], before.rows[index][3], row[3])
                for index, row in zip(sorted(self.rows), rows, strict=True)
            ]
        sheet = viz.contact_sheet(
            rows,
            classes=self.source.classes,
            palette=self.source.palette,
            titles=titles,
        )
        viz.save_image(self.out / "contact_sheet.png", sheet)


class ObjectSizes:
    """Counts predictions by the size of the true objects, batch by batch."""

    def __init__(self, source, num_classes):
        self.source = source
        self.counter = object_sizes.ObjectSizeIU(num_classes)

    def __call__(self, batch, pred):
        """Count one batch."""
        for row in np.flatnonzero(batch["example_valid"]):
            item = self.source[int(batch["index"][row])]
            found = objects.object_map(item, self.source.ignore_label)
            h, w = found.shape
            self.counter.add(item["labels"], found, pred[row, :h, :w])


def evaluate(run, out, scales=None, flip=False, labels=True, overlays=True, rows=6):
    """Score a run, print the table, write JSON and pictures; returns the scores."""
    pictures = Pictures(out, run.source, labels, overlays, rows)
    before = None
    if run.config.crf.parameters:
        before = Pictures(out, run.source, False, False, rows)
        unrefined = run.score(scales, flip, before, crf=False)
    start = time.perf_counter()
    scores = run.score(scales, flip, pictures)
    seconds = time.perf_counter() - start
    table = metrics.format_table(scores)
    print(table)
    scores.update(
        split=run.source.split,
        num_images=len(run.source),
        step=run.checkpoint.step,
        scales=list(run.members[0].predictor(scales, flip).scales),
        flip=flip,
        inference=run.config.inference.to_dict(),
        crf=run.config.crf.parameters or None,
        members=[str(member.workdir) for member in run.members],
        seconds=round(seconds, 2),
    )
    if before is not None:
        scores["before_crf"] = {
            name: unrefined[name] for name in configuration.HEADLINE_METRICS
        }
        print(f"mean IU before the CRF {100 * (unrefined['mean_iu'] or 0):.2f}")
    if len(run.members) > 1:
        scores["combine"] = run.combine
    files.write_json(out / "metrics.json", scores)
    files.write_text(out / "table.txt", table + "\n")
    pictures.write_sheet(before)
    written = ["metrics.json", "table.txt", "contact_sheet.png"]
    written += ["labels/"] * labels + ["overlays/"] * overlays
    print(
        f"step {run.checkpoint.step}, {len(run.source)} images of {run.source.split} "
        f"in {seconds:.1f} s; in {out}: {', '.join(written)}"
    )
    return scores


def compare(run, out):
    """Score each network and their ensemble: the four metrics, and IU by object size.

    Before and after the CRF, if the config has one. Writes comparison.json and
    comparison.txt, and a sheet of pictures for each.
    """
    rows = {member.config.model.name: [member] for member in run.members}
    if len(rows) < len(run.members):  # Two of one kind: told apart by their place.
        rows = {str(member.workdir): [member] for member in run.members}
    if len(run.members) > 1:
        rows["ensemble"] = run.members
    rows = {name: (members, False) for name, members in rows.items()}
    if run.config.crf.parameters:
        rows |= {f"{name}+CRF": (members, True) for name, (members, _) in rows.items()}
    results = {}
    for name, (members, crf) in rows.items():
        pictures = Pictures(out / Path(name).name, run.source, False, False, 6)
        sizes = ObjectSizes(run.source, run.config.model.num_classes)

        def on_batch(batch, pred, pictures=pictures, sizes=sizes):
            pictures(batch, pred)
            sizes(batch, pred)

        start = time.perf_counter()
        scores = run.score(on_batch=on_batch, members=members, crf=crf)
        pictures.write_sheet()
        results[name] = {
            **{metric: scores[metric] for metric in configuration.HEADLINE_METRICS},
            "iu": scores["iu"],
            "by_object_size": sizes.counter.scores(),
            "inference": [m.config.inference.method for m in members],
            "seconds": round(time.perf_counter() - start, 2),
        }
    table = format_comparison(results)
    print(table)
    files.write_json(out / "comparison.json", results)
    files.write_text(out / "comparison.txt", table + "\n")
    print(f"in {out}: comparison.json, comparison.txt, and a contact sheet for each")
    return results


def format_comparison(results):
    """The results of `compare` as text: a line a network, percent."""
    width = max(map(len, results))
    sizes = list(next(iter(results.values()))["by_object_size"])
    titles = ["pixel acc.", "mean acc.", "mean IU", "f.w. IU", *sizes, "seconds"]
    lines = [" " * width + "".join(f"  {title:>10}" for title in titles)]
    for name, result in results.items():
        values = [result[metric] for metric in configuration.HEADLINE_METRICS]
        values += [result["by_object_size"][size]["mean_iu"] for size in sizes]
        cells = "".join(
            f"  {'-' if value is None else f'{100 * value:.2f}':>10}"
            for value in values
        )
        lines.append(f"{name:<{width}}{cells}  {result['seconds']:>10.1f}")
    counts = next(iter(results.values()))["by_object_size"]
    lines.append(
        "mean IU by object size: "
        + ", ".join(f"{counts[size]['objects']} {size}" for size in sizes)
        + f" (from {object_sizes.BOUNDS[0]:.0%} and {object_sizes.BOUNDS[1]:.0%} of "
        "the image)"
    )
    return "\n".join(lines)


def compare_resolutions(run, out, resolutions, flip=False):
    """Score one checkpoint at several input resolutions: a table and a plot."""
    results = []
    print(f"{'resolution':>10}  " + "  ".join(configuration.HEADLINE_METRICS))
    for resolution in resolutions:
        scores = run.score((resolution,), flip)
        values = {name: scores[name] for name in configuration.HEADLINE_METRICS}
        results.append({"resolution": resolution, **values})
        cells = (f"{values[name]:>{len(name)}.4f}" for name in values)
        print(f"{resolution:>10g}  " + "  ".join(cells), flush=True)
    files.write_json(out / "resolutions.json", results)
    plots.plot_resolutions(results, out / "resolutions.png")
    print(f"in {out}: resolutions.json, resolutions.png")
    return results


def define_flags():
    """Declare the flags of this script."""
    command_line.define_flags()
    flags.DEFINE_string("split", None, "Split to evaluate; the config's by default.")
    flags.DEFINE_string("out", None, "Where to write; WORKDIR/eval/SPLIT by default.")
    flags.DEFINE_integer("step", None, "Checkpoint to evaluate; the best by default.")
    flags.DEFINE_string("scales", None, "Input scales to average; the config's.")
    flags.DEFINE_bool("flip", False, "Average with the mirrored image.")
    flags.DEFINE_string("resolutions", None, "Score at each of these resolutions.")
    flags.DEFINE_string("with_run", None, "A second run: evaluate the ensemble.")
    flags.DEFINE_enum(
        "combine", "mean_prob", ensembles.COMBINATIONS, "How the two are combined."
    )
    flags.DEFINE_bool("compare", False, "Score each run and the ensemble side by side.")
    flags.DEFINE_bool("labels", True, "Write the predicted labels as palette PNGs.")
    flags.DEFINE_bool("overlays", True, "Write the predictions over the images.")
    flags.DEFINE_integer("rows", 6, "Images of the contact sheet.")


def run_flags(values):
    """Evaluate as the command line says."""
    config = command_line.config_of_flags()
    scales = (
        command_line.parse_numbers("scales", values.scales) if values.scales else None
    )
    run = Evaluation(
        config,
        values.workdir,
        values.split,
        values.step,
        with_run=values.with_run,
        combine=values.combine,
    )
    out = Path(values.out or Path(values.workdir) / "eval" / run.source.split)
    if values.resolutions:
        resolutions = command_line.parse_numbers("resolutions", values.resolutions)
        compare_resolutions(run, out, resolutions, values.flip)
    elif values.compare:
        compare(run, out)
    else:
        evaluate(
            run, out, scales, values.flip, values.labels, values.overlays, values.rows
        )


def main(argv):
    """Read the flags and evaluate."""
    del argv
    runtime.prepare()
    command_line.run_reporting_errors(lambda: run_flags(flags.FLAGS))


if __name__ == "__main__":
    define_flags()
    app.run(main, flags_parser=command_line.parse_flags)
