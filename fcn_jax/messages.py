"""What error messages have in common."""

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name that is most like a wrong one, as a question.

    Args:
        name: What was given.
        known: What could have been given.
        cutoff: How alike the two must be, in [0, 1].

    Returns:
        "did you mean 'NAME'?", or "" where nothing is alike.
    """
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return f"did you mean {close[0]!r}?" if close else ""
