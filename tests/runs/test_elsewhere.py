"""Runs that are moved, that share a cache of programs, and are looked at otherwise."""

import json
import os
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import runs
from fcn_jax.config import named
from fcn_jax.runs import reports, trainer
from tests.support.paths import ROOT
from tests.support.patience import SECONDS
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(scope="module", autouse=True)
def one_device():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        yield


def nested(folder):
    """The data set, its validation images in sub-folders, by one name."""
    for place, name in (("a", "im0"), ("b", "im1")):
        for kind in ("JPEGImages/{}.jpg", "SegmentationClass/{}.png"):
            target = folder / kind.format(f"{place}/x")
            target.parent.mkdir()
            (folder / kind.format(name)).rename(target)
    (folder / "ImageSets/Segmentation/val.txt").write_text("a/x\nb/x\n")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A data set and a run of four steps, and the same run after two."""
    place = tmp_path_factory.mktemp("whole")
    folder = nested(make_folder(place / "data"))
    for steps in (2, 4):
        config = tiny_config(folder, num_steps=steps, num_pictures=0)
        config.eval_every = 100
        trainer.train(config, place / "run")
        if steps == 2:
            shutil.copytree(place / "run", place / "half")
    return place


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


def evaluated(workdir, folder, out, **changes):
    config = tiny_config(folder, **changes)
    run = runs.Evaluation(config, workdir, devices=jax.devices()[:1])
    return reports.evaluate(run, out)


@pytest.mark.slow
def test_a_run_and_its_data_may_be_moved(whole, tmp_path):
    shutil.copytree(whole / "half", tmp_path / "another" / "run")
    data = shutil.copytree(whole / "data", tmp_path / "elsewhere")
    (whole / "data").rename(whole / "gone")  # What is read is read in the new place.
    try:
        config = tiny_config(data, num_steps=4, num_pictures=0, eval_every=100)
        trainer.train(config, tmp_path / "another" / "run")
        scores = evaluated(tmp_path / "another" / "run", data, tmp_path / "out")
    finally:
        (whole / "gone").rename(whole / "data")
    ours, theirs = result_of(tmp_path / "another" / "run"), result_of(whole / "run")
    assert ours["params_sha256"] == theirs["params_sha256"]
    assert scores["mean_iu"] == pytest.approx(theirs["best"]["mean_iu"], abs=1e-12)


@pytest.mark.long
def test_ids_in_folders_are_written_each_to_its_own_place(whole, tmp_path):
    evaluated(whole / "run", whole / "data", tmp_path)
    for kind in ("labels", "overlays"):
        files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*"))
        assert {f"{kind}/a/x.png", f"{kind}/b/x.png"} <= set(files)
    rows = (tmp_path / "images.csv").read_text().splitlines()
    assert {row.split(",")[0] for row in rows[1:]} == {"a/x", "b/x"}


@pytest.mark.long
def test_the_preprocessing_of_a_run_stays_its_own(whole, tmp_path, capsys):
    usual = evaluated(whole / "run", whole / "data", tmp_path)
    capsys.readouterr()
    other = evaluated(whole / "run", whole / "data", tmp_path, preprocessing="imagenet")
    assert other["confusion"] == usual["confusion"]
    assert (
        "note: preprocessing is 'caffe', as in training; 'imagenet' is passed over"
        in capsys.readouterr().out
    )


@pytest.mark.slow
def test_a_config_as_an_object(whole, tmp_path):
    """From Python: trained, gone on with and loaded; the object stays as it was."""
    config = named.load(str(ROOT / "configs/shapes_fcn8s.py")).get_config("smoke")
    small = tiny_config(whole / "data", num_pictures=0, eval_every=100)
    for key in ("data", "model", "optim"):
        config[key] = small[key]
    config.batch_size = config.eval_batch_size = 2
    config.num_steps = 1
    before = config.to_json()
    trainer.train(config, tmp_path / "run")
    assert config.to_json() == before
    config.num_steps = 2
    trainer.train(config, tmp_path / "run")
    assert result_of(tmp_path / "run")["step"] == 2
    image = np.zeros((24, 32, 3), np.uint8)
    assert fcn_jax.load(tmp_path / "run").predict(image).shape == (24, 32)


TRAINING = """
import jax, sys
from fcn_jax import runtime
from fcn_jax.runs import trainer
from tests.support.runs import tiny_config
runtime.prepare()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
trainer.train(tiny_config(sys.argv[1], num_steps=1, num_pictures=0), sys.argv[2])
"""


@pytest.mark.slow  # Nothing is compiled yet: a minute.
def test_two_trainings_on_one_empty_cache_of_programs(whole, tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TRAINING, whole / "data", tmp_path / name],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, output
    assert any((tmp_path / "cache").iterdir())
    one, two = (result_of(tmp_path / name) for name in ("one", "two"))
    assert one["params_sha256"] == two["params_sha256"]
