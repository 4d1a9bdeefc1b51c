"""Readers and writers of weight files, one format a module; detected by content."""

from fcn_jax.weights.formats.detection import KNOWN, File, detect, read

__all__ = ["KNOWN", "File", "detect", "read"]
