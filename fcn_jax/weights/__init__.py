"""Weight files in and out: one format a file, and whose layer is whose."""

from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.loading import Report, load_weights

__all__ = ["Report", "WeightsError", "load_weights"]
