"""Packages that some formats need, of the extra `weights`."""

import importlib
from pathlib import Path
from types import ModuleType


def require(package: str, path: str | Path) -> ModuleType:
    """Import a package, or say how to install it.

    Args:
        package: Its name.
        path: The file that needs it.

    Raises:
        ImportError: If it is missing, or something that it needs itself.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{path}: its format needs the package {package}, which cannot be imported "
            f'({error}); install it with pip install "fcn-jax[weights]" (from a copy '
            f'of the sources: pip install -e ".[weights]").'
        ) from error
