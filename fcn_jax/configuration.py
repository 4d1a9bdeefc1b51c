"""From a config to plain arguments; no library file but this and `predictors` sees one.

`train.py` and `eval.py` share it, so that a run is evaluated as it was trained.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from fcn_jax import crf, data, files, models, optim, schedules
from fcn_jax.data import checks, loader, objects
from fcn_jax.preprocessing import PREPROCESSING, Preprocessing
from fcn_jax.proposal_cache import ProposalCache

HEADLINE_METRICS = (
    "pixel_accuracy",
    "mean_accuracy",
    "mean_iu",
    "frequency_weighted_iu",
)

# Keys that change what is shown or kept, or where data lie, but not the parameters at
# the end: they may differ when a run goes on. So may all of config.inference and of
# config.crf.
_FREE_KEYS = (
    "log_every",
    "eval_every",
    "checkpoint_every",
    "keep_checkpoints",
    "num_pictures",
    "eval_batch_size",
    "batch_stats_batches",
    "data.root",
    "data.palette",
    "data.data_dir",
    "data.manual_dir",
    "data.num_threads",
    "data.eval_split",
    "data.eval_name",
    "data.objects.cache_dir",
)


def config_of_run(workdir: str | Path) -> ml_collections.ConfigDict:
    """The config that a run was trained with.

    Raises:
        FileNotFoundError: If the directory is not that of a run.
    """
    path = Path(workdir) / "config.json"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist; {workdir} is not the directory of a run of "
            f"train.py."
        )
    return ml_collections.ConfigDict(json.loads(path.read_text("utf-8")))


def open_source(config: ml_collections.ConfigDict, which: str) -> Any:
    """The source of `which`, "train" or "eval", checked against num_classes.

    That of "train" holds crops where config.data.objects asks for them.
    """
    if which == "eval":
        return open_images(config, config.data.eval_split, config.data.eval_name)
    source = open_images(config, config.data.train_split)
    return _crops(config, source) if config.data.objects.stage else source


def open_images(config: ml_collections.ConfigDict, split: str, name: str = "") -> Any:
    """A split of the config's data set, or of another; whole images.

    Checked against num_classes.
    """
    source = data.open_source(
        name or config.data.name,
        split,
        root=config.data.root or None,
        palette=config.data.palette or None,
        data_dir=config.data.data_dir or None,
        manual_dir=config.data.manual_dir or None,
    )
    checks.check_num_classes(source, config.model.num_classes)
    return source


def make_proposal_cache(
    config: ml_collections.ConfigDict, directory: str | Path
) -> ProposalCache:
    """The proposals that stage 2 is trained on, kept in a directory."""
    settings = config.data.objects
    return ProposalCache(
        directory,
        settings.proposal_method,
        num=settings.num_proposals,
        **settings.proposal_options.to_dict(),
    )


def _crops(config: ml_collections.ConfigDict, source: Any) -> Any:
    """The examples of a stage of DeconvNet."""
    settings, crop = config.data.objects, config.data.crop
    if settings.stage not in ("objects", "proposals"):
        raise ValueError(
            f"config.data.objects.stage={settings.stage!r} is not known; use "
            f"'objects', 'proposals', or '' for whole images."
        )
    if crop and max(crop) > settings.size:
        raise ValueError(
            f"config.data.crop={tuple(crop)} is larger than the examples, "
            f"config.data.objects.size={settings.size}; lower the one or raise the "
            f"other."
        )
    options = {
        name: settings[name] for name in ("size", "extension", "min_area", "balance")
    }
    if settings.stage == "objects":
        return objects.ObjectCrops(
            source, cache_dir=settings.cache_dir or None, **options
        )
    if not settings.cache_dir:
        raise ValueError(
            "config.data.objects.stage='proposals' needs a place for the proposals, "
            "which take a second an image or so; set config.data.objects.cache_dir=DIR "
            "(python -m fcn_jax proposals --out=DIR fills it on all cores)."
        )
    cache = make_proposal_cache(config, settings.cache_dir)
    return objects.ProposalCrops(
        source,
        cache.boxes_of,
        min_iou=settings.min_iou,
        cache_dir=settings.cache_dir,
        boxes_name=cache.key,
        **options,
    )


def describe_source(source: Any) -> str:
    """A line on what was opened, and how its masks are stored where that may vary."""
    stored = getattr(source, "mask_format", None)
    return (
        f"{source.name} {source.split}: {len(source)} images, {len(source.classes)} "
        f"classes" + (f", masks stored as {stored}" if stored else "")
    )


def make_model(config: ml_collections.ConfigDict, axis_name: str | None = None) -> Any:
    """The network; `axis_name` is that of the devices that train it together."""
    options = config.model.to_dict()
    name, num_classes = options.pop("name"), options.pop("num_classes")
    crf_parameters = options.pop("crf", "")  # Older runs do not have it.
    if not options.get("skip_scales"):
        options.pop("skip_scales", None)
    if options["dtype"] not in ("float32", "bfloat16"):
        raise ValueError(
            f"config.model.dtype={options['dtype']!r} is not known; use 'float32' or "
            f"'bfloat16'."
        )
    options["dtype"] = jnp.dtype(options["dtype"])
    network = models.create(name, num_classes, axis_name=axis_name, **options)
    if not crf_parameters:
        return network
    layer = crf.CRF(
        num_classes,
        capacity=config.crf.capacity or None,
        **crf.parameters_named(crf_parameters),
    )
    return crf.WithCRF(network, layer, make_preprocessing(config))


def make_preprocessing(config: ml_collections.ConfigDict) -> Preprocessing:
    """What turns uint8 RGB into the network's input."""
    if config.preprocessing not in PREPROCESSING:
        raise ValueError(
            f"config.preprocessing={config.preprocessing!r} is not known; use one of "
            f"{sorted(PREPROCESSING)}."
        )
    return PREPROCESSING[config.preprocessing]


