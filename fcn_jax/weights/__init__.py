"""Weight files in and out: one format a file, and whose layer is whose."""

from fcn_jax.weights.errors import WeightsError
from fcn_jax.weights.loading import load_weights
from fcn_jax.weights.reports import Report

__all__ = ["Report", "WeightsError", "load_weights"]
