"""Trained networks: from the directory of a run to labels of images, and to scores."""

import copy
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
from flax.typing import VariableDict

from fcn_jax import parallel, runtime, training
from fcn_jax.config import build, checks, datasets, of_run
from fcn_jax.config import predictor as predictors
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.data import batch as batches
from fcn_jax.data import channels as channels_of
from fcn_jax.data import one_head, superpixels, transforms, windows
from fcn_jax.evaluation import batch_stats
from fcn_jax.inference import predictor as predictors_of
from fcn_jax.inference.canvases import CompiledByCanvas
from fcn_jax.inference.predictor import Predictor
from fcn_jax.models.network import Outputs
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.runs import compilation, packed, recorded
from fcn_jax.runs.given import Images, arrays
from fcn_jax.storage import checkpoints, trees
from fcn_jax.weights import pretrained

# What is found for an image or a stack of images; by head where there are several.
Prediction: TypeAlias = np.ndarray | dict[str, np.ndarray]
Asked: TypeAlias = CompiledByCanvas[[VariableDict, batches.Batch], Outputs]


class TrainedNet:
    """A trained network: its checkpoint, variables, and what it was trained with.

    Args:
        config: Of the run, perhaps with other inference.
        workdir: Of the run, or a packed net, by its file or name.
        step: Checkpoint; None: the best. A packed net has one.
        devices: That predict; None: the first.
        scales: Input scales of whole images, averaged; None: the config's own.
        flip: Whether whole images are seen mirrored too.

    Attributes:
        heads: Names and colours of the classes, one for each head.
        head: The one of several that is asked for; "": all.

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
        scales: Sequence[float] | None = None,
        flip: bool = False,
    ):
        checks.check_numbers(config)
        self.scales, self.flip, self.head = scales, flip, ""
        self.config, self.workdir = config, Path(pretrained.packed(workdir) or workdir)
        self.devices = list(devices or jax.local_devices()[:1])
        self.model: Model = build.make_model(config)
        self.checkpoint = self._read_checkpoint(step)
        recorded.check_model(config, self.checkpoint, workdir)
        self.heads = recorded.heads_of(config, self.checkpoint.metadata)
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
        if self.workdir.is_file():
            return packed.checkpoint(self.workdir)
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
        found = predictors_of.of_head(_of_photographs(self), self.head)
        if self.config.crf.parameters:
            found = predictors.with_crf(found, self.config, self.head)
        return found

    @functools.cached_property
    def _probs(self) -> Asked:
        return CompiledByCanvas(self._own_predictor.probs)

    @functools.cached_property
    def _labels(self) -> Asked:
        def labels(variables: VariableDict, batch: batches.Batch):
            scores = self._own_predictor.scores(variables, batch)
            return jax.tree.map(lambda x: x.argmax(-1).astype(np.uint8), scores)

        return CompiledByCanvas(labels)

    def predict(self, images: Images) -> Prediction | list[Prediction]:
        """The class of every pixel.

        Args:
            images: An image: uint8 RGB [H, W, 3], a path, or an image of Pillow; a
                list of these, of any sizes; or images of one size, [N, H, W, 3]. Files
                are read as `fcn_jax predict` reads them.

        Returns:
            Labels, uint8: [H, W], a list of [H, W], or [N, H, W]. Of a network with
            several heads dicts of these, by head.

        Raises:
            FileNotFoundError: If there is no such file.
            TypeError: If the images are not uint8 (where the network sees RGB).
            ValueError: If they have another shape, or a file cannot be read.
        """
        return self._ask(self._labels, images)

    def predict_probs(self, images: Images) -> Prediction | list[Prediction]:
        """The probability of every class at every pixel.

        Args:
            images: As for `predict`.

        Returns:
            float32: [H, W, C], a list of [H, W, C], or [N, H, W, C]; by head likewise.

        Raises:
            FileNotFoundError: As `predict`.
            TypeError: As `predict`.
            ValueError: As `predict`.
        """
        return self._ask(self._probs, images)

    def _ask(self, function: Asked, images: Images) -> Prediction | list[Prediction]:
        given = self.preprocessing
        taken, one, alike = arrays(images, given.num_channels, given.takes_photos)
        found = [self._ask_about(function, image) for image in taken]
        if one:
            return found[0]
        return jax.tree.map(lambda *x: np.stack(x), *found) if alike else found

    def _ask_about(self, function: Asked, image: np.ndarray) -> Prediction:
        height, width = image.shape[:2]
        canvas, compiled = function.of(height, width, self.model.smallest_image)
        batch = _padded_batch(image, self._own_predictor, canvas, self.preprocessing)
        with runtime.naming_memory(*batch["image"].shape[:3]):
            found = compiled(self.variables, batches.for_devices(batch))
            return jax.tree.map(lambda x: np.asarray(x)[0, :height, :width], found)


def _of_photographs(net: TrainedNet) -> Predictor:
    """How a network is asked about photographs: nothing of them stays on the disk."""
    config = copy.deepcopy(net.config)
    if config.data.get("objects", {}).get("cache_dir", ""):  # Older runs lack it.
        config.data.objects.cache_dir = ""  # It is of the data set's images.
    scales = (config.eval_scale,) if net.scales is None else net.scales
    return predictors.make_predictor(
        config, net.model, net.preprocessing, scales, net.flip
    )


def with_head(net: TrainedNet, name: str) -> TrainedNet:
    """The same network, its variables shared, asked for one of its heads alone.

    Args:
        net: A network with several heads.
        name: Of the head.

    Returns:
        A network with that head, which has no name there.

    Raises:
        ValueError: If there is no such head.
    """
    given = net.variables  # Before it is copied, so that both have the same.
    found = copy.copy(net)
    assert found.variables is given
    found.head = one_head.chosen(net.heads, name, str(net.workdir))
    found.heads = tuple(
        dataclasses.replace(head, name="") for head in net.heads if head.name == name
    )
    for asked in ("_own_predictor", "_probs", "_labels"):
        found.__dict__.pop(asked, None)
    return found


def with_crf(net: TrainedNet, parameters: str) -> TrainedNet:
    """The same network, its variables shared, with another dense CRF behind it.

    Args:
        net: The network, or one that is asked for one of its heads.
        parameters: Of the CRF, as `config.crf.parameters`; "": there is none.

    Raises:
        ValueError: As `config.predictor.check_crf`.
    """
    config = copy.deepcopy(net.config)
    config.crf.parameters = parameters
    predictors.check_crf(config, net.head)
    given = net.variables  # Before it is copied, so that both have the same.
    found = copy.copy(net)
    assert found.variables is given
    found.config = config
    for name in ("_own_predictor", "_probs", "_labels"):
        found.__dict__.pop(name, None)
    return found


def _recompute_batch_stats(net: TrainedNet) -> VariableDict:
    """The variables, on all devices, with statistics of BatchNorm taken anew."""
    config, count = net.config, net.config.batch_stats_batches
    step = parallel.data_parallel(
        training.batch_statistics,
        net.devices,
        compiler_options=compilation.xla_options(config, net.devices, net.workdir),
        model=net.model,
        preprocessing=net.preprocessing,
        axis_name=parallel.axis_of(net.devices),
    )
    source = datasets.open_source(config, "train")
    print(f"taking the statistics of BatchNorm over {count} training batches")
    batches = datasets.train_batches(config, source, start_step=0)
    return batch_stats.recompute_batch_stats(
        step, net.replicated, batches, net.devices, count
    )


def _padded_batch(
    image: np.ndarray,
    predictor: Predictor,
    canvas: tuple[int, int],
    preprocessing: Preprocessing,
) -> batches.MutableBatch:
    """A batch of one image, padded to a canvas."""
    height, width = image.shape[:2]
    channels = channels_of.of(preprocessing.channels_given.lower())
    batch = batches.empty(1, canvas, image.shape[2], predictor.scales, image.dtype)
    batch["image"][0, :height, :width] = image
    batch["sizes"][0] = height, width
    for scale in predictor.scales:
        if scale != 1:
            h, w = transforms.scaled_size((height, width), scale)
            resized = transforms.resize_image(image, (h, w), channels=channels)
            batch[batches.scaled_key("image", scale)][0, :h, :w] = resized
            batch[batches.scaled_key("sizes", scale)][0] = h, w
    if predictor.divide is not None:
        found = superpixels.padded(image, predictor.divide, canvas, "the image")
        batch[superpixels.KEY] = found[None]
    if predictor.windows is not None:
        batch.update(windows.empty(predictor.windows, 1, canvas))
        windows.lay(predictor.windows, batch, 0, image, "image")
    return batch


def place_of_results(workdir: str | Path) -> Path:
    """Where what is found of a net is written if nothing is said: in its run.

    Args:
        workdir: Of the run, or a packed net, which has a folder where one works.
    """
    if own := pretrained.packed(workdir):
        return Path(f"eval_{own.stem}")
    return Path(workdir) / "eval"


def load(
    workdir: str | Path,
    step: int | None = None,
    devices: Sequence[parallel.Device] | None = None,
    scales: Sequence[float] | None = None,
    flip: bool = False,
    **changes: Any,
) -> TrainedNet:
    """The network of a run.

    Args:
        workdir: Directory of the run; or a net of `fcn_jax pack`, by file or name.
        step: Checkpoint; None: the best.
        devices: That predict; None: the first.
        scales: Input scales of whole images, averaged; None: the config's own.
        flip: Whether whole images are seen mirrored too.
        **changes: Keys of its config to change, "inference.method" and so on, by
            `**{"crf.parameters": "pydensecrf"}`.

    Returns:
        The network: `load("runs/x").predict(image)`.

    Raises:
        FileNotFoundError: If there is no run, or no checkpoint.
        ValueError: If scales or flip are given, and it looks at windows.
        WeightsError: If it is a file, and no packed net.
    """
    config = of_run.get_config(workdir)
    config.update_from_flattened_dict(changes)
    found = TrainedNet(config, workdir, step, devices, scales, flip)
    if scales is not None or flip:  # Refused now, and not of every image.
        found.predictor(scales, flip)
    return found
