"""The config of a run's directory: written, compared, read back."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from fcn_jax.config import base, build, families
from fcn_jax.config.types import Config
from fcn_jax.preprocessing import PREPROCESSING
from fcn_jax.storage import checkpoints, files, mirrors
from fcn_jax.storage.files import JsonObject

# Keys of where data lie, and who reads them: they may differ between starts of a run,
# and between its processes.
PLACE_KEYS: tuple[str, ...] = (
    "data.root",
    "data.palette",
    "data.labels",
    "data.images",
    "data.masks",
    "data.extra_root",
    "data.data_dir",
    "data.manual_dir",
    "data.num_threads",
    "data.num_workers",
    "data.cache",
    "data.box_cache_dir",
    "data.objects.cache_dir",
    "data.objects.mcg_dir",
    "data.boxsup.cache_dir",
    "data.boxsup.mcg_dir",
)
_COPY = "copy it to a local disk: aws s3 sync, gcloud storage rsync"
# Keys that change what is shown or kept, how soon a run ends, or where data lie, but
# not the parameters of a step: they may differ when a run goes on. So may all of
# config.inference and of config.crf.
_FREE_KEYS: tuple[str, ...] = (
    "log_every",
    "eval_every",
    "early_stopping",
    "checkpoint_every",
    "keep_checkpoints",
    "num_pictures",
    "hang_timeout",
    "eval_batch_size",
    "batch_stats_batches",
    "data.eval_split",
    "data.eval_name",
    *PLACE_KEYS,
)


def config_of_run(workdir: str | Path) -> Config:
    """The config that a run was trained with.

    Where config.json is gone it is that of the newest checkpoint; of a run that was
    made of weights alone (`fcn_jax convert`) the defaults, around its network.

    Raises:
        FileNotFoundError: If the directory is not that of a run.
        ValueError: If its config is damaged, or the directory is an address.
    """
    mirrors.check_local(workdir, "the run", _COPY)
    path = Path(workdir) / "config.json"
    if not path.exists():
        metadata = checkpoints.CheckpointReader(
            Path(workdir) / "checkpoints"
        ).newest_metadata()
        if metadata and isinstance(metadata.get("config"), dict):
            return Config(metadata["config"])
        if metadata and isinstance(metadata.get("model"), dict):
            return _of_weights(metadata)
        raise FileNotFoundError(
            f"{path} does not exist; {workdir} is not the directory of a run of "
            f"train.py."
        )
    try:
        return Config(_read(path))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); restore it, or "
            f"start the run's own command again, which writes it anew."
        ) from error


def damage(workdir: str | Path) -> str:
    """Why the config.json of a run cannot be read; "" if it can, or there is none.

    Args:
        workdir: Of the run.
    """
    path = Path(workdir) / "config.json"
    try:
        _read(path)
    except FileNotFoundError:
        return ""
    except (ValueError, TypeError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _of_weights(metadata: JsonObject) -> Config:
    """The defaults around a network whose options a checkpoint records."""
    model = metadata["model"]
    name = str(model["name"])
    config = base.base_config(families.family_of(name))
    with config.unlocked(), config.ignore_type():  # Classes may be by head.
        config.model.update(model)
    config.data.name = "folder"  # No data set is known.
    for known, preprocessing in PREPROCESSING.items():
        if preprocessing.to_dict() == metadata.get("preprocessing"):
            config.preprocessing = known
    return config


def _read(path: Path) -> JsonObject:
    """A config.json, which holds at least what every run's does."""
    found = json.loads(path.read_text("utf-8"))
    found["model"]["name"]
    if not isinstance(found["num_steps"], int):
        raise TypeError(f"num_steps is {found['num_steps']!r}")
    return found


def checkpoint_metadata(config: Config) -> JsonObject:
    """What a checkpoint says of its making: the config and the preprocessing."""
    return {
        "config": json.loads(config.to_json()),
        "preprocessing": build.make_preprocessing(config).to_dict(),
    }


def write_config(config: Config, workdir: Path) -> None:
    """Write the config of a run into its directory, which is made.

    Args:
        config: See `fcn_jax.config.base`.
        workdir: Directory of the run.
    """
    files.write_json(workdir / "config.json", json.loads(config.to_json()))


def check_workdir(config: Config, workdir: Path) -> None:
    """Compare a config with that of the run in a directory; nothing is written.

    Args:
        config: See `fcn_jax.config.base`.
        workdir: Directory of the run.

    Raises:
        ValueError: If the workdir belongs to a run of another config, or its config is
            damaged.
    """
    theirs = _config_in(workdir)
    if theirs is not None:
        free = set(_FREE_KEYS)
        if config.optim.schedule == "constant":
            free.add("num_steps")  # The steps before do not depend on it.
        differing = [
            f"{name}: {old!r} there, {new!r} now"
            for name, old, new in compare(theirs, config)
            if name not in free and not name.startswith(("inference.", "crf."))
        ]
        if differing:
            way_on = (
                f"; or train on from its parameters in a fresh --workdir, with "
                f"--config.init_from={workdir}."
            )
            if not checkpoints.CheckpointStore(workdir / "checkpoints").steps():
                way_on = ", or a fresh --workdir: no checkpoint of that run is here."
            raise ValueError(
                f"{workdir} holds a run of another config ({'; '.join(differing)}). "
                f"Give the config of that run{way_on}"
            )


def _config_in(workdir: Path) -> JsonObject | None:
    """The config of the run in a directory: its newest checkpoint's, else config.json.

    The two are the same, but where a file was lost or edited by hand; a checkpoint is
    what a run goes on from.

    Raises:
        ValueError: If config.json is damaged, and there is no checkpoint.
    """
    recorded = checkpoints.CheckpointStore(workdir / "checkpoints").newest_metadata()
    if recorded and isinstance(recorded.get("config"), dict):
        return recorded["config"]
    path = workdir / "config.json"
    if not path.exists():
        return None
    try:
        return _read(path)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}), and there is no checkpoint "
            f"that holds the config too; delete it to begin this run anew."
        ) from error


def compare(theirs: JsonObject, config: Config) -> Iterator[tuple[str, object, object]]:
    """The keys in which the config of a run differs from another.

    Args:
        theirs: Of the run, as JSON.
        config: The other.

    Yields:
        Name with dots, value in the run, value in the other. A key that is younger than
        one of them has its default there.
    """
    ours = json.loads(config.to_json())
    yield from _differences(_with_defaults(theirs), _with_defaults(ours))


def flat(config: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """The values of a config as JSON, by their names with dots.

    Args:
        config: Of a run.
        prefix: Of all names.
    """
    found: dict[str, object] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _with_defaults(config: JsonObject) -> JsonObject:
    """The config of a run; keys that are younger than it have their defaults."""
    family = families.family_of(config["model"]["name"])
    defaults = json.loads(base.base_config(family).to_json())
    return _merged(defaults, config)


def _merged(defaults: JsonObject, given: JsonObject) -> JsonObject:
    merged = {**defaults, **given}
    for name, value in defaults.items():
        if isinstance(value, Mapping) and isinstance(given.get(name), Mapping):
            merged[name] = _merged(dict(value), dict(given[name]))
    return merged


def _differences(
    old: Mapping[str, object], new: Mapping[str, object], prefix: str = ""
) -> Iterator[tuple[str, object, object]]:
    for name in sorted({*old, *new}):
        a, b = old.get(name), new.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from _differences(a, b, f"{prefix}{name}.")
        elif a != b and (a or b):
            yield f"{prefix}{name}", a, b
