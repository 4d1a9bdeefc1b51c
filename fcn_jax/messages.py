"""What error messages have in common."""

import difflib
import importlib.util
from collections.abc import Iterable
from pathlib import Path


def suggestion(
    name: str, known: Iterable[str], cutoff: float = 0.6, most: int = 1
) -> str:
    """The known names that are most like a wrong one, as a question.

    Args:
        name: What was given.
        known: What could have been given.
        cutoff: How alike the two must be, in [0, 1].
        most: Names to suggest, at most.

    Returns:
        "did you mean 'NAME' or 'NAME'?", or "" where nothing is alike.
    """
    close = nearest(name, known, cutoff, most)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else ""


def nearest(
    name: str, known: Iterable[str], cutoff: float = 0.6, most: int = 1
) -> list[str]:
    """The known names that are most like a wrong one; see `suggestion`.

    Args:
        name: What was given.
        known: What could have been given.
        cutoff: How alike the two must be, in [0, 1].
        most: Names, at most.
    """
    return difflib.get_close_matches(str(name), list(known), n=most, cutoff=cutoff)


def listed(names: Iterable[str]) -> str:
    """Names in alphabetical order, as text."""
    return ", ".join(sorted(names))


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is none of those known.

    Args:
        what: Kind of the name.
        name: What was given.
        known: What could have been given.
    """
    hint = suggestion(name, known)
    return (
        f"{what} {name!r} is not known; {hint + ' ' if hint else ''}There are: "
        f"{listed(known) or 'none'}."
    )


def dead_link(path: Path) -> str:
    """What to say of a link to nothing.

    Args:
        path: Any path.

    Returns:
        "PATH is a link to TARGET, which does not exist"; "" where it is none.
    """
    if not path.is_symlink() or path.exists():
        return ""
    return f"{path} is a link to {path.readlink()}, which does not exist"


def lacking(modules: Iterable[str]) -> list[str]:
    """The modules that are not installed, as those of an extra; none is imported.

    Args:
        modules: Names of packages as they are imported.
    """
    return [name for name in modules if not _is_there(name)]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # Somebody has put None, or a part of it, in its place.
        return False
