"""The config of a run, as a file that --config can name: of_run.py:WORKDIR."""

import ml_collections

from fcn_jax.config import workdir as workdirs


def get_config(workdir: str) -> ml_collections.ConfigDict:
    """The config that the run in a directory was trained with."""
    return workdirs.config_of_run(workdir)
