"""The config of a run, as a file that --config can name: of_run.py:WORKDIR."""

from pathlib import Path

from fcn_jax.config import workdir as workdirs
from fcn_jax.config.types import Config
from fcn_jax.weights import pretrained


def get_config(workdir: str | Path) -> Config:
    """The config that a run, or a packed net, was trained with.

    Args:
        workdir: Directory of the run; or a net of `fcn_jax pack`, by file or name.

    Raises:
        FileNotFoundError: If there is no run.
        ValueError: If its config is damaged, or the directory is an address.
        WeightsError: If it is a file, and no packed net.
    """
    if own := pretrained.packed(workdir):
        return Config(pretrained.record(own)[1]["config"])
    return workdirs.config_of_run(workdir)
