"""What lives in the directory of a run: training, logs, trained networks, reports."""

from fcn_jax.runs.trained import Evaluation, Member

__all__ = ["Evaluation", "Member"]
