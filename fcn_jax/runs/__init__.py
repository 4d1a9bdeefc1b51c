"""What lives in the directory of a run: training, logs, trained networks, reports."""

from fcn_jax.runs.evaluation import Evaluation
from fcn_jax.runs.trained import TrainedNet, load

__all__ = ["Evaluation", "TrainedNet", "load"]
