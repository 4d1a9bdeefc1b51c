"""Regions of an image that a network looks at one by one; NumPy, no JAX."""
