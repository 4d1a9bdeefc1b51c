"""The one error of everything that reads weights."""

from pathlib import Path


class WeightsError(ValueError):
    """A file of weights that cannot be used.

    Args:
        path: The file.
        found: What is wrong, and what came.
        expected: What was expected instead, or what to do.
    """

    def __init__(self, path: str | Path, found: str, expected: str):
        super().__init__(f"{path}: {found}; {expected}.")
