"""Runs on a split, looked at from all sides: what an HTML report shows."""

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from fcn_jax.config import datasets, of_run, published
from fcn_jax.config.types import Config
from fcn_jax.data import contracts, objects
from fcn_jax.data.contracts import Head
from fcn_jax.evaluation import conventions, metrics
from fcn_jax.evaluation.boundary import BoundaryIU
from fcn_jax.evaluation.calibration import Calibration
from fcn_jax.evaluation.examples import Example, Examples
from fcn_jax.evaluation.object_sizes import ObjectSizeIU
from fcn_jax.runs import trained
from fcn_jax.runs.evaluation import Evaluation, look_at
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject
from fcn_jax.viz import html_report

_HISTOGRAM = 20  # Bins of the images' mean IU.
# Keys of config.data that say which images are scored.
_OF_THE_DATA = (
    *("name", "root", "palette", "labels", "images", "masks", "classes"),
    *("data_dir", "manual_dir"),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """How runs are looked at.

    Attributes:
        split: Name of the split; None: that of the first run's config.
        step: Checkpoint; None: the best.
        root: Where the data lie; None: where the first run's config says.
        scales: Input scales of whole images; None: each config's own.
        flip: Whether whole images are seen mirrored too.
        images: How many of the worst and of the best images are shown.
        head: Of networks with several, the one that is looked at.
    """

    split: str | None = None
    step: int | None = None
    root: str | None = None
    scales: Sequence[float] | None = None
    flip: bool = False
    images: int = 8
    head: str = ""


def report(
    workdirs_of: Sequence[str | Path], out: str | Path | None, options: Options
) -> Path:
    """Write the report of a run, or of several beside each other.

    All are scored on the data of the first.

    Args:
        workdirs_of: Directories of the runs.
        out: The page; None: report.html in the first run's eval/SPLIT, comparison.html
            of several.
        options: How they are looked at.

    Returns:
        The page.

    Raises:
        ImportError: If the extra is not installed.
        FileNotFoundError: If one is no run.
        ValueError: If runs have several heads and none is chosen, or score other
            classes, the split has no images, it is not known where they lie, or a
            directory stands for the page.
    """
    html_report.check_installed()
    if out is not None and Path(out).is_dir():
        raise ValueError(
            f"{out} is a directory; give the page a name, such as "
            f"{Path(out) / 'report.html'}."
        )
    configs = [of_run.get_config(each) for each in workdirs_of]
    for config, workdir in zip(configs, workdirs_of, strict=True):
        check_one_head(config, workdir, options.head)
        _take_data(config, configs[0], options.root)
    if configs[0].data.name == "folder" and not configs[0].data.root:
        raise ValueError(
            f"{workdirs_of[0]} does not say where its data lie (it was made of weights "
            f"alone, perhaps); give --root=FOLDER."
        )
    split = options.split or configs[0].data.eval_split
    names = _names(workdirs_of)
    found: list[JsonObject] = []
    kept: list[list[Example]] = []
    classes: list[JsonObject] = []
    for name, config, workdir in zip(names, configs, workdirs_of, strict=True):
        run = Evaluation(config, workdir, split, options.step)
        look_at(run, options.head)
        head = contracts.heads_of(run.source)[0]
        if found and _classes(head) != classes:
            raise ValueError(
                f"{workdir} scores other classes than {workdirs_of[0]}; a comparison "
                f"needs runs that were trained on the same classes."
            )
        classes = _classes(head)
        wanted = [each.name for each in kept[0]] if kept else None
        facts, examples = _examined(run, name, options, wanted)
        found.append(facts)
        kept.append(examples)
    several = "comparison.html" if len(found) > 1 else "report.html"
    path = Path(out or trained.place_of_results(workdirs_of[0]) / split / several)
    return _write(path, found, kept, classes)


def report_of(run: Evaluation, path: Path, options: Options) -> Path:
    """Write the report of a run, or an ensemble, that is open.

    Args:
        run: What is scored.
        path: The page.
        options: How it is looked at; split, step and root are those of the run.

    Returns:
        The page.

    Raises:
        ImportError: If the extra is not installed.
        ValueError: If it has several heads and none is chosen, or the split has no
            images.
    """
    html_report.check_installed()
    check_one_head(run.config, run.members[0].workdir, options.head)
    look_at(run, options.head)
    name = " + ".join(_names([member.workdir for member in run.members]))
    facts, examples = _examined(run, name, options, None)
    head = contracts.heads_of(run.source)[0]
    return _write(path, [facts], [examples], _classes(head))


def check_one_head(
    config: Config, workdir: str | Path, head: str, what: str = "a report is"
) -> None:
    """Refuse several heads of which none is chosen.

    Args:
        config: Of the run.
        workdir: Of the run.
        head: That is chosen; "": none.
        what: Is of one head, for the message.

    Raises:
        ValueError: Naming the heads.
    """
    numbers = datasets.num_classes_of(config)
    if isinstance(numbers, dict) and not head:
        raise ValueError(
            f"{workdir} has several heads ({', '.join(numbers)}), and {what} of "
            f"one: choose it with --head={next(iter(numbers))}; fcn_jax eval "
            f"--workdir={workdir} writes tables and pictures of each."
        )


def _take_data(config: Config, first: Config, root: str | None) -> None:
    """Let a config mean the data of the first run's."""
    names = [*_OF_THE_DATA, *vars(datasets.folder_options(first))]
    with config.data.unlocked(), config.data.ignore_type():
        for name in names:
            if name in first.data:
                config.data[name] = first.data[name]
        config.data.eval_name = first.data.eval_name
        config.data.eval_cue = first.data.get("eval_cue", "")
        if root:
            config.data.root = root


def _names(workdirs_of: Sequence[str | Path]) -> list[str]:
    """Short names of runs; their paths where these are not different."""
    short = [Path(each).resolve().name for each in workdirs_of]
    return short if len(set(short)) == len(short) else [str(x) for x in workdirs_of]


def _classes(head: Head) -> list[JsonObject]:
    return [
        {"name": name, "colour": "#" + bytes(colour.tolist()).hex()}
        for name, colour in zip(head.classes, head.palette, strict=False)
    ]


class _Counts:
    """All that is counted while a split goes by; memory does not grow with it."""

    def __init__(self, run: Evaluation, examples: Examples):
        self.source = run.source
        self.head = contracts.heads_of(run.source)[0]
        number = self.head.num_classes
        self.confusion = np.zeros((number, number), np.int64)
        self.boundary, self.calibration = BoundaryIU(number), Calibration()
        self.sizes, self.images = ObjectSizeIU(number), conventions.ImageSums()
        self.histogram = np.zeros(_HISTOGRAM, np.int64)
        self.examples = examples

    def add(
        self,
        name: str,
        index: int,
        image: np.ndarray,
        truth: np.ndarray,
        pred: np.ndarray,
        sure: np.ndarray,
    ) -> None:
        """Count an image: RGB, true and predicted classes, and their probabilities."""
        void, number = self.head.ignore_label, self.head.num_classes
        counts = truth != void
        pairs = truth[counts].astype(np.int64) * number + pred[counts]
        confusion = np.bincount(pairs, minlength=number**2).reshape(number, number)
        self.confusion += confusion
        self.images.add(confusion)
        self.boundary.add(truth, pred, void)
        self.calibration.add(sure[counts], (truth == pred)[counts])
        found = objects.object_map(self.source[index], void)
        self.sizes.add(np.where(counts, truth, 255), found, pred)
        absent = self.head.may_be_absent
        scores = metrics.scores(confusion, self.head.classes, absent)
        if scores["mean_iu"] is not None:
            place = min(int(scores["mean_iu"] * _HISTOGRAM), _HISTOGRAM - 1)
            self.histogram[place] += 1
        self.examples.add(name, image, truth, pred, scores)


def _examined(
    run: Evaluation, name: str, options: Options, wanted: Collection[str] | None
) -> tuple[JsonObject, list[Example]]:
    """What a page shows of a run, and its pictures."""
    if not len(run.source):
        raise ValueError(
            f"{run.source.name} {run.source.split} has no images to report on; give "
            f"another --split, or the data's place by --root=DIR."
        )
    head = contracts.heads_of(run.source)[0]
    counts = _Counts(run, Examples(head, options.images, wanted))
    for batch, pred, sure in run.with_confidence(options.scales, options.flip):
        for row in np.flatnonzero(batch["example_valid"]):
            h, w = batch["sizes"][row]
            counts.add(
                batch["id"][row],
                int(batch["index"][row]),
                contracts.to_rgb(batch["image"][row, :h, :w]),
                batch["labels"][row, :h, :w],
                pred[row, :h, :w],
                sure[row, :h, :w],
            )
    examples = counts.examples.found()
    missing = set(wanted or ()) - {each.name for each in examples}
    if missing:
        raise ValueError(
            f"{name} was not scored on image {min(missing)!r}, which the first run "
            f"was; a comparison needs runs on the same images."
        )
    like = published.of_run(run.config)
    return {
        "name": name,
        "facts": _facts(run, options),
        "scores": metrics.scores(counts.confusion, head.classes, head.may_be_absent),
        "boundary": counts.boundary.scores(head.classes),
        "boundary_distance": counts.boundary.distance,
        "sizes": counts.sizes.scores(),
        "size_bounds": counts.sizes.bounds,
        "calibration": counts.calibration.scores(),
        "printed": [
            dataclasses.asdict(each)
            for each in conventions.printed(
                counts.confusion, counts.images, head.ignore_label
            )
        ],
        "published": None if like is None else dataclasses.asdict(like),
        "histogram": counts.histogram.tolist(),
    }, examples


def _facts(run: Evaluation, options: Options) -> dict[str, str]:
    """How the numbers came to be, by name."""
    config, scales = run.config, run.members[0].predictor(options.scales).scales
    return {
        "data": f"{run.source.name} {run.source.split}, {len(run.source):,} images",
        "network": " + ".join(member.config.model.name for member in run.members),
        "step": " + ".join(f"{member.checkpoint.step:,}" for member in run.members),
        "inference": config.inference.method
        + f", scale {', '.join(f'{x:g}' for x in scales)}"
        + (", mirrored too" if options.flip else ""),
        "CRF": config.crf.parameters or "none",
    }


def _write(
    path: Path,
    found: list[JsonObject],
    kept: Sequence[Sequence[Example]],
    classes: list[JsonObject],
) -> Path:
    by_name = [{each.name: each for each in examples} for examples in kept]
    examples = []
    for name, first in by_name[0].items():
        layers = [("image", first.image), ("truth", first.truth)]
        for what in ("prediction", "errors"):  # Of one run after that of another.
            for facts, examples_of in zip(found, by_name, strict=True):
                example = examples_of[name]
                url = example.pred if what == "prediction" else example.errors
                whose = f" of {facts['name']}" if len(found) > 1 else ""
                layers.append((f"{what}{whose}", url))
        scores = [each[name].scores for each in by_name]
        examples.append({"name": name, "layers": layers, "scores": scores})
    page = {"runs": found, "classes": classes, "examples": examples}
    files.write_text(path, html_report.render(page))
    return path
