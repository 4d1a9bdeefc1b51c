"""The checkpoints of a run of `train.py`, and a run made of converted weights."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from flax.typing import VariableDict

from fcn_jax.storage import checkpoints, files, quiet, trees
from fcn_jax.storage.files import JsonObject
from fcn_jax.weights.errors import WeightsError

_COLLECTIONS = ("params", "batch_stats")


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The parameters and statistics of a run's best checkpoint.

    Args:
        path: The directory of the run.

    Returns:
        Arrays by "params/..." and "batch_stats/...".

    Raises:
        FileNotFoundError: If it is no run with a checkpoint.
        WeightsError: If the checkpoint is damaged.
    """
    return read_with_metadata(path)[0]


def read_with_metadata(
    path: str | Path,
) -> tuple[dict[str, np.ndarray], JsonObject]:
    """The same, and what was recorded with it; errors as of `read`."""
    path = Path(path)
    directory = path / "checkpoints"
    try:
        found = checkpoints.CheckpointStore(directory).best()
    except ValueError as error:
        raise WeightsError(
            path, str(error).rstrip("."), "expected a whole one"
        ) from error
    if found is None:
        raise FileNotFoundError(
            f"{path} is no run with a checkpoint ({directory} is empty or absent); "
            f"train it first, or give a file of weights."
        )
    kept = {name: found.arrays.get(name, {}) for name in _COLLECTIONS}
    return trees.flatten(kept), found.metadata


def write(path: Path, variables: VariableDict, metadata: Mapping[str, object]) -> None:
    """Write a run with one checkpoint, of step 0, that holds the variables.

    Args:
        path: Directory of the run; there is none yet.
        variables: `params`, and perhaps `batch_stats`.
        metadata: Recorded with the checkpoint.

    Raises:
        FileExistsError: If something is there.
        OSError: If it cannot be written; nothing is left behind then.
    """

    def fill(part: Path) -> None:
        store = checkpoints.CheckpointStore(part / "checkpoints")
        with quiet.saves():
            store.save(trees.of_variables(variables), metadata=metadata)
            store.close()

    files.make_whole(path, fill)
