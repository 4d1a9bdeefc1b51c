r"""Evaluate a run: the four FCN metrics, the classes' table, and pictures.

python eval.py --config=configs/shapes_fcn8s.py --workdir=runs/shapes_fcn8s
python eval.py --config=... --workdir=DIR --split=val --scales=0.75,1,1.25 --flip
python eval.py --config=... --workdir=DIR --resolutions=0.5,1,2

Takes the run's best checkpoint (or --step) and writes, into --out (by default
DIR/eval/SPLIT): metrics.json, table.txt, contact_sheet.png, labels/ID.png in the
palette of the data set (VOC's is what its server takes) and overlays/ID.png. With
--resolutions: resolutions.json and resolutions.png instead.
"""

import functools
import math
import time
from pathlib import Path

import jax
import numpy as np
from absl import app, flags

from fcn_jax import (
    checkpoints,
    configuration,
    evaluation,
    inference,
    metrics,
    parallel,
    plots,
    runtime,
    training,
    viz,
)
from fcn_jax.data import loader
from fcn_jax.preprocessing import Preprocessing


class Evaluation:
    """A trained network on a split, ready to be scored in one way or another."""

    def __init__(self, config, workdir, split=None, step=None, devices=None):
        self.config, self.workdir = config, Path(workdir)
        if split:
            config.data.eval_split = split
        self.devices = devices or jax.local_devices()
        parallel.check_batch_size(config.eval_batch_size, len(self.devices))
        self.source = configuration.open_source(config, "eval")
        print(configuration.describe_source(self.source))
        self.model = configuration.make_model(config)
        self.checkpoint = self._checkpoint(step)
        self.recipe = Preprocessing.from_dict(self.checkpoint.metadata["preprocessing"])
        template = training.init_variables(self.model, config.seed)
        self.variables = parallel.replicate(
            checkpoints.into_variables(self.checkpoint.arrays, template), self.devices
        )

    def _checkpoint(self, step):
        store = checkpoints.Checkpoints(self.workdir / "checkpoints")
        found = store.best() if step is None else store.read(step)
        if found is None:
            raise FileNotFoundError(
                f"{self.workdir} holds no checkpoint; train first: python train.py "
                f"--config=... --workdir={self.workdir}"
            )
        return found

    def score(self, scales, flip, on_batch=None):
        """The scores of the split, seen at `scales` and perhaps mirrored."""
        config = self.config
        step = parallel.data_parallel(
            training.eval_step,
            self.devices,
            log_probs=functools.partial(
                inference.log_probs,
                model=self.model,
                preprocessing=self.recipe,
                scales=scales,
                flip=flip,
            ),
            num_classes=config.model.num_classes,
        )
        batches = loader.eval_batches(
            self.source,
            batch_size=config.eval_batch_size,
            num_classes=config.model.num_classes,
            scales=scales,
        )
        confusion = evaluation.evaluate(
            step,
            self.variables,
            batches,
            self.devices,
            config.model.num_classes,
            on_batch,
        )
        return metrics.scores(confusion, self.source.classes)


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

    def write_sheet(self):
        """The contact sheet: image, truth, prediction and errors, an image a row."""
        sheet = viz.contact_sheet(
            [self.rows[index] for index in sorted(self.rows)],
            classes=self.source.classes,
            palette=self.source.palette,
        )
        viz.save_image(self.out / "contact_sheet.png", sheet)


def evaluate(run, out, scales=(1.0,), flip=False, labels=True, overlays=True, rows=6):
    """Score a run, print the table, write JSON and pictures; returns the scores."""
    pictures = Pictures(out, run.source, labels, overlays, rows)
    start = time.perf_counter()
    scores = run.score(scales, flip, pictures)
    seconds = time.perf_counter() - start
    table = metrics.format_table(scores)
    print(table)
    scores.update(
        split=run.source.split,
        num_images=len(run.source),
        step=run.checkpoint.step,
        scales=list(scales),
        flip=flip,
        seconds=round(seconds, 2),
    )
    configuration.write_json(out / "metrics.json", scores)
    configuration.write_text(out / "table.txt", table + "\n")
    pictures.write_sheet()
    written = ["metrics.json", "table.txt", "contact_sheet.png"]
    written += ["labels/"] * labels + ["overlays/"] * overlays
    print(
        f"step {run.checkpoint.step}, {len(run.source)} images of {run.source.split} "
        f"in {seconds:.1f} s; in {out}: {', '.join(written)}"
    )
    return scores


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
    configuration.write_json(out / "resolutions.json", results)
    plots.plot_resolutions(results, out / "resolutions.png")
    print(f"in {out}: resolutions.json, resolutions.png")
    return results


def parse_numbers(name, text):
    """Positive numbers separated by commas."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(n > 0 and math.isfinite(n) for n in numbers):
        raise ValueError(
            f"--{name}={text} is not understood; give positive numbers separated by "
            f"commas, such as --{name}=0.5,1,2."
        )
    return numbers


def define_flags():
    """Declare the flags of this script."""
    configuration.define_flags()
    flags.DEFINE_string("split", None, "Split to evaluate; the config's by default.")
    flags.DEFINE_string("out", None, "Where to write; WORKDIR/eval/SPLIT by default.")
    flags.DEFINE_integer("step", None, "Checkpoint to evaluate; the best by default.")
    flags.DEFINE_string("scales", None, "Input scales to average; the config's.")
    flags.DEFINE_bool("flip", False, "Average with the mirrored image.")
    flags.DEFINE_string("resolutions", None, "Score at each of these resolutions.")
    flags.DEFINE_bool("labels", True, "Write the predicted labels as palette PNGs.")
    flags.DEFINE_bool("overlays", True, "Write the predictions over the images.")
    flags.DEFINE_integer("rows", 6, "Images of the contact sheet.")


def run_flags(values):
    """Evaluate as the command line says."""
    config = configuration.config_of_flags()
    scales = (
        parse_numbers("scales", values.scales)
        if values.scales
        else (config.eval_scale,)
    )
    run = Evaluation(config, values.workdir, values.split, values.step)
    out = Path(values.out or Path(values.workdir) / "eval" / run.source.split)
    if values.resolutions:
        resolutions = parse_numbers("resolutions", values.resolutions)
        compare_resolutions(run, out, resolutions, values.flip)
    else:
        evaluate(
            run, out, scales, values.flip, values.labels, values.overlays, values.rows
        )


def main(argv):
    """Read the flags and evaluate."""
    del argv
    runtime.prepare()
    configuration.run_reporting_errors(lambda: run_flags(flags.FLAGS))


if __name__ == "__main__":
    define_flags()
    app.run(main, flags_parser=configuration.parse_flags)
