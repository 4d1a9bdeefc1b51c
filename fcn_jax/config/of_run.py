"""The config of a run, as a file that --config can name: of_run.py:WORKDIR."""

from fcn_jax.config import workdir as workdirs
from fcn_jax.config.types import Config


def get_config(workdir: str) -> Config:
    """The config that the run in a directory was trained with."""
    return workdirs.config_of_run(workdir)
