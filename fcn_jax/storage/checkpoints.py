"""Checkpoints: whole or absent, checked by content, the newest good one restored.

Orbax writes and finds them; this is the only file that speaks to it. A checkpoint is
one directory <step>/ with the state as nested arrays and one JSON with the run's
config, its best score and a SHA-256 of every array: Orbax alone would restore a
flipped byte without a word.
"""

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import (
    AnyPreservationPolicy,
    BestN,
    LatestN,
)

# What is added to the metadata of a checkpoint.
_HASH, _SCORE = "sha256", "mean_iu"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What one checkpoint holds.

    Attributes:
        step: Optimiser updates done when it was saved.
        arrays: Nested dicts of NumPy arrays: `params`, `batch_stats`, `opt_state`.
        metadata: What `Checkpoints.save` was given.
    """

    step: int
    arrays: dict[str, Any]
    metadata: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run: the newest ones and the best by mean IU.

    Args:
        directory: Where they are; created when the first one is saved.
        keep: How many of the newest to keep; two, so that there is one to fall back
            to when the newest is damaged.
    """

    def __init__(self, directory: str | Path, keep: int = 2):
        self.directory = Path(directory).absolute()
        self._keep = keep
        self._open_manager = None

    @property
    def _manager(self) -> ocp.CheckpointManager:
        if self._open_manager is None:
            best = BestN(
                get_metric_fn=lambda scores: scores["mean_iu"],
                n=1,
                keep_checkpoints_without_metrics=False,
            )
            self._open_manager = ocp.CheckpointManager(
                self.directory,
                options=ocp.CheckpointManagerOptions(
                    create=True,
                    cleanup_tmp_directories=True,
                    preservation_policy=AnyPreservationPolicy(
                        [LatestN(self._keep), best]
                    ),
                ),
            )
        return self._open_manager

    def steps(self) -> list[int]:
        """The steps of the finished checkpoints, oldest first."""
        if not self.directory.is_dir():
            return []
        return sorted(
            int(path.name) for path in self.directory.iterdir() if path.name.isdigit()
        )

    def save(
        self,
        state: Any,
        *,
        metadata: Mapping[str, Any],
        mean_iu: float | None = None,
    ) -> None:
        """Begin to save a state; returns as soon as the state has been copied.

        Args:
            state: A `TrainState` of NumPy arrays that nothing will overwrite.
            metadata: Anything that JSON can hold.
            mean_iu: The score by which the best checkpoint is kept, in [0, 1].

        Raises:
            OSError: If this or the save before it could not be written. Checkpoints
                already finished stay as they are.
        """
        step = int(state.step)
        arrays = to_arrays(state)
        described = {**metadata, _HASH: content_hash(arrays), _SCORE: mean_iu}
        scores = None if mean_iu is None else {"mean_iu": float(mean_iu)}
        try:
            self._manager.wait_until_finished()
            saved = self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.PyTreeSave(arrays),
                    metadata=ocp.args.JsonSave(described),
                ),
                metrics=scores,
            )
        except Exception as error:
            raise self._save_failed(step, error) from error
        if not saved:
            raise OSError(
                f"checkpoint {step} in {self.directory} was not saved: a checkpoint of "
                f"this or a later step is there ({self.steps()}); use a fresh "
                f"directory for a new run."
            )

    def wait(self) -> None:
        """Return when the last save is on disk.

        Raises:
            OSError: If it could not be written.
        """
        if self._open_manager is not None:
            try:
                self._manager.wait_until_finished()
            except Exception as error:
                raise self._save_failed("being saved", error) from error

    def close(self) -> None:
        """Finish the last save and let go of the directory."""
        if self._open_manager is not None:
            self.wait()
            self._open_manager.close()
            self._open_manager = None

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None if there is none at all.

        Damaged ones on the way there are reported and moved aside, to
        <directory>_damaged/<step>, so that their step can be saved again.

        Raises:
            ValueError: If there are checkpoints and all of them are damaged.
        """
        damaged = []
        for step in reversed(self.steps()):
            try:
                return self.read(step)
            except ValueError as error:
                aside = self._set_aside(step)
                damaged.append(step)
                logging.getLogger(__name__).warning(
                    "%s Moved to %s; going back to the one before.", error, aside
                )
        if damaged:
            raise ValueError(
                f"{self.directory}: every checkpoint is damaged (steps {damaged}); "
                f"they were moved to {self.directory}_damaged. Start again with a "
                f"fresh --workdir, or restore the directory from a backup."
            )
        return None

    def best(self) -> Checkpoint | None:
        """The checkpoint with the highest mean IU, else the newest; None if none."""
        steps = self.steps()
        if not steps:
            return None
        return self.read(max(steps, key=lambda step: (self._mean_iu(step), step)))

    def _mean_iu(self, step: int) -> float:
        path = self.directory / str(step) / "metadata" / "metadata"
        score = json.loads(path.read_text())[_SCORE] if path.is_file() else None
        return -1.0 if score is None else score

    def read(self, step: int) -> Checkpoint:
        """Read one checkpoint as NumPy arrays, on any number of devices.

        Raises:
            FileNotFoundError: If there is no checkpoint of that step.
            ValueError: If it cannot be read, or is not what was written.
        """
        if step not in self.steps():
            raise FileNotFoundError(
                f"no checkpoint of step {step} in {self.directory}; there are "
                f"{self.steps() or 'none'}."
            )
        path: Any = self.directory / str(step)  # Orbax has a type of its own.
        handler = ocp.PyTreeCheckpointHandler()
        try:
            as_numpy = jax.tree.map(
                lambda _: ocp.RestoreArgs(restore_type=np.ndarray),
                handler.metadata(path / "state").tree,
            )
            arrays = handler.restore(
                path / "state", args=ocp.args.PyTreeRestore(restore_args=as_numpy)
            )
            metadata = json.loads((path / "metadata" / "metadata").read_text())
            expected, _ = metadata.pop(_HASH), metadata.pop(_SCORE)
        except Exception as error:
            raise ValueError(
                f"checkpoint {step} in {self.directory} cannot be read "
                f"({type(error).__name__}: {_first_line(error)}): it is torn or "
                f"corrupt."
            ) from error
        found = content_hash(arrays)
        if found != expected:
            raise ValueError(
                f"checkpoint {step} in {self.directory} is corrupt: its arrays hash to "
                f"{found[:16]}..., {expected[:16]}... was recorded when it was saved."
            )
        return Checkpoint(step, arrays, metadata)

    def _set_aside(self, step: int) -> Path:
        aside = self.directory.with_name(self.directory.name + "_damaged")
        aside.mkdir(exist_ok=True)
        target = aside / str(step)
        if target.exists():
            shutil.rmtree(target)
        if self._open_manager is not None:
            self._open_manager.close()
            self._open_manager = None
        shutil.move(self.directory / str(step), target)
        return target

    def _save_failed(self, step: int | str, error: Exception) -> OSError:
        return OSError(
            f"checkpoint {step} could not be written to {self.directory} "
            f"({type(error).__name__}: {_first_line(error)}). The finished "
            f"checkpoints there are untouched. Make room or choose another --workdir, "
            f"then run the same command again."
        )


def to_arrays(state: Any) -> dict[str, Any]:
    """A train state as nested dicts of NumPy arrays, the form that is saved."""
    return {
        "params": _nested(state.params),
        "batch_stats": _nested(state.batch_stats),
        "opt_state": _nested(state.opt_state),
        "step": np.asarray(state.step, np.int32),
    }


def into_state(arrays: Mapping[str, Any], template: Any) -> Any:
    """Put saved arrays into the places of a train state.

    Args:
        arrays: What `to_arrays` made.
        template: A train state of the same model and optimiser.

    Raises:
        ValueError: If the names or shapes are those of another model or optimiser.
    """
    fields = {
        "params": template.params,
        "batch_stats": template.batch_stats,
        "opt_state": template.opt_state,
        "step": template.step,
    }
    return template.replace(**_fill(arrays, fields))


def into_variables(
    arrays: Mapping[str, Any], template: Mapping[str, Any]
) -> dict[str, Any]:
    """The saved `params` and `batch_stats`, in the places of a net's variables.

    Args:
        arrays: What `to_arrays` made; its optimiser state is left out.
        template: What `model.init` returned.

    Raises:
        ValueError: If the names or shapes are those of another model.
    """
    kept = {name: arrays.get(name, {}) for name in ("params", "batch_stats")}
    return _fill(kept, template)


def _fill(arrays: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    found = flatten(arrays)
    filled = {}
    for field, tree in fields.items():
        leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
        names = ["/".join([field, *map(_key, path)]) for path, _ in leaves]
        values = []
        for name, (_, leaf) in zip(names, leaves, strict=True):
            if name not in found:
                raise ValueError(
                    f"the checkpoint holds no {name}; it was made by another model or "
                    f"optimiser. Use the config that made it, or start from it with "
                    f"config.init_from."
                )
            value = found.pop(name)
            if value.shape != leaf.shape:
                raise ValueError(
                    f"{name} is {_shape(value)} in the checkpoint and {_shape(leaf)} "
                    f"in this config's model: another model or number of classes. Use "
                    f"the config that made it, or start from it with config.init_from."
                )
            values.append(value.astype(leaf.dtype))
        filled[field] = jax.tree_util.tree_unflatten(structure, values)
    if found:
        raise ValueError(
            f"the checkpoint holds {len(found)} arrays that this config's model and "
            f"optimiser lack, such as {sorted(found)[0]}. Use the config that made "
            f"it, or start from it with config.init_from."
        )
    return filled


def content_hash(arrays: Mapping[str, Any]) -> str:
    """SHA-256, as hex, over names, dtypes, shapes and bytes of nested arrays."""
    digest = hashlib.sha256()
    for name, value in sorted(flatten(arrays).items()):
        digest.update(f"{name}:{value.dtype}:{value.shape};".encode())
        digest.update(np.ascontiguousarray(value).data.cast("B") if value.size else b"")
    return digest.hexdigest()


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """Nested dicts as one dict, the names joined with "/"."""
    flat = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{name}/"))
        else:
            flat[f"{prefix}{name}"] = np.asarray(value)
    return flat


def _nested(tree: Any) -> dict[str, Any]:
    """Any pytree as nested dicts; tuples and named tuples by position and field."""
    nested: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        *parents, last = map(_key, path)
        at = nested
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = np.asarray(leaf)
    return nested


def _key(entry: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(entry, attribute):
            return str(getattr(entry, attribute))
    raise AssertionError(f"unknown kind of tree path entry: {entry!r}")


def _shape(x: Any) -> str:
    return "x".join(map(str, x.shape)) or "a scalar"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
