"""A narrow net that learns the shapes from scratch, in small parts compiled once.

What is compared differs in optimiser, batch or loss sampling, never in the program: an
update adds up the gradients of parts of PART images, and BatchNorm sees a part at a
time, however many images an update has. Times are of the process on all its cores
(CPU seconds), which other work on the machine hardly changes.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from configs import shapes_fcn8s
from fcn_jax import training
from fcn_jax.config import build, datasets
from fcn_jax.config.types import Config
from fcn_jax.data.batch import Batch
from fcn_jax.evaluation import metrics
from fcn_jax.preprocessing import preprocess
from fcn_jax.storage import files
from fcn_jax.storage.files import JsonObject
from fcn_jax.training import losses, sampling

Tree = Mapping[str, object]
CROP = (64, 64)  # Of images of at least 80x96 pixels.


def narrow_config(part: int, smoke: bool = False) -> Config:
    """FCN-8s of an eighth of the width on crops of the shapes.

    Args:
        part: Images whose gradient is computed at once.
        smoke: Whether it is to be as quick as can be.
    """
    config = shapes_fcn8s.get_config()
    config.model.width, config.model.fc_features = 1 / 8, 512
    config.model.dropout_rate = 0.0
    config.data.flip, config.data.crop = False, CROP
    config.batch_size = part
    if smoke:
        config.model.width, config.model.fc_features = 1 / 32, 64
        config.data.crop = (32, 32)
    return config


class Gradient(NamedTuple):
    """What a part of a batch gives."""

    gradient: Tree  # Of the sum over its pixels.
    batch_stats: Tree
    total: jax.Array  # Sum over the pixels that count, nats.
    count: jax.Array  # Of these pixels.


class Network:
    """A network with its gradient and its predictions, each compiled once.

    Args:
        config: From `narrow_config`.
        stride: Side in pixels of the cells of loss sampling.
    """

    def __init__(self, config: Config, stride: int = 8):
        self.config = config
        self.model = build.make_model(config)
        self.preprocessing = build.make_preprocessing(config)
        self._stride = stride
        self.gradient = jax.jit(self._gradient)
        self.predict = jax.jit(self._predict)
        self.probabilities = jax.jit(self._probabilities)

    def _gradient(
        self, params: Tree, stats: Tree, batch: Batch, key: jax.Array, share: jax.Array
    ) -> Gradient:
        def total(params: Tree):
            logits, changed = self.model.apply(
                {"params": params, "batch_stats": stats},
                preprocess(batch["image"], self.preprocessing),
                train=True,
                mutable=["batch_stats"],
            )
            labels = batch["labels"].astype(jnp.int32)
            keys = jax.random.split(key, len(labels))
            keep = sampling.sample_pixels(keys, labels, share, self._stride)
            part = losses.cross_entropy(logits, labels, keep=keep)
            return part.total, (changed["batch_stats"], part.count)

        found, gradient = jax.value_and_grad(total, has_aux=True)(params)
        return Gradient(gradient, found[1][0], found[0], found[1][1])

    def _predict(self, variables: Tree, batch: Batch):
        images = preprocess(batch["image"], self.preprocessing)
        logits = self.model.apply(variables, images, train=False)
        labels = batch["labels"].astype(jnp.int32)
        part = losses.cross_entropy(logits, labels)
        return jnp.argmax(logits, axis=-1), part.total, part.count

    def _probabilities(self, variables: Tree, image: jax.Array):
        images = preprocess(image, self.preprocessing)
        return jax.nn.softmax(self.model.apply(variables, images, train=False))

    def score(self, variables: Tree, batches: list[Batch]) -> dict[str, float]:
        """Mean loss, mean IU, and mean IU of all classes but the background.

        Args:
            variables: Of the network.
            batches: Of one size.
        """
        classes = self.config.model.num_classes
        confusion, total, count = np.zeros((classes, classes), np.int64), 0.0, 0.0
        for batch in batches:
            pred, part_total, part_count = self.predict(variables, batch)
            confusion += counted(batch["labels"], np.asarray(pred), classes)
            total, count = total + float(part_total), count + float(part_count)
        return {"loss": total / count, **scores_of(confusion)}


def counted(labels: np.ndarray, pred: np.ndarray, classes: int) -> np.ndarray:
    """Confusion of predictions, int64 [C, C].

    Args:
        labels: uint8 [N, H, W].
        pred: Integers of the same shape.
        classes: C.
    """
    found = metrics.confusion_matrix(
        jnp.asarray(labels, jnp.int32), jnp.asarray(pred, jnp.int32), classes
    )
    return np.asarray(found, np.int64)


def scores_of(confusion: np.ndarray) -> dict[str, float]:
    """Mean IU of all classes, and of all but the background.

    Args:
        confusion: [C, C].
    """
    found = metrics.scores(confusion)
    objects = [x for name, x in found["iu"].items() if name != "0" and x is not None]
    return {
        "mean_iu": found["mean_iu"],
        "mean_iu_of_objects": float(np.mean(objects)) if objects else 0.0,
    }


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a network learns.

    Attributes:
        optimizer: Of its parameters.
        updates: How many.
        parts: Of the images of an update.
        share: Probability with which a cell's loss counts.
        seed: Of the start, the order and the sampling.
        every: Updates between two looks at it.
    """

    optimizer: optax.GradientTransformation
    updates: int
    parts: int = 1
    share: float = 1.0
    seed: int = 0
    every: int = 0


