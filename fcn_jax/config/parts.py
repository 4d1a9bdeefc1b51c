"""All that a training run is made of, built from its config once."""

import dataclasses
from collections.abc import Generator, Sequence

import jax.numpy as jnp
import optax

from fcn_jax import parallel
from fcn_jax.config import build, checks, datasets, losses, sampling
from fcn_jax.config import predictor as predictors
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.data import contracts
from fcn_jax.data.batch import Batch
from fcn_jax.data.contracts import Source
from fcn_jax.inference.predictor import Predictor
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.storage.trees import Tree
from fcn_jax.training.losses import Loss


@dataclasses.dataclass(frozen=True, eq=False)
class RunParts:
    """What a run is made of.

    Attributes:
        train_source: What it is trained on.
        eval_source: What it is scored on while it is trained.
        model: The network (or `crf.WithCRF`), over the axis of all devices.
        preprocessing: What turns images into its input.
        predictor: How it is asked about images of `eval_source`.
        loss: What is minimised.
        class_weights: Of its pixels, as `config.loss.balance` has them computed; ():
            it does not ask.
    """

    config: Config
    train_source: Source
    eval_source: Source
    model: Model
    preprocessing: Preprocessing
    predictor: Predictor
    loss: Loss
    class_weights: tuple[float, ...] = ()

    def learning_rate(self, done: int) -> float:
        """The learning rate of the update after `done` of them."""
        return float(build.make_schedule(self.config)(jnp.int32(done)))

    def optimizer(self, params: Tree) -> optax.GradientTransformation:
        """The optimiser of these parameters."""
        return build.make_optimizer(self.config, params)

    def train_batches(
        self, first: int, share: tuple[int, int] = (0, 1)
    ) -> Generator[Batch, None, None]:
        """The training batches from update `first` on.

        Args:
            first: Updates done.
            share: Which process this is, and how many share the batches.
        """
        return datasets.train_batches(self.config, self.train_source, first, share)


def build_parts(config: Config, devices: Sequence[parallel.Device]) -> RunParts:
    """The parts of the run that a config describes.

    Args:
        config: See `fcn_jax.config.base`.
        devices: That train.

    Raises:
        ValueError: If batches cannot be split between the devices, or the config has a
            value that has no sense.
        FileNotFoundError: If a data set is not where the config says.
    """
    checks.check_numbers(config)
    losses.check_loss(config)
    processes = len({device.process_index for device in devices})
    images = sampling.images_of_update(config)
    parallel.check_batch_size(images, len(devices), config.accumulate, processes)
    parallel.check_batch_size(
        config.eval_batch_size, len(devices), 1, processes, "config.eval_batch_size"
    )
    train_source = datasets.open_source(config, "train")
    eval_source = datasets.open_source(config, "eval")
    if len(train_source) < processes:
        raise ValueError(
            f"{train_source.name} {train_source.split} has {len(train_source)} "
            f"image(s) for {processes} processes; start no more processes than there "
            f"are images."
        )
    axis_name = parallel.axis_of(devices)
    model = build.make_model(config, axis_name=axis_name)
    preprocessing = build.make_preprocessing(config)
    for source in (train_source, eval_source):
        datasets.check_channels(source, model, preprocessing)
    predictor = predictors.make_predictor(
        config, model, preprocessing, (config.eval_scale,)
    )
    weights = datasets.class_weights(config, train_source)
    if weights:
        shown = ", ".join(f"{weight:.3g}" for weight in weights)
        how = "factors of the loss"
        if config.loss.get("weigh_by", "") == "sampling":
            how = "pixels count as often"
        print(f"class weights by {config.loss.balance}: {shown} ({how})", flush=True)
    void = contracts.ignore_labels(train_source)
    loss = losses.make_loss(config, void, weights, axis_name)
    return RunParts(
        config,
        train_source,
        eval_source,
        model,
        preprocessing,
        predictor,
        loss,
        weights,
    )
