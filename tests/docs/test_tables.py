"""Tables of the documentation: errors as the sources have them, names that exist."""

import ast
import inspect
import pkgutil
import re

import pytest

from benchmarks import measures
from fcn_jax.models import fcn
from tests.support import pages

PLACE = "\0"  # Where a message has a value.
ERRORS = [
    row["error"] for row in pages.rows("docs/troubleshooting.md") if "error" in row
]
EQUIVALENTS = [row for row in pages.rows("docs/coming_from.md") if "fcn_jax" in row]


def templates():
    """All texts of the sources, docstrings apart; values are `PLACE`."""
    found = []
    for tree in measures.modules(measures.ROOT).values():
        told = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        inner = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr)
            for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    part.value if isinstance(part, ast.Constant) else PLACE
                    for part in node.values
                ]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and id(node) not in told | inner:
                found.append(str(node.value))
    return found


@pytest.fixture(scope="module")
def known():
    return templates()


def is_said(error, known):
    """Whether some text of the sources has these words, values where "…" stands."""
    pattern = f"{PLACE}+".join(map(re.escape, re.split("…+", error)))
    return any(re.search(pattern, text) for text in known)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_one_that_the_program_gives(error, known):
    code = re.fullmatch(r"`([^`]+)`", error)
    assert code, "an error is one text, in backticks"
    assert is_said(code[1], known)


def test_an_error_that_nothing_gives_is_noticed(known):
    error = "… is in use: … trains in it."
    assert is_said(error, known)
    assert not is_said(error.replace("trains", "works"), known)
    assert not is_said(error.replace("… is", "A is"), known)


def test_errors_are_listed_once():
    assert len(ERRORS) > 40
    assert len(set(ERRORS)) == len(ERRORS)


def equivalents():
    """(ours, code) of the middle column."""
    return [
        code for row in EQUIVALENTS for code in re.findall(r"`([^`]+)`", row["fcn_jax"])
    ]


def wrong(code):
    """What is wrong with a name of ours; None: nothing."""
    if code.startswith("fcn_jax "):
        (command,) = pages.commands_of(code)
        return pages.mistakes(command) or None
    if code.startswith("--"):
        return pages.mistakes(["train", code]) or None
    if code in ("train=True", "train=False", "variables") or code.startswith("model."):
        return None
    try:
        pkgutil.resolve_name(code)
    except (ImportError, AttributeError, ValueError) as error:
        return str(error)
    return None


def test_what_is_ours_in_a_table_of_equivalents_exists():
    found = {code: wrong(code) for code in equivalents()}
    assert len(found) > 50
    assert {code: why for code, why in found.items() if why} == {}


def test_a_name_that_is_not_ours_is_noticed():
    assert wrong("fcn_jax.ops.pooling.max_pool_with_indices")
    assert wrong("--config.optim.lr=1")
    assert wrong("fcn_jax train --resume")


def test_a_network_has_what_the_table_calls_on_it():
    """`model.init` and `model.apply`, with the arguments that stand there."""
    assert "train" in inspect.signature(fcn.FCN.__call__).parameters
    assert callable(fcn.FCN.init)
    assert callable(fcn.FCN.apply)
