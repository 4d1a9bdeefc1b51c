"""Measurements: python -m benchmarks.NAME prints JSON that names the machine."""
