"""Checkpoints: whole or absent, checked by content, the newest good one restored.

Orbax writes and finds them; this is the only file that speaks to it. A checkpoint is
one directory <step>/ with the state as nested arrays and one JSON with the run's
config, its best score and a SHA-256 of every array: Orbax alone would restore a
flipped byte without a word.
"""

import dataclasses
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

from fcn_jax.storage import trees
from fcn_jax.storage.files import JsonObject

# What is added to the metadata of a checkpoint.
_HASH, _SCORE = "sha256", "mean_iu"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What one checkpoint holds.

    Attributes:
        step: Optimiser updates done when it was saved.
        arrays: Nested dicts of NumPy arrays: `params`, `batch_stats`, `opt_state`; see
            `trees.to_arrays`.
        metadata: What `CheckpointStore.save` was given.
    """

    step: int
    arrays: trees.NestedArrays
    metadata: JsonObject


class CheckpointStore:
    """The checkpoints of one run: the newest ones and the best by mean IU.

    Args:
        directory: Where they are; created when the first one is saved.
        keep: How many of the newest to keep; two, so that there is one to fall back
            to when the newest is damaged.
    """

    def __init__(self, directory: str | Path, keep: int = 2):
        self.directory = Path(directory).absolute()
        self._keep = keep
        self._open_manager: ocp.CheckpointManager | None = None

    @property
    def _manager(self) -> ocp.CheckpointManager:
        if self._open_manager is None:
            self._open_manager = _open_manager(self.directory, self._keep)
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
        arrays: trees.NestedArrays,
        *,
        metadata: Mapping[str, object],
        mean_iu: float | None = None,
    ) -> None:
        """Begin to save a state; returns before it is on disk.

        Args:
            arrays: What `trees.to_arrays` made; nothing may overwrite them.
            metadata: Anything that JSON can hold.
            mean_iu: The score by which the best checkpoint is kept, in [0, 1].

        Raises:
            OSError: If this or the save before it could not be written. Checkpoints
                already finished stay as they are.
        """
        step = int(np.asarray(arrays["step"]))
        described = {**metadata, _HASH: trees.content_hash(arrays), _SCORE: mean_iu}
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
            raise _save_failed(self.directory, step, error) from error
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
                raise _save_failed(self.directory, "being saved", error) from error

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
        return self.read(
            max(steps, key=lambda step: (_mean_iu(self.directory, step), step))
        )

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
        return _read_checked(self.directory, step)

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


def _open_manager(directory: Path, keep: int) -> ocp.CheckpointManager:
    best = BestN(
        get_metric_fn=lambda scores: scores["mean_iu"],
        n=1,
        keep_checkpoints_without_metrics=False,
    )
    return ocp.CheckpointManager(
        directory,
        options=ocp.CheckpointManagerOptions(
            create=True,
            cleanup_tmp_directories=True,
            preservation_policy=AnyPreservationPolicy([LatestN(keep), best]),
        ),
    )


def _read_checked(directory: Path, step: int) -> Checkpoint:
    try:
        arrays, metadata = _read(directory / str(step))
        expected, _ = metadata.pop(_HASH), metadata.pop(_SCORE)
    except Exception as error:
        raise ValueError(
            f"checkpoint {step} in {directory} cannot be read "
            f"({type(error).__name__}: {_first_line(error)}): it is torn or "
            f"corrupt."
        ) from error
    found = trees.content_hash(arrays)
    if found != expected:
        raise ValueError(
            f"checkpoint {step} in {directory} is corrupt: its arrays hash to "
            f"{found[:16]}..., {expected[:16]}... was recorded when it was saved."
        )
    return Checkpoint(step, arrays, metadata)


def _read(path: Path) -> tuple[trees.NestedArrays, JsonObject]:
    """A checkpoint as it stands on disk, its hash not yet compared."""
    handler = ocp.PyTreeCheckpointHandler()
    state: Any = path / "state"  # Orbax has a type of its own.
    as_numpy = jax.tree.map(
        lambda _: ocp.RestoreArgs(restore_type=np.ndarray), handler.metadata(state).tree
    )
    arrays = handler.restore(state, args=ocp.args.PyTreeRestore(restore_args=as_numpy))
    return arrays, json.loads((path / "metadata" / "metadata").read_text())


def _mean_iu(directory: Path, step: int) -> float:
    path = directory / str(step) / "metadata" / "metadata"
    score = json.loads(path.read_text())[_SCORE] if path.is_file() else None
    return -1.0 if score is None else score


def _save_failed(directory: Path, step: int | str, error: Exception) -> OSError:
    return OSError(
        f"checkpoint {step} could not be written to {directory} "
        f"({type(error).__name__}: {_first_line(error)}). The finished checkpoints "
        f"there are untouched. Make room or choose another --workdir, then run the "
        f"same command again."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
