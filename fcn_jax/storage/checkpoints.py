"""Checkpoints: whole or absent, checked by content, the newest good one restored.

Orbax writes and finds them; this file and `reading` speak to it. A checkpoint is one
directory <step>/ with the state as nested arrays and one JSON with the run's config,
and a SHA-256 of the arrays and of all that it says: Orbax alone would restore a flipped
byte without a word. Scores stand in a file beside (`scores`).
"""

import contextlib
import dataclasses
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import (
    PolicyCheckpointInfo,
    PreservationPolicy,
)

from fcn_jax.storage import files, reading, trees
from fcn_jax.storage.files import JsonObject
from fcn_jax.storage.reading import Checkpoint
from fcn_jax.storage.scores import Scores

_TRIES = 5  # Of a reader beside a writer, who may delete what was just listed.


class CheckpointReader:
    """The checkpoints of a run, to be read alone, also while it goes on.

    Args:
        directory: Where they are.

    Attributes:
        directory: As an absolute path.
        scores: Of its steps.
    """

    def __init__(self, directory: str | Path):
        self.directory = Path(directory).absolute()
        self.scores = Scores(self.directory)

    def steps(self) -> list[int]:
        """The steps of the finished checkpoints, oldest first."""
        if not self.directory.is_dir():
            return []
        return sorted(
            int(path.name) for path in self.directory.iterdir() if path.name.isdigit()
        )

    def newest_metadata(self) -> JsonObject | None:
        """What the newest checkpoint says, its arrays not read; None if none is whole.

        It is not compared with its hash: `newest` does that.
        """
        for step in reversed(self.steps()):
            with contextlib.suppress(OSError, ValueError):
                return reading.read_metadata(self.directory, step)
        return None

    def best(self) -> Checkpoint | None:
        """The checkpoint with the highest mean IU, else the newest; None if none.

        Raises:
            ValueError: If it is damaged; naming the others.
        """
        for _ in range(_TRIES):
            steps = self.steps()
            if not steps:
                return None
            best = self._best_of(steps)
            try:
                return self.read(best)
            except (ValueError, FileNotFoundError) as error:
                # The run may be deleting it, file by file; then another is the best.
                now = self.steps()
                if best in now and self._best_of(now) == best:
                    others = [n for n in steps if n != best]
                    raise ValueError(
                        f"{error} It is the best; of others "
                        f"({', '.join(map(str, others)) or 'there are none'}) --step=N "
                        f"takes one."
                    ) from error
        raise OSError(
            f"{self.directory}: its checkpoints come and go faster than they are read; "
            f"try again."
        )

    def kept(self, steps: Sequence[int], keep: int) -> set[int]:
        """The steps that a run lets stand: the newest ones, and the best of all.

        Args:
            steps: Of its checkpoints.
            keep: How many of the newest.

        Raises:
            ValueError: If the scores are damaged.
        """
        return {*sorted(steps)[-keep:], *self.scores.best(steps)}

    def _best_of(self, steps: Sequence[int]) -> int:
        known = self.scores.best(steps) or self._remembered(steps)
        return (known or steps[-1:])[0]

    def _remembered(self, steps: Sequence[int]) -> list[int]:
        """The best step as the newest checkpoint says it, where no score is left."""
        best = (self.newest_metadata() or {}).get("best")
        step = best.get("step") if isinstance(best, dict) else None
        return [each for each in steps if each == step]

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
        return reading.read(self.directory, step)


