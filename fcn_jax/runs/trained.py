"""Trained networks: from the directory of a run to labels of images, and to scores."""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
from flax.typing import VariableDict

from fcn_jax import parallel, training
from fcn_jax.config import build, checks, datasets
from fcn_jax.config import predictor as predictors
from fcn_jax.config import workdir as workdirs
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.data import batch as batches
from fcn_jax.data import contracts, transforms
from fcn_jax.evaluation import evaluate, metrics
from fcn_jax.evaluation.evaluate import Evaluator, OnBatch
from fcn_jax.inference import predictor as ensembles_of
from fcn_jax.inference.predictor import Predictor, Variables
from fcn_jax.models.network import Outputs
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.runs import recorded
from fcn_jax.storage import checkpoints, trees

# An image [H, W, channels], images of one size [N, H, W, channels], or of any sizes.
Images: TypeAlias = np.ndarray | Sequence[np.ndarray]
# What is found for an image or a stack of images; by head where there are several.
Prediction: TypeAlias = np.ndarray | dict[str, np.ndarray]
Asked: TypeAlias = Callable[[VariableDict, batches.Batch], Outputs]


class TrainedNet:
    """A trained network: its checkpoint, variables, and what it was trained with.

    Args:
        config: Of the run, perhaps with other inference.
        workdir: Of the run.
        step: Checkpoint; None: the best.
        devices: That predict; None: the first.

    Raises:
        FileNotFoundError: If there is no checkpoint.
        ValueError: If the config makes another network than the run's.
    """

    def __init__(
        self,
        config: Config,
        workdir: str | Path,
        step: int | None = None,
        devices: Sequence[parallel.Device] | None = None,
    ):
        checks.check_numbers(config)
        self.config, self.workdir = config, Path(workdir)
        self.devices = list(devices or jax.local_devices()[:1])
        self.model: Model = build.make_model(config)
        self.checkpoint = self._read_checkpoint(step)
        recorded.check_model(config, self.checkpoint, workdir)
        self.preprocessing = Preprocessing.from_dict(
            self.checkpoint.metadata["preprocessing"]
        )
        template = training.init_variables(self.model, config.seed)
        self.replicated = parallel.replicate(
            trees.into_variables(self.checkpoint.arrays, template), self.devices
        )
        if config.batch_stats_batches:
            self.replicated = _recompute_batch_stats(self)

    def _read_checkpoint(self, step: int | None) -> checkpoints.Checkpoint:
        store = checkpoints.CheckpointStore(self.workdir / "checkpoints")
        found = store.best() if step is None else store.read(step)
        if found is None:
            raise FileNotFoundError(
                f"{self.workdir} holds no checkpoint; train first: fcn_jax train "
                f"--config=... --workdir={self.workdir} (or make a run of a file of "
                f"weights: fcn_jax convert FILE {self.workdir} --model=NAME)"
            )
        return found

    @functools.cached_property
    def variables(self) -> VariableDict:
        """What `model.apply` takes."""
        return jax.tree.map(lambda x: x[0], self.replicated)

    def predictor(
        self, scales: Sequence[float] | None = None, flip: bool = False
    ) -> Predictor:
        """How this network is asked; `scales` are the config's own by default.

        Args:
            scales: Input scales of whole images.
            flip: Whether they are seen mirrored too.
        """
        if scales is None:
            scales = (self.config.eval_scale,)
        return predictors.make_predictor(
            self.config, self.model, self.preprocessing, scales, flip
        )

    @functools.cached_property
    def _own_predictor(self) -> Predictor:
        """How the run's config asks it, the CRF of the config behind it."""
        found = self.predictor()
        if self.config.crf.parameters:
            found = predictors.with_crf(found, self.config)
        return found

    @functools.cached_property
    def _probs(self) -> Asked:
        return jax.jit(self._own_predictor.probs)

    @functools.cached_property
    def _labels(self) -> Asked:
        def labels(variables: VariableDict, batch: batches.Batch):
            scores = self._own_predictor.scores(variables, batch)
            return jax.tree.map(lambda x: x.argmax(-1).astype(np.uint8), scores)

        return jax.jit(labels)

    def predict(self, images: Images) -> Prediction | list[Prediction]:
        """The class of every pixel.

        Args:
            images: uint8 RGB: an image [H, W, 3], images of one size [N, H, W, 3], or a
                sequence of images of any sizes.

        Returns:
            Labels, uint8: [H, W], [N, H, W] or a list of [H, W]. Of a network with
            several heads dicts of these, by head.

        Raises:
            TypeError: If the images are not uint8 (where the network sees RGB).
            ValueError: If they have another shape.
        """
        return self._ask(self._labels, images)

    def predict_probs(self, images: Images) -> Prediction | list[Prediction]:
        """The probability of every class at every pixel.

        Args:
            images: As for `predict`.

        Returns:
            float32: [H, W, C], [N, H, W, C] or a list of [H, W, C]; by head likewise.

        Raises:
            TypeError: As `predict`.
            ValueError: As `predict`.
        """
        return self._ask(self._probs, images)

    def _ask(self, function: Asked, images: Images) -> Prediction | list[Prediction]:
        channels = self.preprocessing.num_channels
        one, alike = _kind(images, channels)
        found = [
            self._ask_about(function, np.asarray(image))
            for image in ([images] if one else images)
        ]
        if one:
            return found[0]
        return jax.tree.map(lambda *x: np.stack(x), *found) if alike else found

    def _ask_about(self, function: Asked, image: np.ndarray) -> Prediction:
        height, width = image.shape[:2]
        batch = _padded_batch(image, self._own_predictor, self.model.smallest_image)
        found = function(self.variables, batches.for_devices(batch))
        return jax.tree.map(lambda x: np.asarray(x)[0, :height, :width], found)


