"""Trained networks on a split: their scores, alone or together."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from fcn_jax import hosts, parallel
from fcn_jax.config import datasets, of_run
from fcn_jax.config import predictor as predictors
from fcn_jax.config.types import Config
from fcn_jax.data import contracts, fingerprints
from fcn_jax.data.batch import Batch
from fcn_jax.data.contracts import Labels, Source
from fcn_jax.data.one_head import OneOfHeads
from fcn_jax.data.superpixels import Divided, divides
from fcn_jax.evaluation import evaluate, metrics
from fcn_jax.evaluation.evaluate import Evaluator, OnBatch
from fcn_jax.inference import predictor as ensembles_of
from fcn_jax.inference.predictor import Predictor, Variables
from fcn_jax.inference.regions import Regions
from fcn_jax.runs import compilation, recorded
from fcn_jax.runs.progress import Counter
from fcn_jax.runs.trained import TrainedNet
from fcn_jax.storage import checkpoints, trees


class Evaluation:
    """Trained networks on a split, ready to be scored in one way or another.

    Args:
        config: Of the run.
        workdir: Of the run; or a packed net, by its file or name.
        split: Name of the split; None: the config's.
        step: Checkpoint; None: the best.
        devices: None: all.
        with_run: A second run, or a packed net, which makes an ensemble of the two.
        combine: How their predictions are combined; see `fcn_jax.inference.ensembles`.
        crew: The processes that share the images; they must score the same.
    """

    def __init__(
        self,
        config: Config,
        workdir: str | Path,
        split: str | None = None,
        step: int | None = None,
        devices: Sequence[parallel.Device] | None = None,
        with_run: str | Path | None = None,
        combine: str = "mean_prob",
        crew: hosts.Crew = hosts.ALONE,
    ):
        self.config, self.combine, self.crew, self.head = config, combine, crew, ""
        self.devices = list(devices or jax.local_devices())
        self.told = compilation.xla_options(config, self.devices, workdir)
        parallel.check_batch_size(
            config.eval_batch_size,
            len(self.devices) * crew.count,
            processes=crew.count,
            key="config.eval_batch_size",
        )
        self.source: Source = datasets.open_eval(config, split or "")
        print(datasets.describe_source(self.source))
        self.members = [TrainedNet(config, workdir, step, self.devices)]
        colours = recorded.note_of_colours(self.source, self.checkpoint.metadata)
        for note in filter(None, (*recorded.notes(config, self.checkpoint), colours)):
            print(f"note: {note}")
        if with_run:
            second = of_run.get_config(with_run)
            _check_same_classes(config, second, with_run)
            self.members.append(TrainedNet(second, with_run, None, self.devices))
        heads = contracts.heads_of(self.source)
        for each in self.members:
            recorded.check_classes(heads, each.checkpoint.metadata, each.workdir)
        if crew.count > 1:
            crew.agree(_what_is_scored(self))

    @property
    def checkpoint(self) -> checkpoints.Checkpoint:
        """The checkpoint of the first network."""
        return self.members[0].checkpoint

    def score(
        self,
        scales: Sequence[float] | None = None,
        flip: bool = False,
        on_batch: OnBatch | None = None,
        members: Sequence[TrainedNet] | None = None,
        crf: bool = True,
    ) -> metrics.Scores:
        """The scores of the split.

        Args:
            scales: Input scales of whole images; None: each config's own.
            flip: Whether whole images are seen mirrored too.
            on_batch: See `evaluate.evaluate`.
            members: Networks that take part; None: all.
            crf: Whether the CRF of the config, if there is one, comes after them.

        Returns:
            See `metrics.scores`.
        """
        predictor, variables = self._joint_predictor(members, scales, flip)
        if crf and self.config.crf.parameters:
            predictor = predictors.with_crf(predictor, self.config, self.head)
        with Counter(len(self.source)) as counter:

            def and_progress(batch: Batch, pred: Labels) -> None:
                counter.update(int(batch["example_valid"].sum()))
                if on_batch is not None:
                    on_batch(batch, pred)

            return self._evaluator(predictor).score(variables, and_progress)

    def with_confidence(
        self, scales: Sequence[float] | None = None, flip: bool = False
    ) -> Iterator[tuple[Batch, np.ndarray, np.ndarray]]:
        """What is predicted for the split, and how sure it is: one head, CRF included.

        Args:
            scales: Input scales of whole images; None: each config's own.
            flip: Whether whole images are seen mirrored too.

        Yields:
            See `Evaluator.with_confidence`.
        """
        predictor, variables = self._joint_predictor(None, scales, flip)
        if self.config.crf.parameters:
            predictor = predictors.with_crf(predictor, self.config, self.head)
        with Counter(len(self.source)) as counter:
            for found in self._evaluator(predictor).with_confidence(variables):
                yield found
                counter.update(int(found[0]["example_valid"].sum()))

    def log_probs(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Image by image what the networks say, before any CRF.

        Yields:
            Image uint8 RGB [H, W, 3], labels uint8 [H, W], and class log-probabilities
            float32 [H, W, C].
        """
        predictor, variables = self._joint_predictor()
        step = parallel.data_parallel(
            predictor.log_probs, self.devices, compiler_options=self.told
        )
        for batch in self._evaluator(predictor).batches():
            sent = evaluate.to_devices(batch, self.devices)
            found = np.asarray(step(variables, sent))
            found = found.reshape(-1, *found.shape[2:])
            for row in np.flatnonzero(batch["example_valid"]):
                h, w = batch["sizes"][row]
                yield (
                    batch["image"][row, :h, :w],
                    batch["labels"][row, :h, :w],
                    found[row, :h, :w],
                )

    def _evaluator(self, predictor: Predictor) -> Evaluator:
        size, source = self.config.eval_batch_size, _divided(self.source, predictor)
        return Evaluator(predictor, source, size, self.devices, self.crew, self.told)

    def _joint_predictor(
        self,
        members: Sequence[TrainedNet] | None = None,
        scales: Sequence[float] | None = None,
        flip: bool = False,
    ) -> tuple[Predictor, Variables]:
        """How networks are asked together, and their variables."""
        members = members or self.members
        asked = [
            ensembles_of.of_head(member.predictor(scales, flip), self.head)
            for member in members
        ]
        if len(members) == 1:
            return asked[0], members[0].replicated
        variables = tuple(member.replicated for member in members)
        return ensembles_of.combine(asked, self.combine), variables


