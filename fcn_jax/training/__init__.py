"""One update of a network: its step, losses, optimisers and schedules."""

from fcn_jax.training.step import (
    NOT_A_CLASS,
    TrainState,
    batch_statistics,
    count_params,
    create_state,
    eval_step,
    init_variables,
    param_table,
    train_step,
)

__all__ = [
    "NOT_A_CLASS",
    "TrainState",
    "batch_statistics",
    "count_params",
    "create_state",
    "eval_step",
    "init_variables",
    "param_table",
    "train_step",
]
