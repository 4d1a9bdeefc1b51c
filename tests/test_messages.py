"""Suggestions for wrong names."""

from fcn_jax import messages


def test_the_most_alike_name_is_suggested():
    found = messages.suggestion("fcn8", ("fcn32s", "fcn8s", "deconvnet"))
    assert found == "did you mean 'fcn8s'?"


def test_nothing_alike_is_no_suggestion():
    assert messages.suggestion("unet", ("fcn8s", "deconvnet")) == ""


def test_the_cutoff_says_how_alike():
    assert messages.suggestion("fcn", ("fcn8s_atonce",), cutoff=0.1)
    assert not messages.suggestion("fcn", ("fcn8s_atonce",), cutoff=0.9)
