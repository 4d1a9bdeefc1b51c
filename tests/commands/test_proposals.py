"""fcn_jax proposals where masks are chosen for boxes: candidates, made beforehand."""

import types

import pytest

from fcn_jax.commands import command_line
from fcn_jax.commands import proposals as command
from fcn_jax.config import datasets
from fcn_jax.data.weak import boxsup
from fcn_jax.proposals import pools
from tests.support.runs import boxsup_config, make_folder

pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")


@pytest.fixture
def config(tmp_path):
    names = ("background", "a", "b")
    return boxsup_config(make_folder(tmp_path / "folder", names=names))


def run(config, monkeypatch, out, **values):
    given = {"out": str(out), "method": None, "split": None, "workers": 1} | values
    monkeypatch.setattr(command_line, "config_of_flags", lambda: config)
    command.run_flags(types.SimpleNamespace(**given))


def test_candidates_are_made_once_and_found_in_training(
    config, tmp_path, monkeypatch, capsys
):
    run(config, monkeypatch, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 4
    said = capsys.readouterr().out
    assert "candidate masks (segments) of 4 images are in" in said
    assert f"--config.data.boxsup.cache_dir={tmp_path / 'out'}" in said

    def never(*_, **__):
        raise AssertionError("candidates are made again")

    monkeypatch.setattr(pools.segments, "_check_options", never)
    source = datasets.open_source(config, "train")
    item = source.base[0]
    assert len(boxsup.pool_of(source, item, source.boxes(item))[0]) > 1


def test_what_is_not_made_is_named(config, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="'mcg' are read from the files that MCG has"):
        run(config, monkeypatch, tmp_path, method="mcg")
    with pytest.raises(ValueError, match="--split=val: candidates are of the images"):
        run(config, monkeypatch, tmp_path, method="segments", split="val")
    config.data.supervision, config.data.objects.stage = "", "segments"  # Of CFM.
    with pytest.raises(ValueError, match="nothing is to be computed of them"):
        run(config, monkeypatch, tmp_path, method="mcg")
