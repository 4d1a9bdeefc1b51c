"""Every key has a meaning, that of the comments beside it."""

import pytest

from fcn_jax.config import keys
from fcn_jax.config.base import base_config
from fcn_jax.config.families import FAMILIES, family_of
from fcn_jax.models import MODELS, option_names


@pytest.mark.parametrize("family", FAMILIES)
def test_every_key_has_a_meaning(family):
    meanings = keys.meanings()
    missing = [n for n, _ in keys._leaves(base_config(family), "") if not meanings[n]]
    assert missing == []


def test_it_is_what_stands_beside_it_or_above():
    meanings = keys.meanings()
    assert meanings["num_steps"] == "Optimiser updates."
    assert meanings["deterministic"].startswith("On a GPU: the same bits in every run")
    assert meanings["deterministic"].endswith("On a CPU they are the same anyway.")
    assert meanings["model.bn_shift"]  # Of one family alone.


def test_a_line_has_name_value_and_meaning():
    config = base_config()
    config.data.crop = (80, 96)
    lines = keys.describe(config).splitlines()
    assert len(lines) == len({line.split()[0] for line in lines}) > 70
    (crop,) = [line for line in lines if line.split()[0] == "data.crop"]
    assert crop.split(maxsplit=3)[1:3] == ["(80,", "96)"]
    assert crop.endswith("(H, W) that is cut out at random, pixels.")


def test_networks_of_a_family_have_its_options():
    ours = [name for name in MODELS if family_of(name) == "deeplab"]
    assert len(ours) == 5
    for name in ours:
        known = {*option_names(name), "name", "num_classes", "crf"}
        assert set(base_config("deeplab").model) <= known, name
    assert family_of("fcn8s_atonce") == "fcn"
    assert "padding" not in base_config("deeplab").model
    for name in ("zoomout", "zoomout_v1"):
        known = {*option_names(name), "name", "num_classes", "crf"}
        assert set(base_config(family_of(name)).model) <= known, name
