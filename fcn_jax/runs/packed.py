"""A packed net as a run that is trained: its checkpoint."""

from pathlib import Path

from fcn_jax.config import build
from fcn_jax.config.types import Config
from fcn_jax.preprocessing import Preprocessing
from fcn_jax.storage import trees
from fcn_jax.storage.checkpoints import Checkpoint
from fcn_jax.weights import loading, pretrained


def checkpoint(path: Path) -> Checkpoint:
    """What the run's checkpoint would be, without a state of the optimiser.

    Args:
        path: The file.

    Raises:
        WeightsError: If it is no packed net, or damaged.
    """
    run = pretrained.record(path)[1]
    variables, _ = loading.load_weights(
        path,
        build.make_model(Config(run["config"])),
        preprocessing=Preprocessing.from_dict(run["preprocessing"]),
    )
    step = int(run.get("step", 0))
    return Checkpoint(step, trees.of_variables(variables, step=step), run)
