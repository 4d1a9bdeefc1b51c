"""One update of a network: its step, losses, optimisers and schedules."""

import importlib
from typing import TYPE_CHECKING

from fcn_jax.training.step import (
    TrainState,
    batch_statistics,
    count_params,
    create_state,
    init_variables,
    param_table,
    train_step,
)

if TYPE_CHECKING:
    from fcn_jax.evaluation.evaluate import eval_step

__all__ = [
    "TrainState",
    "batch_statistics",
    "count_params",
    "create_state",
    "eval_step",
    "init_variables",
    "param_table",
    "train_step",
]


def __getattr__(name: str) -> object:
    """`eval_step`, which was here once, from where it is now."""
    if name == "eval_step":
        return importlib.import_module("fcn_jax.evaluation.evaluate").eval_step
    raise AttributeError(f"module 'fcn_jax.training' has no attribute {name!r}.")
