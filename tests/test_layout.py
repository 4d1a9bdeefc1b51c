"""The plan of the house holds: rooms, storeys, sizes; see benchmarks/measures.py."""

import ast

import pytest

from benchmarks import measures


@pytest.fixture(scope="module")
def found():
    return measures.measure(measures.ROOT)


@pytest.mark.parametrize(
    ("what", "most"),
    (
        ("loose modules", 6),
        ("upward imports", 0),
        ("modules in a cycle", 0),
        ("classes over 150 lines", 0),
        ("annotations with Any", 29),
        ("longest module", 400),
        ("longest body", 60),
        ("most parameters", 10),
        ("tests that alter sys.path", 0),
        ("tests that import a test", 0),
    ),
)
def test_limits(found, what, most):
    assert int(found[what].split()[0]) <= most, found[what]


def parsed(source):
    return ast.parse(source).body[0]


def test_a_body_is_counted_without_its_docstring():
    function = parsed(
        'def f(a, *, b=1):\n    """Doc."""\n    x = a\n    return x + b\n'
    )
    assert measures.body_lines(function) == 2
    assert measures.parameters(function) == 2


def test_a_climb_and_a_cycle_are_found():
    found = {
        "fcn_jax.ops.a": {"fcn_jax.models.b"},
        "fcn_jax.models.b": {"fcn_jax.ops.a"},
    }
    assert measures.upward(found) == ["fcn_jax.ops.a -> fcn_jax.models.b"]
    assert measures.cycles(found) == ["fcn_jax.ops.a", "fcn_jax.models.b"]
    assert measures.upward({"fcn_jax.nowhere": set()}) is None


def test_any_is_counted_where_it_annotates():
    tree = ast.parse("def f(x: Any) -> dict[str, Any]:\n    y: Any = x\n    return y\n")
    assert measures.any_lines(tree) == 2
