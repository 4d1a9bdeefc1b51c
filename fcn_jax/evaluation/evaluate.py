"""One pass over a data set: each image predicted once, one confusion matrix, a loss."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import chex
import jax
import jax.numpy as jnp
import numpy as np

from fcn_jax import hosts, parallel, runtime
from fcn_jax.data import batch as batches_of
from fcn_jax.data import contracts, loader
from fcn_jax.data.batch import Batch
from fcn_jax.data.contracts import Labels, Source
from fcn_jax.data.label_sets import IGNORE_LABEL
from fcn_jax.evaluation import metrics
from fcn_jax.inference.predictor import Predictor, Variables
from fcn_jax.models import inputs
from fcn_jax.models.network import Outputs
from fcn_jax.training import losses

Array = jax.Array
# By head where there are several.
Counts: TypeAlias = metrics.Confusion | Mapping[str, metrics.Confusion]
Matrices: TypeAlias = np.ndarray | dict[str, np.ndarray]
Nats: TypeAlias = Array | Mapping[str, Array]

# A canvas more is compiled where that saves the work of so many images: on a CPU XLA
# takes seconds for it, as a network of the published width does for two or three. To
# one that sees windows a larger canvas is next to no work.
WORTH_A_CANVAS = {"cpu": 8.0}
NOT_A_CLASS = 255  # Predicted where scores are not finite.

# Called with a batch and its predicted classes, uint8 [B, H, W] (by head likewise).
OnBatch: TypeAlias = Callable[[Batch, Labels], None]


def eval_step(
    variables: Variables,
    confusion: Counts,
    batch: Batch,
    *,
    scores: Callable[..., Outputs],
    num_classes: int | Mapping[str, int],
    ignore_label: int | Mapping[str, int] = IGNORE_LABEL,
) -> tuple[Counts, Outputs, Nats]:
    """Predict a batch and add it to this device's confusion matrix.

    Args:
        variables: What `model.apply` takes.
        confusion: The counts of the batches before.
        batch: What `scores` needs and `labels`, integer [B, H, W]; rows that only fill
            up the batch are void.
        scores: Function of (variables, batch) -> class scores [B, H, W, C]; see
            `fcn_jax.inference`.
        num_classes: Number of classes, C.
        ignore_label: The label of void pixels, which are ignored.

    Returns:
        The counts with this batch; the predicted classes, uint8 [B, H, W], where no
        score is finite, or one is NaN or infinite, `NOT_A_CLASS`, which is ignored; and
        the cross-entropy of each row, summed over its pixels that count, nats [B].
        Of scores by head: labels, classes and all of these by head too.
    """
    inputs.assert_batch(batch["image"], batch.get("labels"), batch.get("sizes"))
    found = scores(variables, batch)
    if not isinstance(found, Mapping):
        assert isinstance(confusion, metrics.Confusion)
        assert isinstance(num_classes, int)
        assert isinstance(ignore_label, int)
        return _count(confusion, found, batch["labels"], num_classes, ignore_label)
    assert isinstance(confusion, Mapping)
    assert isinstance(num_classes, Mapping)
    counts: dict[str, metrics.Confusion] = {}
    pred: dict[str, Array] = {}
    nats: dict[str, Array] = {}
    for head, of_head in found.items():
        void = ignore_label[head] if isinstance(ignore_label, Mapping) else ignore_label
        counts[head], pred[head], nats[head] = _count(
            confusion[head], of_head, batch["labels"][head], num_classes[head], void
        )
    return counts, pred, nats


def _count(
    confusion: metrics.Confusion,
    scores: Array,
    labels: Array,
    num_classes: int,
    ignore_label: int,
):
    chex.assert_shape(scores, (*labels.shape, num_classes))
    pred = _classes(scores)
    labels = labels.astype(jnp.int32)
    counts = metrics.confusion_matrix(labels, pred, num_classes, ignore_label)

    def nats_of(row: Array, truth: Array) -> Array:
        return losses.cross_entropy(
            row[None], truth[None], ignore_label=ignore_label
        ).total

    nats = jax.vmap(nats_of)(scores, labels)
    return confusion.add(counts), pred.astype(jnp.uint8), nats


def _classes(scores: Array) -> Array:
    """The predicted classes, int32 [B, H, W]; `NOT_A_CLASS` where none is known."""
    pred = jnp.argmax(scores, axis=-1).astype(jnp.int32)
    # The largest is NaN where one is, infinite where one is, and -inf where all are.
    broken = ~jnp.isfinite(jnp.max(scores, axis=-1))
    return jnp.where(broken, jnp.int32(NOT_A_CLASS), pred)


def confidence_step(
    variables: Variables, batch: Batch, *, scores: Callable[..., Outputs]
) -> tuple[Array, Array]:
    """Predict a batch, and say how sure the network is.

    Args:
        variables: What `model.apply` takes.
        batch: What `scores` needs.
        scores: Function of (variables, batch) -> class scores [B, H, W, C]; of one
            head.

    Returns:
        The predicted classes, uint8 [B, H, W], as those of `eval_step`, and their
        probabilities, float32 [B, H, W].
    """
    found = scores(variables, batch)
    assert not isinstance(found, Mapping)
    sure = 1 / jnp.sum(jnp.exp(found - jnp.max(found, axis=-1, keepdims=True)), axis=-1)
    return _classes(found).astype(jnp.uint8), sure.astype(jnp.float32)


def evaluate(
    step: parallel.Step,
    variables: Variables,
    batches: Iterable[Batch],
    devices: Sequence[parallel.Device],
    num_classes: int | Mapping[str, int],
    on_batch: OnBatch | None = None,
    crew: hosts.Crew = hosts.ALONE,
) -> tuple[Matrices, dict[str, float]]:
    """Score a network on all batches; all that grows is a number an image.

    Args:
        step: `eval_step` under `parallel.data_parallel`.
        variables: What `model.apply` takes, one copy a device.
        batches: As `fcn_jax.data.loader.eval_batches` yields them.
        devices: The devices of `step`.
        num_classes: Number of classes, C; by head where there are several.
        on_batch: Called with each batch and its predicted classes, uint8 [B, H, W].
        crew: The processes that share the batches, each with its own devices.

    Returns:
        Of the images of all processes the confusion matrix, int64 [C, C]: row = truth,
        column = prediction; by head where there are several. And the cross-entropy
        summed over all pixels that count, nats, by head; of the only head by "".

    Raises:
        FloatingPointError: If an image has scores that are not finite, naming it.
    """
    zero: Counts
    if isinstance(num_classes, Mapping):
        zero = {head: metrics.Confusion.zero(n) for head, n in num_classes.items()}
    else:
        zero = metrics.Confusion.zero(num_classes)
    confusion = parallel.replicate(zero, devices)
    heads = num_classes if isinstance(num_classes, Mapping) else ("",)
    nats: dict[str, list[list[float]]] = {head: [] for head in heads}  # By batch, row.
    for batch in batches:
        count, height, width = batch["image"].shape[:3]
        with runtime.naming_memory(count // len(devices), height, width):
            confusion, pred, of_rows = step(
                variables, confusion, to_devices(batch, devices)
            )
            pred = jax.tree.map(_joined, pred)
        for of_head in jax.tree.leaves(pred):
            _check_classes(batch, of_head)
        for head in nats:
            rows = of_rows[head] if isinstance(of_rows, Mapping) else of_rows
            nats[head].append(np.asarray(rows).ravel().tolist())
        if on_batch is not None:
            on_batch(batch, pred)

    def total(counts: metrics.Confusion) -> np.ndarray:
        # One matrix a device; int64 on the host, where their sum cannot overflow.
        matrices = [
            jax.tree.map(lambda x, d=d: np.asarray(x)[d], counts).to_int64()
            for d in range(len(devices))
        ]
        ours = np.sum(matrices, axis=0)
        return np.sum(crew.gather("the counts", ours.tolist()), axis=0)

    sums = _sums(crew.gather("the losses", nats))
    if isinstance(confusion, Mapping):
        return {head: total(counts) for head, counts in confusion.items()}, sums
    return total(confusion), sums


def _sums(found: Sequence[Mapping[str, Sequence[Sequence[float]]]]) -> dict[str, float]:
    """The sum of the rows of all processes, by head, in the order in which one adds.

    In float64, whatever the batches are, and the same however many share them.

    Args:
        found: Of each process, by head: of each batch the rows.
    """
    sums = dict.fromkeys(found[0], 0.0)
    for head in sums:
        for parts in zip(*(of_process[head] for of_process in found), strict=True):
            rows = np.array([row for part in parts for row in part], np.float32)
            sums[head] += float(np.sum(rows, dtype=np.float64))
    return sums


def _joined(pred: Array | np.ndarray) -> np.ndarray:
    """Predictions of all devices, [D, B, ...], as those of one batch, [D * B, ...]."""
    pred = np.asarray(pred)
    return pred.reshape(-1, *pred.shape[2:])


def to_devices(batch: Batch, devices: Sequence[parallel.Device]) -> dict[str, Outputs]:
    """The entries of a batch that networks see, split between devices.

    Args:
        batch: Of B images, a multiple of the devices.
        devices: That share them.
    """
    return parallel.shard_batch(batches_of.for_devices(batch), devices)


def _check_classes(batch: Batch, pred: np.ndarray):
    for row in np.flatnonzero(batch["example_valid"]):
        height, width = batch["sizes"][row]
        if (pred[row, :height, :width] == NOT_A_CLASS).any():
            raise FloatingPointError(
                f"{batch['id'][row]}: the scores are NaN or infinite. With a CRF its "
                f"lattice may be too small for this image: raise config.crf.capacity "
                f"(6 a pixel is the most that it can need). Otherwise the parameters "
                f"of the network are broken."
            )


class Evaluator:
    """A way of asking a network about a source, compiled once and scored at any time.

    Args:
        predictor: How the network is asked.
        source: What it is asked about.
        batch_size: Images of a batch, over all devices of all processes.
        devices: Those of this process.
        crew: The processes that share the images.
        options: What XLA is told; see `parallel.data_parallel`.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: Source,
        batch_size: int,
        devices: Sequence[parallel.Device],
        crew: hosts.Crew = hosts.ALONE,
        options: parallel.Options | None = None,
    ):
        self.predictor, self.source, self._crew = predictor, source, crew
        self._parallel = functools.partial(
            parallel.data_parallel, devices=devices, compiler_options=options
        )
        # More rows than images would be filled up for nothing.
        every = len(devices) * crew.count
        most = -(-max(1, len(source)) // every) * every
        self.batch_size, self.devices = min(batch_size, most), devices
        self.num_classes = contracts.num_classes(source)
        self._step = self._parallel(
            eval_step,
            scores=predictor.scores,
            num_classes=self.num_classes,
            ignore_label=contracts.ignore_labels(source),
        )

    def batches(self) -> Iterable[Batch]:
        """Every image of the source once, as the predictor wants to see it.

        Of those of all processes the part that is this one's.
        """
        whole = self.predictor.windows is None
        worth = WORTH_A_CANVAS.get(self.devices[0].platform) if whole else None
        return loader.eval_batches(
            self.source,
            batch_size=self.batch_size,
            num_classes=self.num_classes,
            worth_a_canvas=worth or math.inf,
            scales=self.predictor.scales,
            windows=self.predictor.windows,
            share=loader.Share(self._crew.index, self._crew.count),
        )

    def score(
        self, variables: Variables, on_batch: OnBatch | None = None
    ) -> metrics.Scores:
        """The scores of a network with these variables.

        Args:
            variables: What the predictor takes, one copy a device.
            on_batch: See `evaluate`.

        Returns:
            See `metrics.scores` and, for several heads, `metrics.scores_of_heads`;
            and `loss`, the cross-entropy, nats, a mean over the pixels that count (None
            where none does, or it is infinite); of several heads their sum, as in
            training.

        Raises:
            FloatingPointError: If an image has scores that are not finite.
        """
        found, nats = evaluate(
            self._step,
            variables,
            self.batches(),
            self.devices,
            self.num_classes,
            on_batch,
            self._crew,
        )
        heads = contracts.heads_of(self.source)
        names = {head.name: head.classes for head in heads}
        absent = {head.name: head.may_be_absent for head in heads}
        if isinstance(found, Mapping):
            scores = metrics.scores_of_heads(found, names, absent)
            for head, each in scores["heads"].items():
                each["loss"] = _mean_loss(nats[head], each["num_pixels"])
            parts = [of_head["loss"] for of_head in scores["heads"].values()]
            return scores | {"loss": None if None in parts else sum(parts)}
        scores = metrics.scores(found, names[""], absent[""])
        return scores | {"loss": _mean_loss(nats[""], scores["num_pixels"])}

    def with_confidence(
        self, variables: Variables
    ) -> Iterator[tuple[Batch, np.ndarray, np.ndarray]]:
        """What a network with one head predicts, and how sure it is, batch by batch.

        Args:
            variables: What the predictor takes, one copy a device.

        Yields:
            A batch, its predicted classes, uint8 [B, H, W], and their probabilities,
            float32 [B, H, W].

        Raises:
            FloatingPointError: If an image has scores that are not finite.
        """
        step = self._parallel(confidence_step, scores=self.predictor.scores)
        for batch in self.batches():
            found = step(variables, to_devices(batch, self.devices))
            pred, sure = (_joined(each) for each in found)
            _check_classes(batch, pred)
            yield batch, pred, sure


def _mean_loss(total: float, pixels: int) -> float | None:
    """Nats a pixel, where that is a number."""
    return total / pixels if pixels and np.isfinite(total) else None
