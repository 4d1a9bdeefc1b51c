"""The config of commands that can do without one: every key at its default."""

from fcn_jax.config import base
from fcn_jax.config.types import Config


def get_config() -> Config:
    """The config."""
    return base.base_config()
