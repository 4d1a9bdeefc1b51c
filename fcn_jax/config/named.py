"""Configs by name: those that come with the package, and files of your own."""

import functools
import importlib.util
import types
from pathlib import Path

from fcn_jax import messages

_PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel the configs are a folder of the package, in a checkout one beside it.
_FOLDERS = (_PACKAGE / "configs", _PACKAGE.parent / "configs")


def names() -> list[str]:
    """The configs that come with the package."""
    return sorted(
        {path.stem for folder in _FOLDERS for path in folder.glob("[a-z]*.py")}
    )


def config_file(name: str) -> Path:
    """The file of a config.

    Args:
        name: A path that ends in .py, or the name of a config of the package.

    Returns:
        The path; a config of the package where there is no such file here, so that
        configs/NAME.py means the same wherever it is said.

    Raises:
        FileNotFoundError: If there is neither.
    """
    path = Path(name)
    if path.suffix == ".py" and path.exists():
        return path
    wanted = path.stem if path.suffix == ".py" else name
    if path.suffix != ".py" or path.parent.name in ("", "configs"):
        for folder in _FOLDERS:
            if (folder / f"{wanted}.py").exists():
                return folder / f"{wanted}.py"
    hint = messages.suggestion(wanted, names())
    raise FileNotFoundError(
        f"config {name!r} is neither a file nor a name that is known; "
        f"{hint + ' ' if hint else ''}The configs are {', '.join(names())}."
    )


@functools.cache
def load(name: str) -> types.ModuleType:
    """A config's module, for its `get_config`; configs build on each other by it.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    path = config_file(name)
    spec = importlib.util.spec_from_file_location(f"fcn_jax_config_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"config {path} is no Python file; give one that is.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_mode(file: str, mode: str) -> None:
    """Refuse a mode that a config does not have; one without `MODES` takes any.

    Args:
        file: Of the config.
        mode: What stands after the colon.

    Raises:
        ValueError: Naming the modes.
    """
    modes = getattr(load(file), "MODES", None)
    if modes is not None and mode not in modes:
        name = Path(file).stem
        raise ValueError(messages.unknown_name(f"mode of config {name}", mode, modes))