def _recompute_batch_stats(net: TrainedNet) -> VariableDict:
    """The variables, on all devices, with statistics of BatchNorm taken anew."""
    config, count = net.config, net.config.batch_stats_batches
    step = parallel.data_parallel(
        training.batch_statistics,
        net.devices,
        model=net.model,
        preprocessing=net.preprocessing,
        axis_name=parallel.AXIS,
    )
    source = datasets.open_source(config, "train")
    print(f"taking the statistics of BatchNorm over {count} training batches")
    batches = datasets.train_batches(config, source, start_step=0)
    return evaluate.recompute_batch_stats(
        step, net.replicated, batches, net.devices, count
    )


_BUCKET = 32  # Pixels; sides of the canvases that `predict` pads images to.


def _padded_batch(
    image: np.ndarray, predictor: Predictor, least: int
) -> batches.MutableBatch:
    """A batch of one image, padded to a multiple of `_BUCKET`: few sizes compile."""
    height, width = image.shape[:2]
    rounded = [max(least, -(-n // _BUCKET) * _BUCKET) for n in (height, width)]
    canvas = (rounded[0], rounded[1])
    batch = batches.empty(1, canvas, image.shape[2], predictor.scales, image.dtype)
    batch["image"][0, :height, :width] = image
    batch["sizes"][0] = height, width
    for scale in predictor.scales:
        if scale != 1:
            h, w = transforms.scaled_size((height, width), scale)
            resized = transforms.resize_image(image, (h, w))
            batch[batches.scaled_key("image", scale)][0, :h, :w] = resized
            batch[batches.scaled_key("sizes", scale)][0] = h, w
    if predictor.windows is not None:
        boxes = predictor.windows(image, "image")
        most = max(len(boxes), predictor.windows.max_windows(canvas))
        batch["boxes"] = np.zeros((1, most, 4), np.int32)
        batch["boxes"][0, : len(boxes)] = boxes
        batch["num_boxes"] = np.array([len(boxes)], np.int32)
    return batch


def _kind(images: Images, channels: int) -> tuple[bool, bool]:
    """Whether images are one image, and whether all are known to have one size.

    Raises:
        TypeError: If one is not uint8.
        ValueError: If one is not [H, W, channels].
    """
    stacked = not isinstance(images, Sequence)
    one = stacked and images.ndim == 3
    for image in [images] if one else images:
        shape, dtype = np.shape(image), np.asarray(image).dtype
        if len(shape) != 3 or shape[2] != channels or 0 in shape:
            raise ValueError(
                f"predict: an image has shape {tuple(shape)}; expected "
                f"[H, W, {channels}], a stack [N, H, W, {channels}], or a list of "
                f"images."
            )
        if dtype != np.uint8 and channels == 3:
            raise TypeError(
                f"predict: an image is {dtype}; expected uint8 RGB in [0, 255], which "
                f"the network preprocesses itself."
            )
    return one, stacked


def load(
    workdir: str | Path,
    step: int | None = None,
    devices: Sequence[parallel.Device] | None = None,
    **changes: Any,
) -> TrainedNet:
    """The network of a run.

    Args:
        workdir: Directory of the run.
        step: Checkpoint; None: the best.
        devices: That predict; None: the first.
        **changes: Keys of its config to change, "inference.method" and so on, by
            `**{"crf.parameters": "pydensecrf"}`.

    Returns:
        The network: `load("runs/x").predict(image)`.

    Raises:
        FileNotFoundError: If there is no run, or no checkpoint.
    """
    config = workdirs.config_of_run(workdir)
    config.update_from_flattened_dict(changes)
    return TrainedNet(config, workdir, step, devices)


class Evaluation:
    """Trained networks on a split, ready to be scored in one way or another.

    Args:
        config: Of the run.
        workdir: Of the run.
        split: Name of the split; None: the config's.
        step: Checkpoint; None: the best.
        devices: None: all.
        with_run: Directory of a second run, which makes an ensemble of the two.
        combine: How their predictions are combined; see `fcn_jax.inference.ensembles`.
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
    ):
        self.config, self.combine = config, combine
        self.devices = list(devices or jax.local_devices())
        parallel.check_batch_size(config.eval_batch_size, len(self.devices))
        self.source = datasets.open_split(
            config, split or config.data.eval_split, config.data.eval_name
        )
        print(datasets.describe_source(self.source))
        self.members = [TrainedNet(config, workdir, step, self.devices)]
        recorded.check_classes(
            contracts.heads_of(self.source), self.checkpoint.metadata, workdir
        )
        for note in recorded.notes(config, self.checkpoint):
            print(f"note: {note}")
        if with_run:
            second = workdirs.config_of_run(with_run)
            _check_same_classes(config, second, with_run)
            self.members.append(TrainedNet(second, with_run, None, self.devices))

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
            predictor = predictors.with_crf(predictor, self.config)
        return self._evaluator(predictor).score(variables, on_batch)

    def log_probs(
        self,
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Image by image what the networks say, before any CRF.

        Yields:
            Image uint8 RGB [H, W, 3], labels uint8 [H, W], and class log-probabilities
            float32 [H, W, C].
        """
        predictor, variables = self._joint_predictor()
        step = parallel.data_parallel(predictor.log_probs, self.devices)
        for batch in self._evaluator(predictor).batches():
            found = np.asarray(
                step(variables, evaluate.to_devices(batch, self.devices))
            )
            found = found.reshape(-1, *found.shape[2:])
            for row in np.flatnonzero(batch["example_valid"]):
                h, w = batch["sizes"][row]
                yield (
                    batch["image"][row, :h, :w],
                    batch["labels"][row, :h, :w],
                    found[row, :h, :w],
                )

    def _evaluator(self, predictor: Predictor) -> Evaluator:
        size = self.config.eval_batch_size
        return Evaluator(predictor, self.source, size, self.devices)

    def _joint_predictor(
        self,
        members: Sequence[TrainedNet] | None = None,
        scales: Sequence[float] | None = None,
        flip: bool = False,
    ) -> tuple[Predictor, Variables]:
        """How networks are asked together, and their variables."""
        members = members or self.members
        asked = [member.predictor(scales, flip) for member in members]
        if len(members) == 1:
            return asked[0], members[0].replicated
        variables = tuple(member.replicated for member in members)
        return ensembles_of.combine(asked, self.combine), variables


def _check_same_classes(config: Config, second: Config, with_run: str | Path) -> None:
    ours, theirs = config.model.num_classes, second.model.num_classes
    if ours != theirs:
        raise ValueError(
            f"--with_run={with_run} scores {theirs} classes, this run {ours}; an "
            f"ensemble needs two runs that were trained on the same classes."
        )
