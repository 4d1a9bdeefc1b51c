"""What each key of a config means: the comments of its definition."""

import ast
import functools
import inspect
import io
import tokenize
from collections.abc import Iterator, Mapping

import ml_collections

from fcn_jax.config import base, families
from fcn_jax.config.types import Config

_ROOT = "config."
_FAMILY = "model."  # The functions of the families fill in a part of their own.


@functools.cache
def meanings() -> Mapping[str, str]:
    """By key, such as "data.crop", what it means; "" where nothing is said.

    Where the families of networks share a key they share its meaning.
    """
    found: dict[str, str] = {}
    for module in (base, families):
        for name, text in _meanings(inspect.getsource(module)):
            found[name] = found.get(name) or text
    return found


def _meanings(source: str) -> Iterator[tuple[str, str]]:
    """The keys that a module sets, each with its comment."""
    comments = _comments(source)
    code = {line for line, whole in comments.items() if not whole[1]}
    for name, first, last in _assigned(ast.parse(source)):
        above: list[str] = []
        line = first - 1
        while line in comments and line not in code:
            above.insert(0, comments[line][0])
            line -= 1
        beside = [comments[n][0] for n in range(first, last + 1) if n in comments]
        yield name, " ".join(above + beside)


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """By line: the text of its comment, and whether it stands alone there."""
    lines = source.splitlines()
    return {
        token.start[0]: (
            token.string.lstrip("# "),
            lines[token.start[0] - 1].lstrip().startswith("#"),
        )
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }


def _assigned(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Keys that are set, in their order, with the lines from the first to the last."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            name = ast.unparse(node.targets[0])
            if name.startswith((_ROOT, _FAMILY)):
                last = node.end_lineno or node.lineno
                yield name.removeprefix(_ROOT), node.lineno, last


def describe(config: Config) -> str:
    """A line for each key: its name, its value, what it means.

    Args:
        config: Whose values are shown.
    """
    rows = [
        (name, repr(value), meanings().get(name, ""))
        for name, value in _leaves(config, "")
    ]
    name_width = max(len(name) for name, _, _ in rows)
    value_width = max(len(value) for _, value, _ in rows if len(value) <= _WIDE)
    return "\n".join(
        f"  {name:{name_width}}  {value:{value_width}}  {text}".rstrip()
        for name, value, text in rows
    )


_WIDE = 24  # Characters of a value that others are not aligned with.


def _leaves(
    config: ml_collections.ConfigDict, prefix: str
) -> Iterator[tuple[str, object]]:
    """All keys that hold a value, with the names that the command line has for them."""
    for name, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
