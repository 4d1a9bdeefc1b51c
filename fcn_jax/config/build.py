"""From a config to the network, preprocessing and optimiser of a run."""

import fnmatch
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import jax.numpy as jnp
import ml_collections
import optax

from fcn_jax import crf, models
from fcn_jax.config import base, families
from fcn_jax.config.types import Config
from fcn_jax.crf.module import Model
from fcn_jax.models.encoders import ENCODERS
from fcn_jax.preprocessing import PREPROCESSING, Preprocessing
from fcn_jax.storage.trees import Tree
from fcn_jax.training import optim, schedules

_T = TypeVar("_T")
# Options that, where they are 0 or empty, a network has by default.
_BY_DEFAULT = (
    *("skip_scales", "encoder", "channels", "fc6_dilation", "output_stride"),
    "levels",
)


def make_model(config: Config, axis_name: str | None = None) -> Model:
    """The network; `axis_name` is that of the devices that train it together.

    Args:
        config: See `fcn_jax.config.base`.
        axis_name: Of the mapped axis over which BatchNorm sums; None: there is none.

    Raises:
        ValueError: If the dtype, or an option of the network, is unknown.
    """
    options = _without_foreign_defaults(config.model.to_dict())
    name, num_classes = options.pop("name"), options.pop("num_classes")
    crf_parameters = options.pop("crf", "")  # Older runs do not have it.
    for name_of_default in _BY_DEFAULT:
        if not options.get(name_of_default):
            options.pop(name_of_default, None)
    if options["dtype"] not in ("float32", "bfloat16"):
        raise ValueError(
            f"config.model.dtype={options['dtype']!r} is not known; use 'float32' or "
            f"'bfloat16'."
        )
    options["dtype"] = jnp.dtype(options["dtype"])
    if not options.get("freeze_batch_norm"):
        # A layer that does not learn keeps its averages too.
        options["freeze_batch_norm"] = tuple(config.optim.frozen)
    known = models.MODELS.get(name)
    if known is not None and "preprocessing" in known.__dataclass_fields__:
        options["preprocessing"] = config.preprocessing
    network = models.create(name, num_classes, axis_name=axis_name, **options)
    if not crf_parameters:
        return network
    check_one_head(config, "config.model.crf")
    layer = crf.CRF(
        num_classes,
        capacity=config.crf.capacity or None,
        **crf.get_parameters(crf_parameters),
    )
    return crf.WithCRF(network, layer, make_preprocessing(config))


def _without_foreign_defaults(options: dict[str, _T]) -> dict[str, _T]:
    """Options of a network, but for those of others that stand at their defaults."""
    name, encoder = str(options["name"]), str(options.get("encoder") or "")
    if name not in models.MODELS or encoder not in ("", *ENCODERS):
        return options  # Refused where the network is made.
    known = {"name", "num_classes", "encoder", "crf"}
    known |= {*models.option_names(name, encoder)}
    defaults = families.FAMILIES["fcn"]()
    return {
        key: value
        for key, value in options.items()
        if key in known or key not in defaults or defaults[key] != value
    }


def check_one_head(config: Config, asking: str, remedy: str = "leave it out") -> None:
    """Refuse what is not defined for networks with several heads.

    Args:
        config: See `fcn_jax.config.base`.
        asking: What wants one head, as its key stands in the config.
        remedy: What to do.

    Raises:
        ValueError: If the network has several; `asking` names what wants one.
    """
    if isinstance(config.model.num_classes, Mapping | ml_collections.ConfigDict):
        raise ValueError(
            f"{asking} is for networks with one head; this one scores "
            f"{', '.join(config.model.num_classes)}: {remedy}."
        )


def make_preprocessing(config: Config) -> Preprocessing:
    """What turns uint8 RGB into the network's input.

    Args:
        config: See `fcn_jax.config.base`.

    Raises:
        ValueError: If it is unknown.
    """
    if config.preprocessing not in PREPROCESSING:
        raise ValueError(
            f"config.preprocessing={config.preprocessing!r} is not known; use one of "
            f"{sorted(PREPROCESSING)}."
        )
    return PREPROCESSING[config.preprocessing]


def make_schedule(config: Config) -> schedules.Schedule:
    """The learning rate by the updates that are done.

    Args:
        config: See `fcn_jax.config.base`.
    """
    settings = config.optim
    return schedules.make_schedule(
        settings.schedule,
        learning_rate=settings.learning_rate,
        num_steps=config.num_steps,
        **settings.schedule_options.to_dict(),
    )


def make_optimizer(config: Config, params: Tree) -> optax.GradientTransformation:
    """The optimiser with its schedule and per-layer multipliers.

    Args:
        config: See `fcn_jax.config.base`.
        params: Nested dicts, layer -> parameter.

    Raises:
        ValueError: If a layer without gradient is not frozen, or as
            `optim.make_optimizer`.
    """
    settings = config.optim
    _check_untrained(config, params)
    schedule = make_schedule(config)
    optimizer = optim.make_optimizer(
        settings.name,
        schedule,
        params,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        bias_lr=settings.bias_lr,
        bias_decay=settings.bias_decay,
        bn_decay=settings.bn_decay,
        frozen=tuple(settings.frozen),
        clip_norm=settings.clip_norm or None,
    )
    slow = tuple(settings.get("slow", ()))  # Older runs lack it.
    if not slow:
        return optimizer
    return optim.slowed(optimizer, params, slow, settings.slow_rate)


def optimizer_note(config: Config) -> str:
    """What to say of keys of config.optim that change nothing; "" if there are none.

    Args:
        config: See `fcn_jax.config.base`.
    """
    settings, usual = config.optim, base.base_config().optim

    def changed(keys: Sequence[str]) -> str:
        """Those that are not at their defaults, with their values."""
        found = [key for key in keys if settings.get(key, usual[key]) != usual[key]]
        return " and ".join(f"config.optim.{key}={settings[key]!r}" for key in found)

    notes: list[str] = []
    if settings.name == "adamw" and (of_sgd := changed(optim.OF_SGD)):
        notes.append(f"{of_sgd}, at which config.optim.name='adamw' does not look")
    if not settings.get("slow") and (of_slow := changed(("slow_rate",))):
        notes.append(f"{of_slow}, which is of the layers that config.optim.slow names")
    return f"passed over: {'; '.join(notes)}" if notes else ""


def _check_untrained(config: Config, params: Tree) -> None:
    """Refuse to let layers decay that nothing trains.

    Raises:
        ValueError: Naming the first such layer that is not frozen.
    """
    network = models.MODELS.get(config.model.name)
    known = [str(layer) for layer in cast("Mapping[str, object]", params)]
    frozen = tuple(config.optim.frozen)
    still = () if network is None else network.untrained
    still = [pattern for pattern in still if fnmatch.filter(known, pattern)]
    for layer in known:
        if _is_of(layer, still) and not _is_of(layer, frozen):
            raise ValueError(
                f"config.optim.frozen={frozen}: {layer} of {config.model.name} has no "
                f"gradient and would do nothing but decay; set config.optim.frozen to "
                f"({', '.join(map(repr, still))})."
            )


def _is_of(layer: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(layer, pattern) for pattern in patterns)
