"""A run of several processes: what they must agree on, and who of them writes."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
import optax

import fcn_jax
from fcn_jax import parallel, training
from fcn_jax.config.parts import RunParts
from fcn_jax.config.types import Config
from fcn_jax.config.workdir import PLACE_KEYS, flat
from fcn_jax.hosts import Crew
from fcn_jax.runs import beginning, lock, progress, recorded, results
from fcn_jax.runs.logs import RunLog
from fcn_jax.storage import checkpoints, trees
from fcn_jax.storage.files import JsonObject
from fcn_jax.storage.reading import Checkpoint
from fcn_jax.storage.scores import Scores

# Keys that may differ between processes; the starts that they read are compared.
_OWN_KEYS = (*PLACE_KEYS, "init_from")
_SEEN = 30.0  # Seconds in which a file must be seen by others; NFS takes some.
_POLL = 0.1


def devices_of(crew: Crew) -> list[parallel.Device]:
    """The devices that train: those of all processes, or all of this one.

    Args:
        crew: The processes of the run.
    """
    return parallel.all_devices() if crew.count > 1 else jax.local_devices()


def check_alike(config: Config, crew: Crew) -> None:
    """Refuse processes that were not started alike.

    Args:
        config: Of the run.
        crew: Its processes.

    Raises:
        ValueError: Naming what differs.
    """
    if crew.count == 1:
        return
    told = {
        f"config.{name}": value
        for name, value in flat(json.loads(config.to_json())).items()
        if name not in _OWN_KEYS
    }
    kinds = {device.device_kind for device in jax.local_devices()}
    crew.agree(
        {
            "the version of fcn_jax": fcn_jax.__version__,
            "the code of fcn_jax": _digest_of_code(),
            "the version of JAX": jax.__version__,
            "the number of its devices": len(jax.local_devices()),
            "the kind of its devices": ", ".join(sorted(kinds)),
            "the keys of the config": ", ".join(sorted(told)),
        }
        | told
    )


def _digest_of_code() -> str:
    digest = hashlib.sha256()
    root = Path(fcn_jax.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def held(workdir: str | Path, crew: Crew) -> Generator[None, None, None]:
    """Hold the directory of a run: its first process does, and the others see it.

    What the others print nobody needs to read.

    Args:
        workdir: Of the run.
        crew: Its processes.

    Raises:
        ValueError: If another run holds it, or a process sees another directory.
    """
    if crew.first:
        with lock.held(workdir):
            check_seen(Path(workdir), crew)
            yield
        return
    check_seen(Path(workdir), crew)
    with silent(crew):
        yield


@contextlib.contextmanager
def silent(crew: Crew) -> Generator[None, None, None]:
    """Have the first process print alone.

    Args:
        crew: The processes.
    """
    if crew.first:
        yield
        return
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        yield


def check_seen(workdir: Path, crew: Crew, flag: str = "--workdir") -> None:
    """Refuse a directory that not all processes see.

    Args:
        workdir: The directory; it is there in process 0.
        crew: The processes.
        flag: That gave it.

    Raises:
        ValueError: Naming who does not.
    """
    if crew.count == 1:
        return
    mark = workdir / f".seen_by_all_{crew.tell('the mark', os.urandom(8).hex())}"
    if crew.first:
        mark.touch()
    crew.tell("that it is there", None)
    blind = [
        n for n, seen in enumerate(crew.gather("the mark", wait_for(mark))) if not seen
    ]
    if crew.first:
        mark.unlink()
    if blind:
        raise ValueError(
            f"{workdir} is not shared: what process 0 writes there, process(es) "
            f"{', '.join(map(str, blind))} do not see within {_SEEN:g} s. Give a "
            f"{flag} on a file system that all hosts have."
        )


def wait_for(path: Path) -> bool:
    """Whether a file is seen that another process has written, in time.

    Args:
        path: Of the file.
    """
    until = time.monotonic() + _SEEN
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL)
    return True


class FollowingScores(Scores):
    """The scores as process 0 told them, and those of this process since."""

    def __init__(self, directory: Path, told: Mapping[str, float | None]):
        super().__init__(directory)
        self._told = {int(step): score for step, score in told.items()}

    def read(self) -> dict[int, float | None]:
        """See `Scores`; no file is read."""
        return dict(self._told)

    def record(self, step: int, mean_iu: float | None) -> None:
        """See `Scores`; process 0 writes the same down.

        Args:
            step: Of a checkpoint.
            mean_iu: Its score.
        """
        self._told[step] = mean_iu


class FollowingStore(checkpoints.CheckpointStore):
    """The checkpoints as a process sees them that writes none."""

    def save(self, arrays: trees.NestedArrays, *, metadata: Mapping[str, object]):
        """Nothing: all processes have the same arrays, and process 0 writes them.

        Args:
            arrays: Of the state.
            metadata: Beside them.
        """
        del arrays, metadata

    def wait(self) -> None:
        """Nothing: process 0 waits."""

    def close(self) -> None:
        """Nothing: process 0 closes."""


def open_store(
    config: Config, workdir: Path, crew: Crew
) -> checkpoints.CheckpointStore:
    """The checkpoints of a run.

    Args:
        config: Of the run.
        workdir: Its directory.
        crew: Its processes.
    """
    directory, keep = workdir / "checkpoints", config.keep_checkpoints
    if crew.first:
        store = checkpoints.CheckpointStore(directory, keep, crew.count == 1)
        progress.note(results.restore_scores(workdir, store))
        if crew.count > 1:
            crew.tell("the scores", {str(n): x for n, x in store.scores.read().items()})
        return store
    store = FollowingStore(directory, keep, alone=False)
    store.scores = FollowingScores(store.directory, crew.tell("the scores", {}))
    return store


def newest(store: checkpoints.CheckpointStore, crew: Crew) -> Checkpoint | None:
    """The newest checkpoint that all processes can read; None if there is none at all.

    Newer ones, which one of them cannot read, are moved aside by process 0.

    Args:
        store: Of the run.
        crew: Its processes.

    Raises:
        ValueError: If there are checkpoints, and none that all can read.
    """
    found = store.newest() if crew.first else None
    if crew.count == 1:
        return found
    refused: dict[int, str] = {}
    while True:
        step = crew.tell("the newest step", -1 if found is None else found.step)
        if step < 0:
            break
        mine, why = (found, "") if crew.first else _read(store, step)
        content = "" if mine is None else trees.content_hash(mine.arrays)
        answers = crew.gather("what was read", [content, why])
        reasons = _reasons(answers)
        if not reasons:
            if crew.first:
                for each, text in refused.items():
                    store.set_aside(each, OSError(text))
            return mine
        refused[step] = "; ".join(reasons) + "."
        if crew.first:
            found = _older(store, step)
    if refused:
        raise ValueError(
            f"{store.directory}: no checkpoint can be read by all processes: "
            f"{' '.join(refused.values())} See that all may read this directory."
        )
    return None


def _read(
    store: checkpoints.CheckpointStore, step: int
) -> tuple[Checkpoint | None, str]:
    """A checkpoint that process 0 has read, or why this one cannot."""
    wait_for(store.directory / str(step))
    try:
        return store.read(step), ""
    except (ValueError, OSError) as error:
        return None, str(error)


def _reasons(answers: Sequence[Sequence[str]]) -> list[str]:
    """Why a step will not do, by processes; empty if all have read the same."""
    return [
        f"process {number}: {why or 'it reads other arrays than process 0'}"
        for number, (content, why) in enumerate(answers)
        if why or content != answers[0][0]
    ]


def _older(store: checkpoints.CheckpointStore, step: int) -> Checkpoint | None:
    """The newest whole checkpoint before a step."""
    for each in reversed([n for n in store.steps() if n < step]):
        with contextlib.suppress(ValueError, OSError):
            return store.read(each)
    return None


def start(
    parts: RunParts, saved: Checkpoint | None, workdir: Path, crew: Crew
) -> tuple[training.TrainState, optax.GradientTransformation, JsonObject]:
    """Where a run begins, the same in all processes; see `beginning.initial_state`.

    Gradients are summed and parameters are not: what differs here would differ for
    ever, and nothing would tell.

    Args:
        parts: Of the run.
        saved: Its newest checkpoint, which all have read alike; None: it begins.
        workdir: Of the run.
        crew: Its processes.

    Raises:
        ValueError: If processes have other parameters or class weights, or as there.
    """
    found = beginning.initial_state(parts, saved, workdir)
    if crew.count > 1:
        mine: dict[str, object] = {"the weights of classes": list(parts.class_weights)}
        if saved is None:
            arrays = trees.to_arrays(found[0])
            digest = trees.content_hash(arrays)[:12]
            mine["the digest of what training starts from (config.init_from)"] = digest
        crew.agree(mine)
    return found


def set_aside(
    lost: str, store: checkpoints.CheckpointStore, workdir: Path, crew: Crew
) -> str:
    """Move what is left of a lost run away, and have no process know its scores.

    The others go on when it is done: they read files that are moved.

    Args:
        lost: What shows that there was one; "": nothing. That of process 0 counts.
        store: Of the run.
        workdir: Of the run.
        crew: Its processes.

    Returns:
        See `recorded.set_aside`; "" where nothing is lost.
    """
    note = recorded.set_aside(workdir) if lost and crew.first else ""
    note = crew.tell("what is set aside", note)
    if note and not crew.first:
        store.scores = FollowingScores(store.directory, {})
    return note


class NoLog(RunLog):
    """The log of a process that writes none."""

    def __init__(self):
        pass

    def write(self, kind: str, step: int, values: Mapping[str, object]) -> None:
        """Nothing.

        Args:
            kind: As of `RunLog`.
            step: Likewise.
            values: Likewise.
        """
        del kind, step, values

    def note_saves(self, steps: Sequence[int]) -> None:
        """Nothing."""
        del steps

    def picture(self, name: str, step: int, image: np.ndarray) -> None:
        """Nothing.

        Args:
            name: As of `RunLog`.
            step: Likewise.
            image: Likewise, uint8 [H, W, 3].
        """
        del name, step, image

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def open_log(workdir: Path, step: int, scored: bool, crew: Crew) -> RunLog:
    """The log of a run, which its first process writes.

    Args:
        workdir: Of the run.
        step: From which it goes on.
        scored: Whether that step was evaluated.
        crew: Its processes.
    """
    return RunLog(workdir, step, scored) if crew.first else NoLog()
