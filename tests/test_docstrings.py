"""Docstrings: examples give what they show; arguments and errors are stated."""

import ast
import doctest
import importlib

import pytest

from benchmarks import measures

MODULES = ("fcn_jax", "fcn_jax.crf")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert found.attempted > 0
    assert found.failed == 0


def overloads(node):
    """Whether it is a signature alone; the function below it has the docstring."""
    return any(getattr(x, "id", "") == "overload" for x in node.decorator_list)


def public_functions():
    """(module, function) of functions and methods without underscore."""
    for module, tree in measures.modules(measures.ROOT).items():
        owners = [("", tree)] + [
            (f"{node.name}.", node)
            for node in tree.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]
        for owner, place in owners:
            for node in place.body:
                known = isinstance(node, ast.FunctionDef) and not overloads(node)
                if known and (node.name == "__call__" or node.name[0] != "_"):
                    yield f"{module}.{owner}{node.name}", node


def test_arguments_and_errors_are_stated():
    """Where there are two arguments or more, and where something is raised."""
    lacking = []
    for name, node in public_functions():
        text = ast.get_docstring(node) or ""
        raises = any(isinstance(x, ast.Raise) and x.exc for x in ast.walk(node))
        if raises and "Raises:" not in text and "errors" not in text:
            lacking.append(f"{name}: Raises")
        if measures.parameters(node) > 1 and "Args:" not in text:
            lacking.append(f"{name}: Args")
    assert lacking == []
