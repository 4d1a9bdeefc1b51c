"""The examples in docstrings give what they show."""

import doctest
import importlib

import pytest

MODULES = ("fcn_jax", "fcn_jax.crf")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert found.attempted > 0
    assert found.failed == 0
