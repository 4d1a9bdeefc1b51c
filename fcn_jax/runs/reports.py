"""Reports on trained networks: scores, comparisons, resolutions."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from fcn_jax import hosts
from fcn_jax.config import predictor as predictors
from fcn_jax.data import contracts
from fcn_jax.data.batch import Batch
from fcn_jax.data.contracts import Labels
from fcn_jax.evaluation import metrics, object_sizes
from fcn_jax.evaluation.image_scores import ImageScores
from fcn_jax.evaluation.object_sizes import ObjectSizes
from fcn_jax.evaluation.pictures import Pictures
from fcn_jax.runs import shared
from fcn_jax.runs.evaluation import Evaluation
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject
from fcn_jax.viz import plots


def evaluate(
    run: Evaluation,
    out: Path,
    scales: Sequence[float] | None = None,
    flip: bool = False,
    labels: bool = True,
    overlays: bool = True,
    rows: int = 6,
):
    """Score a run, print the table, write JSON and pictures; returns the scores.

    Of several processes each writes the pictures of its images; the contact sheet
    shows those of process 0, which writes all else.

    Args:
        run: What is scored.
        out: Directory of the report.
        scales: Input scales; None: the config's own.
        flip: Whether images are seen mirrored too.
        labels: Whether to write predicted labels.
        overlays: Whether to write them over the images.
        rows: Images of the contact sheet.

    Raises:
        ValueError: If the config's CRF cannot come after the network.
    """
    predictors.check_crf(run.config, run.head)  # Before anything is scored.
    pictures = Pictures(out, run.source, labels, overlays, rows)
    before, unrefined = None, {}
    if run.config.crf.parameters:
        before = Pictures(out, run.source, False, False, rows)
        unrefined = run.score(scales, flip, before, crf=False)
    images = ImageScores(contracts.heads_of(run.source))

    def on_batch(batch: Batch, pred: Labels) -> None:
        pictures(batch, pred)
        images(batch, pred)

    start = time.perf_counter()
    scores = run.score(scales, flip, on_batch)
    seconds = time.perf_counter() - start
    images.found |= _of_others(run.crew, out, images.found)
    if not run.crew.first:
        return scores
    table = metrics.format_table(scores)
    print(table + metrics.never_predicted(scores))
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
            name: unrefined[name] for name in metrics.HEADLINE_METRICS
        }
        print(f"mean IU before the CRF {100 * (unrefined['mean_iu'] or 0):.2f}")
    if len(run.members) > 1:
        scores["combine"] = run.combine
    files.write_json(out / "metrics.json", scores)
    files.write_text(out / "table.txt", table + "\n")
    files.write_text(out / "images.csv", images.table())
    pictures.write_sheet(before)
    written = ["metrics.json", "table.txt", "images.csv", "contact_sheet.png"]
    written += ["labels/"] * labels + ["overlays/"] * overlays
    print(
        f"step {run.checkpoint.step}, {len(run.source)} images of {run.source.split} "
        f"in {seconds:.1f} s; in {out}: {', '.join(written)}"
    )
    others = pictures.note_of_others() if run.crew.count == 1 else ""
    if others:
        print(f"note: {others}")
    return scores


def _of_others(
    crew: hosts.Crew, out: Path, found: dict[str, metrics.Scores]
) -> dict[str, metrics.Scores]:
    """What process 0 writes down of images that other processes have scored.

    Through files: what processes tell each other should be small.
    """
    if crew.count == 1:
        return {}
    parts = [out / f".images_{number}.json" for number in range(crew.count)]
    if not crew.first:
        files.write_json(parts[crew.index], found)
    crew.gather("the scores of images", None)
    others: dict[str, metrics.Scores] = {}
    if crew.first:
        for part in parts[1:]:
            shared.wait_for(part)
            others |= json.loads(part.read_text("utf-8"))
            part.unlink()
    return others


def compare(
    run: Evaluation,
    out: Path,
    scales: Sequence[float] | None = None,
    flip: bool = False,
):
    """Score each network and their ensemble: the four metrics, and IU by object size.

    Before and after the CRF, if the config has one. Writes comparison.json and
    comparison.txt, and a sheet of pictures for each.

    Args:
        run: One network, or two; of one head, or with one that is looked at.
        out: Directory of the report.
        scales: Input scales; None: each config's own.
        flip: Whether images are seen mirrored too.

    Raises:
        ValueError: If the config's CRF cannot come after the networks.
    """
    predictors.check_crf(run.config, run.head)  # Before anything is scored.
    rows = {member.config.model.name: [member] for member in run.members}
    if len(rows) < len(run.members):  # Two of one kind: told apart by their place.
        rows = {_named(member.workdir): [member] for member in run.members}
    if len(run.members) > 1:
        rows["ensemble"] = run.members
    rows = {name: (members, False) for name, members in rows.items()}
    if run.config.crf.parameters:
        rows |= {f"{name}+CRF": (members, True) for name, (members, _) in rows.items()}
    results, folders = {}, _folders(list(rows))
    for name, (members, crf) in rows.items():
        pictures = Pictures(out / folders[name], run.source, False, False, 6)
        sizes = ObjectSizes(run.source)

        def on_batch(
            batch: Batch,
            pred: Labels,
            pictures: Pictures = pictures,
            sizes: ObjectSizes = sizes,
        ) -> None:
            pictures(batch, pred)
            sizes(batch, pred)

        start = time.perf_counter()
        scores = run.score(scales, flip, on_batch, members, crf)
        pictures.write_sheet()
        results[name] = {
            **{metric: scores[metric] for metric in metrics.HEADLINE_METRICS},
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


def _named(workdir: Path) -> str:
    """A run's directory as it was given, or whole where that is "." or ends in ".."."""
    return str(workdir.resolve() if workdir.name in ("", "..") else workdir)


def _folders(names: Sequence[str]) -> dict[str, str]:
    """A folder for each network of a comparison, of which paths may be the names."""
    short = [Path(name).name for name in names]
    if len(set(short)) < len(short):
        short = [name.strip("/").replace("/", "_") for name in names]
    return dict(zip(names, short, strict=True))


def format_comparison(results: JsonObject):
    """The results of `compare` as text: a line a network, percent."""
    width = max(map(len, results))
    sizes = list(next(iter(results.values()))["by_object_size"])
    titles = ["pixel acc.", "mean acc.", "mean IU", "f.w. IU", *sizes, "seconds"]
    lines = [" " * width + "".join(f"  {title:>10}" for title in titles)]
    for name, result in results.items():
        values = [result[metric] for metric in metrics.HEADLINE_METRICS]
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


def compare_resolutions(
    run: Evaluation, out: Path, resolutions: Sequence[float], flip: bool = False
):
    """Score one checkpoint at several input resolutions: a table and a plot.

    Args:
        run: What is scored.
        out: Directory of the report.
        resolutions: Relative to the image.
        flip: Whether images are seen mirrored too.
    """
    results = []
    print(f"{'resolution':>10}  " + "  ".join(metrics.HEADLINE_METRICS))
    for resolution in resolutions:
        scores = run.score((resolution,), flip)
        values = {name: scores[name] for name in metrics.HEADLINE_METRICS}
        results.append({"resolution": resolution, **values})
        cells = (f"{values[name]:>{len(name)}.4f}" for name in values)
        print(f"{resolution:>10g}  " + "  ".join(cells), flush=True)
    files.write_json(out / "resolutions.json", results)
    plots.plot_resolutions(results, out / "resolutions.png")
    print(f"in {out}: resolutions.json, resolutions.png")
    return results
