r"""Score the regions of a network of boxes: AP^r, and the threshold of its background.

fcn_jax regions --workdir=runs/hypercolumn
fcn_jax eval --workdir=runs/hypercolumn --config.inference.background=0.37

fcn_jax regions --workdir=DIR [--config=NAME] [--split=val] [--step=N]
    [--average=2] [--out=FILE.json]

AP^r is the average precision of regions, each the likeliest class of a proposal and its
mask, against the split's objects, at overlaps of 0.5 and 0.7. The threshold is that
above which images have --average regions on average, which takes a whole split: it is
printed as the key of the config that fcn_jax eval, predict and serve take. Both go to
--out, by default DIR/regions.json.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from fcn_jax.commands import command_line
from fcn_jax.commands.command import Command
from fcn_jax.config import build
from fcn_jax.data import contracts, objects
from fcn_jax.evaluation.region_precision import Precisions, RegionPrecision
from fcn_jax.inference.regions import AVERAGE, MOST, background_threshold
from fcn_jax.runs.evaluation import Evaluation, regions_of
from fcn_jax.storage import files

_DIGITS = 6  # Of a threshold; more of them a printed key would not show.


def define_flags() -> None:
    """Declare the flags of this command."""
    command_line.define_flags()
    flags.DEFINE_string("split", None, "Split to score; the config's by default.")
    flags.DEFINE_integer("step", None, "Checkpoint to score; the best by default.")
    flags.DEFINE_float("average", AVERAGE, "Regions an image, on average.")
    flags.DEFINE_string("out", None, "JSON file; WORKDIR/regions.json by default.")


def run_flags(values: flags.FlagValues) -> None:
    """Score as the command line says.

    Args:
        values: Of the flags.
    """
    config = command_line.config_of_flags()
    build.check_one_head(config, "regions")
    run = Evaluation(config, values.workdir, values.split, values.step)
    found, threshold, count = score(run, values.average)
    out = Path(values.out or Path(values.workdir) / "regions.json")
    files.write_json(
        out,
        {
            **found,
            "background": threshold,
            "average": values.average,
            "regions": count,
            "split": run.source.split,
            "images": len(run.source),
            "step": run.checkpoint.step,
        },
    )
    print(table(found, contracts.heads_of(run.source)[0].classes))
    print(
        f"{count:.3g} regions an image on average, of {values.average:g} at most: "
        f"--config.inference.background={threshold:g}; in {out}"
    )
    if count > values.average:
        print(
            f"note: so many regions have a probability above {threshold:g} that no "
            f"threshold leaves {values.average:g} an image; lower "
            f"config.inference.region_iou"
        )


def score(run: Evaluation, average: float) -> tuple[Precisions, float, float]:
    """AP^r of a split, and the threshold of its background.

    Args:
        run: The network and the split.
        average: Regions an image, on average.

    Returns:
        See `RegionPrecision.result`; a probability in (0, 1), as
        `config.inference.background` takes it; and how many regions an image has above
        it, on average, of which no more than `MOST` of an image count.
    """
    head = contracts.heads_of(run.source)[0]
    precision, scores_of = RegionPrecision(head.num_classes), list[np.ndarray]()
    for place, found in regions_of(run):
        item = run.source[place]
        where = f"{run.source.name} {run.source.split}: {item['id']}"
        listed = objects.find_objects(
            item, head.classes, where, min_area=1, ignore_label=head.ignore_label
        )
        # Void pixels are neither an object's nor a region's.
        void = item["labels"] == head.ignore_label
        numbers = objects.object_map(item, head.ignore_label)
        precision.add(
            np.asarray(found.masks) & ~void[None],
            np.asarray(found.scores),
            np.asarray(found.classes),
            np.where(void, 0, numbers),
            {int(row[0]): int(row[1]) for row in listed},
        )
        scores_of.append(np.exp(np.asarray(found.scores, np.float64)))
    threshold = threshold_of(scores_of, average)
    counts = [min(MOST, int(np.sum(each > threshold))) for each in scores_of]
    return precision.result(), threshold, float(np.mean(counts))


def threshold_of(scores_of: Sequence[np.ndarray], average: float) -> float:
    """The probability above which images have so many regions, on average.

    In steps of 0.01, and finer ones from 0.99 on: of a net that is sure of itself many
    regions are above that.

    Args:
        scores_of: Probabilities of each image's regions, [K].
        average: Regions an image, on average.

    Returns:
        From 0.01 to 0.999999; there may be more regions above the last.

    Raises:
        ValueError: As `background_threshold`.
    """
    start = 0.01
    for digits in range(2, _DIGITS + 1):
        step = 10.0**-digits
        found = background_threshold(scores_of, average=average, start=start, step=step)
        start = round(1 - step, digits)
        if found <= start:
            return found
    return start


def table(found: Precisions, classes: tuple[str, ...]) -> str:
    """AP^r of each class that has objects, as text.

    Args:
        found: Of a split.
        classes: Their names.
    """
    names = [*found["ap_r"]]
    lines = [f"{'':16}" + "".join(f"  AP^r {name:>4}" for name in names)]
    for label, title in enumerate(classes):
        values = [found["ap_r"][name][label] for name in names]
        if found["num_objects"][label]:
            lines.append(f"{title:16}" + "".join(f"{v or 0:11.4f}" for v in values))
    means = [found["mean_ap_r"][name] for name in names]
    lines.append(f"{'mean':16}" + "".join(f"{v or 0:11.4f}" for v in means))
    return "\n".join(lines)


COMMAND = Command(
    text=__doc__,
    define_flags=define_flags,
    run=run_flags,
    required={"config": "NAME", "workdir": "DIR"},
    memory="lower config.inference.num_proposals or config.eval_batch_size",
    out="file",
)