def held_out(config: Config, count: int) -> list[Batch]:
    """Parts of the top left corners of validation images, always the same.

    Args:
        config: From `narrow_config`.
        count: Images, a multiple of a part's.
    """
    source, part = datasets.open_source(config, "eval"), config.batch_size
    height, width = config.data.crop
    found = []
    for first in range(0, count, part):
        items = [source[index] for index in range(first, first + part)]
        found.append(
            {
                name: np.stack([np.asarray(i[name])[:height, :width] for i in items])
                for name in ("image", "labels")
            }
        )
    return found


def kept(path: Path, make: Callable[[], JsonObject]) -> JsonObject:
    """A row of a measurement: what the file says, or else what is made and written.

    Args:
        path: Of the row.
        make: Makes it.
    """
    if not path.exists():
        files.write_json(path, make())
        print(f"{path.stem} is done", file=sys.stderr, flush=True)
    return json.loads(path.read_text("utf-8"))


def images_of(config: Config, seed: int) -> Iterator[Batch]:
    """Parts of training images without end, in an order of their own.

    Args:
        config: From `narrow_config`.
        seed: Of the order and the crops.
    """
    source = datasets.open_source(config, "train")
    config.seed = seed
    for batch in datasets.train_batches(config, source, 0):
        yield {name: batch[name] for name in ("image", "labels")}


def learn(
    network: Network,
    plan: Plan,
    look: Callable[[Tree], Mapping[str, float]],
) -> tuple[Tree, list[dict[str, float]]]:
    """Train a fresh network.

    Args:
        network: What is trained.
        plan: How.
        look: Of the variables, what is to be written down of them.

    Returns:
        The variables at the end, and what was looked at: with `update`, `images` and
        `seconds` (CPU seconds of the updates so far, without compiling and looking).
    """
    variables = training.init_variables(network.model, plan.seed)
    params, stats = variables["params"], variables["batch_stats"]
    state = plan.optimizer.init(params)
    update = jax.jit(_updater(plan.optimizer))
    batches = images_of(network.config, plan.seed)
    keys = jax.random.split(jax.random.key(plan.seed), plan.updates * plan.parts)
    share = jnp.float32(plan.share)
    curve: list[dict[str, float]] = []
    seconds = 0.0
    for number in range(1, plan.updates + 1):
        begin = time.process_time()
        sums = None
        for part in range(plan.parts):
            key = keys[(number - 1) * plan.parts + part]
            found = network.gradient(params, stats, next(batches), key, share)
            stats = found.batch_stats
            these = (found.gradient, found.count)
            sums = these if sums is None else jax.tree.map(jnp.add, sums, these)
        params, state = update(params, state, *sums)
        jax.block_until_ready(params)
        if number > 1:  # The first compiles.
            seconds += time.process_time() - begin
        if number == plan.updates or (plan.every and number % plan.every == 0):
            seen = look({"params": params, "batch_stats": stats})
            images = number * plan.parts * network.config.batch_size
            curve.append(
                {"update": number, "images": images, "seconds": seconds, **seen}
            )
    batches.close()
    return {"params": params, "batch_stats": stats}, curve


def _updater(optimizer: optax.GradientTransformation) -> Callable:
    def update(params: Tree, state: optax.OptState, sums: Tree, count: jax.Array):
        gradient = jax.tree.map(lambda g: g / jnp.maximum(count, 1), sums)
        changes, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, changes), state

    return update