class CheckpointStore(CheckpointReader):
    """The checkpoints of one run: the newest ones and the best by mean IU.

    Args:
        directory: Where they are; created when the first one is saved.
        keep: How many of the newest to keep; two, so that there is one to fall back
            to when the newest is damaged.
        alone: Whether this is the only process of the run; else it is the one that
            writes, and Orbax does not wait for the others.
    """

    def __init__(self, directory: str | Path, keep: int = 2, alone: bool = True):
        super().__init__(directory)
        self._keep, self._alone = keep, alone
        self._open_manager: ocp.CheckpointManager | None = None

    @property
    def _manager(self) -> ocp.CheckpointManager:
        if self._open_manager is None:
            self._open_manager = _open_manager(self.directory, self._kept, self._alone)
        return self._open_manager

    def save(
        self,
        arrays: trees.NestedArrays,
        *,
        metadata: Mapping[str, object],
    ) -> None:
        """Begin to save a state; returns before it is on disk.

        Args:
            arrays: What `trees.to_arrays` made; nothing may overwrite them.
            metadata: Anything that JSON can hold; later changes of it are not saved.

        Raises:
            OSError: If this or the save before it could not be written. Checkpoints
                already finished stay as they are.
        """
        step = int(np.asarray(arrays["step"]))
        # A copy: Orbax writes it later, in a thread, when lists of the run have grown.
        described = json.loads(json.dumps(dict(metadata)))
        described[reading.HASH] = trees.content_hash(arrays)
        described[reading.SELF_HASH] = reading.hash_of(described)
        try:
            self._manager.wait_until_finished()
            saved = self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.PyTreeSave(arrays),
                    metadata=ocp.args.JsonSave(described),
                ),
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
        """Finish the last save and let go of the directory.

        What a score of the last step has made needless is deleted.
        """
        if self._open_manager is not None:
            self.wait()
            steps = self.steps()
            for step in set(steps) - self._kept(steps):
                self._open_manager.delete(step)
            self._open_manager.close()
            self._open_manager = None

    def _kept(self, steps: Sequence[int]) -> set[int]:
        return self.kept(steps, self._keep)

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None if there is none at all.

        Damaged ones on the way there are reported and moved aside, to
        <directory>_damaged/<step>, so that their step can be saved again.

        Raises:
            ValueError: If there are checkpoints and all of them are damaged.
            OSError: If none can be read, and it is not known that they are damaged.
        """
        damaged: list[int] = []
        unclear: dict[int, reading.UnclearError] = {}
        for step in reversed(self.steps()):
            try:
                found = self.read(step)
            except ValueError as error:
                self.set_aside(step, error)
                damaged.append(step)
            except reading.UnclearError as error:
                unclear[step] = error
            else:
                for each, error in unclear.items():  # The library reads this one.
                    self.set_aside(each, error)
                return found
        for error in unclear.values():
            raise error
        if damaged:
            raise ValueError(
                f"{self.directory}: every checkpoint is damaged (steps {damaged}); "
                f"they were moved to {self.directory}_damaged. Start again with a "
                f"fresh --workdir, or restore the directory from a backup."
            )
        return None

    def set_aside(self, step: int, error: Exception) -> None:
        """Move a checkpoint to <directory>_damaged/<step>, and say so.

        Args:
            step: Of the checkpoint.
            error: Why; it ends with a full stop.
        """
        aside = self.directory.with_name(self.directory.name + "_damaged")
        aside.mkdir(exist_ok=True)
        target, count = aside / str(step), 1
        while target.exists():  # Of an earlier time; it is kept.
            count += 1
            target = aside / f"{step}_{count}"
        if self._open_manager is not None:
            self._open_manager.close()
            self._open_manager = None
        shutil.move(self.directory / str(step), target)
        logging.getLogger(__name__).warning(
            "%s Moved to %s; going back to the one before.", error, target
        )


@dataclasses.dataclass
class _Kept(PreservationPolicy):
    """Which checkpoints Orbax leaves when it has saved another."""

    kept: Callable[[Sequence[int]], set[int]]

    def should_preserve(
        self,
        checkpoints: Sequence[PolicyCheckpointInfo],
        *,
        context: object,
    ) -> Sequence[bool]:
        """One answer a checkpoint."""
        del context
        kept = self.kept([info.step for info in checkpoints])
        return [info.step in kept for info in checkpoints]


def _open_manager(
    directory: Path, kept: Callable[[Sequence[int]], set[int]], alone: bool
) -> ocp.CheckpointManager:
    if not alone:  # Orbax makes no directory for one process of several.
        directory.mkdir(parents=True, exist_ok=True)
    return ocp.CheckpointManager(
        directory,
        options=ocp.CheckpointManagerOptions(
            create=alone,
            cleanup_tmp_directories=True,
            preservation_policy=_Kept(kept),
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                active_processes=None if alone else {0},
                barrier_sync_key_prefix=None if alone else "fcn_jax",
            ),
        ),
    )


def _save_failed(directory: Path, step: int | str, error: Exception) -> OSError:
    advice = files.remedy(error, "--workdir", "Make room")
    return OSError(
        f"checkpoint {step} could not be written to {directory} "
        f"({type(error).__name__}: {reading.first_line(error)}). The finished "
        f"checkpoints there are untouched. {advice}, then run "
        f"the same command again."
    )
