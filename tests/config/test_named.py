"""Configs by name, by path, and of a run."""

import pytest

from fcn_jax.config import named
from tests.support.paths import ROOT


def test_all_configs_have_names():
    assert named.names() == sorted(p.stem for p in (ROOT / "configs").glob("*.py"))


def test_a_name_and_its_path_are_the_same(tmp_path, monkeypatch):
    expected = ROOT / "configs" / "shapes_fcn8s.py"
    assert named.config_file("shapes_fcn8s") == expected
    monkeypatch.chdir(tmp_path)  # Where there is no configs/.
    assert named.config_file("configs/shapes_fcn8s.py") == expected
    assert named.config_file("shapes_fcn8s.py") == expected


def test_a_file_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes_fcn8s.py").write_text("")
    assert named.config_file("shapes_fcn8s.py").resolve().parent == tmp_path


@pytest.mark.parametrize("name", ("shapes_fcn8", "other/shapes_fcn8.py"))
def test_an_unknown_name(name):
    message = (
        rf"config '{name}' is neither a file nor a name that is known; did you mean "
        r"'shapes_fcn8s'\? The configs are camvid_deconvnet, "
    )
    with pytest.raises(FileNotFoundError, match=message):
        named.config_file(name)


def test_configs_build_on_each_other():
    config = named.load("voc_fcn8s").get_config()
    assert (config.model.name, config.loss.reduction) == ("fcn8s", "sum")


def test_every_config_names_its_modes():
    for name in named.names():
        config = named.load(name)
        assert config.MODES[0] == "full"
        assert "smoke" in config.MODES
        assert ("gpu" in config.MODES) == ("gpu" in config.__doc__)


def test_a_config_of_ones_own_takes_any_mode(tmp_path):
    own = tmp_path / "own.py"
    own.write_text("def get_config(mode=None):\n    return mode\n")
    named.check_mode(str(own), "any")
    own = tmp_path / "other.py"
    own.write_text("MODES = ('one', 'two')\n")
    with pytest.raises(ValueError, match="mode of config other 'on' .* mean 'one'"):
        named.check_mode(str(own), "on")