def make_optimizer(
    config: ml_collections.ConfigDict, params: Any
) -> optax.GradientTransformation:
    """The optimiser with its schedule and per-layer multipliers."""
    settings = config.optim
    schedule = schedules.make_schedule(
        settings.schedule,
        learning_rate=settings.learning_rate,
        num_steps=config.num_steps,
        **settings.schedule_options.to_dict(),
    )
    return optim.make_optimizer(
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


def loss_settings(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """Keyword arguments of `training.train_step` about the loss."""
    settings = config.loss
    if settings.class_weights and len(settings.class_weights) != (
        config.model.num_classes
    ):
        raise ValueError(
            f"config.loss.class_weights has {len(settings.class_weights)} entries for "
            f"{config.model.num_classes} classes; give one a class, or () for none."
        )
    return {
        "reduction": settings.reduction,
        "class_weights": tuple(settings.class_weights) or None,
        "pixel_probability": settings.pixel_probability,
    }


def train_batches(
    config: ml_collections.ConfigDict, source: Any, start_step: int
) -> Iterator[dict[str, np.ndarray]]:
    """The training batches from update `start_step` on."""
    settings = config.data
    return loader.train_batches(
        source,
        batch_size=config.batch_size,
        seed=config.seed,
        num_classes=config.model.num_classes,
        augmentation=loader.Augmentation(
            flip=settings.flip,
            scale=tuple(settings.scale) or None,
            crop=tuple(settings.crop) or None,
            jitter=settings.jitter,
            brightness=settings.brightness,
        ),
        canvas=tuple(settings.canvas) or None,
        with_replacement=settings.with_replacement,
        start_step=start_step,
        num_threads=settings.num_threads,
    )


def describe(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """What a checkpoint says of its making: the config and the preprocessing."""
    return {
        "config": json.loads(config.to_json()),
        "preprocessing": make_preprocessing(config).to_dict(),
    }


def claim_workdir(config: ml_collections.ConfigDict, workdir: Path) -> None:
    """Write the config into a new workdir; in an old one, compare it.

    Raises:
        ValueError: If the workdir belongs to a run of another config.
    """
    path = workdir / "config.json"
    ours = json.loads(config.to_json())
    if path.exists():
        theirs = json.loads(path.read_text())
        free = set(_FREE_KEYS)
        if config.optim.schedule == "constant":
            free.add("num_steps")  # The steps before do not depend on it.
        differing = [
            f"{name}: {old!r} there, {new!r} now"
            for name, old, new in _differences(theirs, ours)
            if name not in free and not name.startswith(("inference.", "crf."))
        ]
        if differing:
            raise ValueError(
                f"{workdir} holds a run of another config ({'; '.join(differing)}). "
                f"Give a fresh --workdir, or the config of that run."
            )
    workdir.mkdir(parents=True, exist_ok=True)
    files.write_json(path, ours)


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*old, *new}):
        a, b = old.get(name), new.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differences(a, b, f"{prefix}{name}.")
        elif a != b and (a or b):  # A key that an older run lacks is None there.
            yield f"{prefix}{name}", a, b


def describe_cost(compiled: Any) -> str:
    """FLOPs and memory of a compiled step, as its compiler counts them."""
    cost = compiled.cost_analysis() or {}
    cost = cost[0] if isinstance(cost, list) else cost
    memory = compiled.memory_analysis()
    peak = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + memory.temp_size_in_bytes
    )
    return (
        f"a step takes {cost.get('flops', 0) / 1e9:,.1f} GFLOP and, at its peak, "
        f"{peak / 2**20:,.0f} MiB a device on {jax.default_backend()}"
    )
