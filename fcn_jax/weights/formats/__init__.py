"""Readers and writers of weight files, one format a module; detected by content."""

from fcn_jax.weights.formats.detect import File, read

__all__ = ["File", "read"]
