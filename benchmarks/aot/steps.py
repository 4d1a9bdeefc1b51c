"""The steps that are compiled: nets at full width, as configs describe them."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from fcn_jax import parallel, training
from fcn_jax.config import build, named, predictor
from fcn_jax.config.types import Config
from fcn_jax.evaluation import evaluate, metrics
from fcn_jax.runs import compilation


@dataclasses.dataclass(frozen=True)
class Case:
    """A net and what it is given.

    Attributes:
        config: Its name, with a mode.
        model: Of the config's family; "": the config's own.
        batch: Images a device.
        size: Height and width.
    """

    config: str
    batch: int
    size: tuple[int, int]
    model: str = ""


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


def config_of(case: Case, dtype: str) -> Config:
    """The config of a case, in a dtype.

    Args:
        case: The net.
        dtype: Of its activations.
    """
    name, colon, mode = case.config.partition(":")
    config = named.load(name).get_config(*((mode,) if colon else ()))
    config.model.dtype = dtype
    config.model.name = case.model or config.model.name
    config.accumulate = 1
    config.inference.method = "whole"
    return config


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
    config = config_of(case, dtype)
    training_axis = parallel.AXIS if task == "training" else None
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
        step = parallel.data_parallel(
            evaluate.eval_step,
            devices,
            scores=asked.scores,
            num_classes=classes,
            ignore_label=255,
        )
        counts = jax.eval_shape(lambda: metrics.Confusion.zero(classes))
        batch["sizes"] = jax.ShapeDtypeStruct((case.batch, 2), jnp.int32)
        return _lower(step, devices, variables, counts, batch)
    optimizer = build.make_optimizer(config, variables["params"])
    state = jax.eval_shape(
        lambda given: training.create_state(given, optimizer), variables
    )
    step = compilation.training_step(
        config,
        devices,
        model=model,
        optimizer=optimizer,
        loss=build.make_loss(config),
        preprocessing=preprocessing,
    )
    return _lower(step, devices, state, batch)


def _lower(
    step: Callable[..., object], devices: Sequence, *arguments: object
) -> jax.stages.Lowered:
    """A step lowered for arguments that every device has one of."""
    spread = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((len(devices), *x.shape), x.dtype), arguments
    )
    return step.lower(*spread)
