"""Suggestions for wrong names."""

import sys

from fcn_jax import messages


def test_the_most_alike_name_is_suggested():
    found = messages.suggestion("fcn8", ("fcn32s", "fcn8s", "deconvnet"))
    assert found == "did you mean 'fcn8s'?"


def test_nothing_alike_is_no_suggestion():
    assert messages.suggestion("unet", ("fcn8s", "deconvnet")) == ""


def test_the_cutoff_says_how_alike():
    assert messages.suggestion("fcn", ("fcn8s_atonce",), cutoff=0.1)
    assert not messages.suggestion("fcn", ("fcn8s_atonce",), cutoff=0.9)


def test_what_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "colorsys", None)  # As tests switch one off.
    assert messages.lacking(["json", "colorsys", "no_such_module"]) == [
        "colorsys",
        "no_such_module",
    ]
