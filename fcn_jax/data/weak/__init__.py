"""Weak labels: boxes and the classes of images in place of masks; NumPy only."""
