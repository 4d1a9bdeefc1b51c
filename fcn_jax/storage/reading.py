"""One checkpoint as it lies on disk: read, and compared with its hashes."""

import dataclasses
import errno
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from fcn_jax.storage import trees
from fcn_jax.storage.files import JsonObject

# What is added to the metadata of a checkpoint: the hash of its arrays, and that of all
# else that it says. Older ones have their score instead, which is in a file beside now.
HASH, SELF_HASH, SCORE = "sha256", "metadata_sha256", "mean_iu"
# Failures to read that say nothing of the file: of the system, and of the libraries.
_ERRNOS = (
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETIMEDOUT,
)
_STATES = ("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEED")
_LIBRARY_ERRORS = (ImportError, AttributeError, TypeError, NotImplementedError)


class UnclearError(OSError):
    """A failure of a library: the file is damaged, or the library another one.

    That another checkpoint of the run can be read shows that it is the file.
    """


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What one checkpoint holds.

    Attributes:
        step: Optimiser updates done when it was saved.
        arrays: Nested dicts of NumPy arrays: `params`, `batch_stats`, `opt_state`; see
            `trees.to_arrays`.
        metadata: What `checkpoints.CheckpointStore.save` was given.
    """

    step: int
    arrays: trees.NestedArrays
    metadata: JsonObject


def read(directory: Path, step: int) -> Checkpoint:
    """Read one checkpoint as NumPy arrays, on any number of devices.

    Args:
        directory: Of all checkpoints of a run.
        step: Of this one.

    Raises:
        ValueError: If it cannot be read, or is not what was written.
        OSError: If it cannot be read now, for a reason that is not in the file.
        UnclearError: If the reason may be in the file or in a library.
    """
    try:
        arrays, metadata = _read(directory / str(step))
        expected, of_metadata = metadata.pop(HASH), metadata.pop(SELF_HASH, None)
        whole = of_metadata in (None, hash_of({**metadata, HASH: expected}))
        metadata.pop(SCORE, None)
    except Exception as error:
        if isinstance(error, _LIBRARY_ERRORS) and not _is_torn(directory / str(step)):
            raise UnclearError(
                f"checkpoint {step} in {directory} could not be read now "
                f"({type(error).__name__}: {first_line(error)}): it is damaged, or was "
                f"written by another version of Orbax than {ocp.__version__}; it stays "
                f"where it is. Install the version that wrote it, or move it away."
            ) from error
        if _is_no_damage(error):
            raise OSError(
                f"checkpoint {step} in {directory} could not be read now "
                f"({type(error).__name__}: {first_line(error)}); nothing says that it "
                f"is damaged, and it stays where it is. Try again."
            ) from error
        raise ValueError(
            f"checkpoint {step} in {directory} cannot be read "
            f"({type(error).__name__}: {first_line(error)}): it is torn or "
            f"corrupt."
        ) from error
    if not whole:
        raise ValueError(
            f"checkpoint {step} in {directory} is corrupt: what it says of its config, "
            f"its preprocessing and its losses is not what was saved."
        )
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
    return arrays, read_metadata(path.parent, int(path.name))


def read_metadata(directory: Path, step: int) -> JsonObject:
    """What a checkpoint says of itself, with what was added to it.

    Args:
        directory: Of all checkpoints of a run.
        step: Of this one.

    Raises:
        OSError: If it is not there.
        ValueError: If it is no JSON object.
    """
    path = directory / str(step) / "metadata" / "metadata"
    found = json.loads(path.read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no JSON object; the checkpoint is damaged.")
    return found


def hash_of(metadata: Mapping[str, object]) -> str:
    """Of all that a checkpoint says, as JSON.

    Args:
        metadata: What it says.
    """
    text = json.dumps(metadata, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_no_damage(error: Exception) -> bool:
    """Whether reading failed for a reason that is not in the file."""
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    return isinstance(error, MemoryError) or any(s in str(error) for s in _STATES)


def _is_torn(path: Path) -> bool:
    """Whether what describes the arrays is no JSON object, as every version writes."""
    try:
        found = json.loads((path / "state" / "_METADATA").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return True
    except OSError:
        return False
    return not isinstance(found, dict)


def first_line(error: Exception) -> str:
    """The first line of an error's text, cut off."""
    return (str(error).strip().splitlines() or [""])[0][:200]
