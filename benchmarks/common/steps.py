"""The steps that are compiled and timed: nets at full width, as configs have them."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fcn_jax import parallel, training
from fcn_jax.config import build, losses, named, predictor
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.evaluation import evaluate, metrics
from fcn_jax.runs import compilation


@dataclasses.dataclass(frozen=True)
class Case:
    """A net and what it is given.

    Attributes:
        config: Its name, with a mode.
        model: Of the config's family; "": the config's own.
        width: Of the net.
        batch: Images a device.
        size: Height and width.
    """

    config: str
    batch: int
    size: tuple[int, int]
    model: str = ""
    width: float = 1.0


CASES = {
    "fcn8s": Case("voc_fcn8s", 8, (500, 500)),
    "fcn16s": Case("voc_fcn8s", 8, (500, 500), "fcn16s"),
    "fcn32s": Case("voc_fcn8s", 8, (500, 500), "fcn32s"),
    "fcn8s_atonce": Case("voc_fcn8s", 8, (500, 500), "fcn8s_atonce"),
    "camvid": Case("camvid_fcn8s:gpu", 8, (352, 480)),
    "deconvnet": Case("voc2012_deconvnet_stage1", 64, (224, 224)),
}
TASKS = ("training", "inference")


def resized(case: Case, batch: int | None, size: Sequence[int] | None) -> Case:
    """A case with other images.

    Args:
        case: The net and its batch.
        batch: Images a device; None: as many.
        size: Height and width; None: the same.
    """
    height, width = size or case.size
    return dataclasses.replace(case, batch=batch or case.batch, size=(height, width))


def tiny(case: Case) -> Case:
    """A case of the same net that any machine can do.

    Args:
        case: The net and its batch.
    """
    least = 193 if case.config.startswith("voc2012_deconvnet") else 32
    return dataclasses.replace(case, batch=2, size=(least, least), width=1 / 32)


def config_of(case: Case, dtype: str) -> Config:
    """The config of a case, in a dtype.

    Args:
        case: The net.
        dtype: Of its activations.
    """
    name, colon, mode = case.config.partition(":")
    config = named.load(name).get_config(*((mode,) if colon else ()))
    config.model.dtype, config.model.width = dtype, case.width
    config.model.name = case.model or config.model.name
    config.accumulate = 1
    config.inference.method = "whole"
    return config


class Step(NamedTuple):
    """A step of a case.

    Attributes:
        function: As `fcn_jax train` or `eval` runs it.
        arguments: Shapes of its arguments, of one device.
        model: The network.
        optimizer: Of its parameters; None where it does not learn.
    """

    function: parallel.Step
    arguments: tuple
    model: Model
    optimizer: optax.GradientTransformation | None


def build_step(
    case: Case, task: str, devices: Sequence, dtype: str = "bfloat16", **options: object
) -> Step:
    """The step of a case.

    Args:
        case: The net and its batch.
        task: Of `TASKS`.
        devices: That would take it.
        dtype: Of the activations.
        **options: Of the model, instead of the config's.
    """
    config = config_of(case, dtype)
    config.model.unlock()
    config.model.update(options)
    training_axis = parallel.axis_of(devices) if task == "training" else None
    model = build.make_model(config, axis_name=training_axis)
    preprocessing = build.make_preprocessing(config)
    variables = jax.eval_shape(lambda: training.init_variables(model, config.seed))
    batch = {
        "image": jax.ShapeDtypeStruct((case.batch, *case.size, 3), jnp.uint8),
        "labels": jax.ShapeDtypeStruct((case.batch, *case.size), jnp.uint8),
    }
    if task == "inference":
        classes = config.model.num_classes
        asked = predictor.make_predictor(config, model, preprocessing, (1.0,))
        function = parallel.data_parallel(
            evaluate.eval_step,
            devices,
            scores=asked.scores,
            num_classes=classes,
            ignore_label=255,
        )
        counts = jax.eval_shape(lambda: metrics.Confusion.zero(classes))
        batch["sizes"] = jax.ShapeDtypeStruct((case.batch, 2), jnp.int32)
        return Step(function, (variables, counts, batch), model, None)
    optimizer = build.make_optimizer(config, variables["params"])
    state = jax.eval_shape(
        lambda given: training.create_state(given, optimizer), variables
    )
    function = compilation.training_step(
        config,
        devices,
        model=model,
        optimizer=optimizer,
        loss=losses.make_loss(config),
        preprocessing=preprocessing,
    )
    return Step(function, (state, batch), model, optimizer)


def lowered(
    case: Case, task: str, devices: Sequence, dtype: str = "bfloat16"
) -> jax.stages.Lowered:
    """A step, traced and ready to be compiled.

    Args:
        case: The net and its batch.
        task: Of `TASKS`.
        devices: That would take it.
        dtype: Of the activations.
    """
    return lower(build_step(case, task, devices, dtype), devices)


def lower(step: Step, devices: Sequence) -> jax.stages.Lowered:
    """A step, traced and ready to be compiled.

    Args:
        step: Of a case.
        devices: That would take it.
    """
    spread = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((len(devices), *x.shape), x.dtype),
        step.arguments,
    )
    return step.function.lower(*spread)


def example_arguments(step: Step, devices: Sequence) -> tuple:
    """What a step can be run on: a fresh net, and noise for images and labels.

    Args:
        step: Of a case.
        devices: That take it.
    """
    *_, shapes = step.arguments
    rng = np.random.default_rng(0)
    variables = training.init_variables(step.model, 0)
    network = step.model.network
    batch = {
        "image": rng.integers(0, 256, shapes["image"].shape, dtype=np.uint8),
        "labels": rng.integers(
            0, network.num_classes, shapes["labels"].shape, dtype=np.uint8
        ),
    }
    if step.optimizer is not None:
        state = training.create_state(variables, step.optimizer)
        return parallel.replicate((state, batch), devices)
    batch["sizes"] = np.broadcast_to(
        np.int32(batch["image"].shape[1:3]), shapes["sizes"].shape
    )
    counts = metrics.Confusion.zero(network.num_classes)
    return parallel.replicate((variables, counts, batch), devices)