def _divided(source: Source, predictor: Predictor) -> Source:
    """A source whose batches hold the superpixels that any member looks at."""
    if predictor.divide is None or divides(source) is not None:
        return source
    return Divided(source, predictor.divide)


def regions_of(run: Evaluation) -> Iterator[tuple[int, Regions]]:
    """Image by image the regions that a network of boxes finds, in NumPy.

    Args:
        run: The network and the split.

    Yields:
        Place of the image in the source, and its regions that region NMS left: masks
        [R, H, W], scores and classes [R].

    Raises:
        ValueError: If the network, or the config, finds none.
    """
    member, config = run.members[0], run.config
    find = predictors.find_regions(config, member.model, member.preprocessing)
    step = parallel.data_parallel(find, run.devices, compiler_options=run.told)
    evaluator = Evaluator(
        member.predictor(), run.source, config.eval_batch_size, run.devices
    )
    with Counter(len(run.source)) as counter:
        for batch in evaluator.batches():
            sent = evaluate.to_devices(batch, run.devices)
            found = jax.tree.map(
                lambda x: np.asarray(x).reshape(-1, *x.shape[2:]),
                step(member.replicated, sent),
            )
            for row in np.flatnonzero(batch["example_valid"]):
                height, width = batch["sizes"][row]
                left = found.left[row]
                of_row = Regions(*(np.asarray(x)[row][left] for x in found))
                masks = of_row.masks[:, :height, :width]
                yield int(batch["index"][row]), of_row._replace(masks=masks)
                counter.update(1)


def _what_is_scored(run: Evaluation) -> dict[str, object]:
    """What must be the same in all processes, whose counts are added."""
    return {
        "the split": run.source.split,
        "the number of images": len(run.source),
        "the fingerprint of the data": fingerprints.of(
            run.source, fingerprints.FileDigests(None)
        ),
        "the checkpoint": [member.checkpoint.step for member in run.members],
        "the digest of the networks": [
            trees.content_hash(member.checkpoint.arrays)[:12] for member in run.members
        ],
    }


def look_at(run: Evaluation, head: str) -> None:
    """Look at one of several heads alone from now on, as if there were no other.

    Args:
        run: What is scored.
        head: Its name; "": nothing is changed.

    Raises:
        ValueError: If there is no such head.
    """
    if head:
        run.source, run.head = OneOfHeads(run.source, head), head


def _check_same_classes(config: Config, second: Config, with_run: str | Path) -> None:
    ours, theirs = config.model.num_classes, second.model.num_classes
    if ours != theirs:
        raise ValueError(
            f"--with_run={with_run} scores {theirs} classes, this run {ours}; an "
            f"ensemble needs two runs that were trained on the same classes."
        )
