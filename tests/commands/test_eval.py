"""eval.py on a run of train.py: scores, pictures, resolutions, refusals."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from absl import flags
from PIL import Image

from fcn_jax import runs
from fcn_jax.commands import command_line
from fcn_jax.commands import eval as eval_command
from fcn_jax.evaluation import metrics
from fcn_jax.runs import evaluation, reports, trainer
from fcn_jax.runs.trained import TrainedNet
from tests.support.boards import crews, each
from tests.support.paths import ROOT
from tests.support.patience import SECONDS
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = make_folder(tmp_path_factory.mktemp("data"), images=7)
    # A portrait among the landscapes: two canvases.
    for kind in ("JPEGImages/im1.jpg", "SegmentationClass/im1.png"):
        with Image.open(folder / kind) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(folder / kind)
    workdir = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        trainer.train(tiny_config(folder, num_steps=3), workdir)
    return folder, workdir


def open_run(trained, num_devices=1, **changes):
    folder, workdir = trained
    config = tiny_config(folder, **changes)
    return runs.Evaluation(config, workdir, devices=jax.devices()[:num_devices])


def test_scores_and_pictures(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(metrics, "never_predicted", lambda scores: "\nnever: x")
    scores = reports.evaluate(open_run(trained), tmp_path)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["mean_iu"] == scores["mean_iu"]
    assert set(written["iu"]) == {"dark", "middle", "bright"}
    assert np.sum(written["confusion"]) == 2 * (24 - 1) * 32  # A void row each.
    assert written["num_images"] == 2
    printed = capsys.readouterr().out
    assert "mean IU" in printed
    assert "never: x" in printed
    lines = (tmp_path / "images.csv").read_text().splitlines()
    assert lines[0].startswith("id,mean_iu,pixel_accuracy,")
    assert sorted(line.split(",")[0] for line in lines[1:]) == ["im0", "im1"]
    assert printed.splitlines()[0] == (
        "folder val: 2 images, 3 classes, masks stored as grey"
    )
    assert printed.splitlines()[1].startswith("class")
    with Image.open(tmp_path / "labels" / "im1.png") as label:
        assert (label.mode, label.size) == ("P", (24, 32))
        assert set(np.unique(label)) <= {0, 1, 2}
    assert (tmp_path / "overlays" / "im0.png").exists()
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert sheet.width > 4 * 32


@pytest.mark.long
def test_pictures_of_an_earlier_evaluation_are_named(trained, tmp_path, capsys):
    """Of ids that are gone; whose they are is not known, so that they stay."""
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/gone.png").write_bytes(b"old")
    reports.evaluate(open_run(trained), tmp_path, overlays=False)
    note = "note: 1 pictures in .* are not of this evaluation, such as labels/gone.png;"
    assert re.search(note, capsys.readouterr().out)
    assert (tmp_path / "labels/gone.png").read_bytes() == b"old"
    (tmp_path / "labels/gone.png").unlink()
    reports.evaluate(open_run(trained), tmp_path, overlays=False)
    assert "note: " not in capsys.readouterr().out


@pytest.mark.long
def test_the_score_is_that_of_the_training_run(trained, tmp_path):
    result = json.loads((trained[1] / "result.json").read_text())
    scores = reports.evaluate(open_run(trained), tmp_path, labels=False)
    assert scores["mean_iu"] == pytest.approx(result["best"]["mean_iu"], abs=1e-12)
    assert not (tmp_path / "labels").exists()


@pytest.mark.long
def test_two_processes_score_as_one(trained, tmp_path):
    """As threads, each with a device: all files but the sheet are those of one."""
    folder, workdir = trained

    def score(crew):
        config = tiny_config(folder, eval_batch_size=2)
        device = jax.devices()[crew.index : crew.index + 1]
        run = runs.Evaluation(config, workdir, devices=device, crew=crew)
        return reports.evaluate(run, tmp_path / "two")

    both = each(crews(2), score)
    run = open_run(trained, num_devices=2, eval_batch_size=2)
    alone = reports.evaluate(run, tmp_path / "one")
    for scores in both:
        assert scores["confusion"] == alone["confusion"]
        assert scores["loss"] == alone["loss"]
    names = {p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*")}
    written = {p.relative_to(tmp_path / "two") for p in (tmp_path / "two").rglob("*")}
    assert written == names
    for name in ("images.csv", "table.txt", "labels/im0.png", "overlays/im1.png"):
        theirs = (tmp_path / "two" / name).read_bytes()
        assert theirs == (tmp_path / "one" / name).read_bytes()


def test_processes_that_would_score_other_networks_end(trained, tmp_path):
    folder, workdir = trained

    def score(crew):
        config = tiny_config(folder, eval_batch_size=2)
        device = jax.devices()[crew.index : crew.index + 1]
        split = ("val", "train")[crew.index]
        runs.Evaluation(config, workdir, split, devices=device, crew=crew)

    for error in each(crews(2), score):
        assert isinstance(error, ValueError)
        assert "differ: the split is 'val' in process 0, 'train' in" in str(error)


def test_a_batch_that_does_not_divide_by_all_devices_is_refused(trained):
    folder, workdir = trained
    two = SimpleNamespace(count=2, index=0, agree=None)
    config = tiny_config(folder, eval_batch_size=1)
    with pytest.raises(ValueError, match=r"batch of 1 .* over 2 device.* of 2 process"):
        runs.Evaluation(config, workdir, devices=jax.devices()[:1], crew=two)


@pytest.mark.long
@pytest.mark.parametrize("flag", ("--resolutions=1,2",))
def test_what_one_process_makes_is_refused_of_several(trained, flag):
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "fcn_jax", "eval", f"--workdir={trained[1]}", flag),
            *("--coordinator=localhost:1", "--process=0", "--processes=2"),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert answer.returncode == 1
    name = flag.partition("=")[0]
    assert f"{name} is for one process, and several were started" in answer.stderr


@pytest.mark.long
def test_batches_and_devices_do_not_change_the_confusion(trained):
    one = open_run(trained).score((1.0,), False)
    other = open_run(trained, num_devices=2, eval_batch_size=4).score((1.0,), False)
    assert one["confusion"] == other["confusion"]


@pytest.mark.long
def test_scales_and_flip(trained):
    run = open_run(trained)
    plain, averaged = run.score((1.0,), False), run.score((0.5, 1.0), True)
    assert np.sum(averaged["confusion"]) == np.sum(plain["confusion"])


@pytest.mark.long
def test_resolutions_give_a_table_and_a_plot(trained, tmp_path, capsys):
    results = reports.compare_resolutions(open_run(trained), tmp_path, (0.5, 1.0))
    assert [r["resolution"] for r in results] == [0.5, 1.0]
    assert json.loads((tmp_path / "resolutions.json").read_text()) == results
    assert (tmp_path / "resolutions.png").stat().st_size > 1000
    assert "resolution" in capsys.readouterr().out


def test_a_run_without_checkpoints(trained, tmp_path):
    config = tiny_config(trained[0])
    with pytest.raises(FileNotFoundError, match="no checkpoint; train first.* fcn_jax"):
        runs.Evaluation(config, tmp_path, devices=jax.devices()[:1])


def test_a_step_that_was_not_kept(trained):
    config = tiny_config(trained[0])
    with pytest.raises(
        FileNotFoundError, match=r"no checkpoint of step 99 in .*\[2, 3"
    ):
        runs.Evaluation(config, trained[1], step=99, devices=jax.devices()[:1])


def test_a_checkpoint_of_another_class_count(trained):
    match = r"run was trained with model.num_classes=3, now 4: that is another network"
    (trained[0] / "classes.txt").write_text("dark\nmiddle\nbright\nother\n")
    config = tiny_config(trained[0])
    config.model.num_classes = 4
    try:
        with pytest.raises(ValueError, match=match):
            runs.Evaluation(config, trained[1], devices=jax.devices()[:1])
    finally:
        (trained[0] / "classes.txt").write_text("dark\nmiddle\nbright\n")


@pytest.mark.parametrize(
    ("key", "value"), (("padding", "caffe"), ("skip_scales", (0.1, 0.1)))
)
def test_an_option_of_training_is_left_out(trained, key, value):
    config = tiny_config(trained[0])
    config.model[key] = value
    with pytest.raises(ValueError, match=rf"model.{key}=.*, now .*Leave --config out"):
        runs.Evaluation(config, trained[1], devices=jax.devices()[:1])


def test_another_resolution_is_told(trained, capsys):
    open_run(trained, eval_scale=0.5)
    assert (
        "note: eval_scale was 1.0 in training, and is 0.5 n" in capsys.readouterr().out
    )


def test_classes_in_another_order(trained):
    """An annotation tool sorts its names; masks and names agree, and are not ours."""
    path = trained[0] / "classes.txt"
    path.write_text("bright\ndark\nmiddle\n")
    try:
        with pytest.raises(ValueError, match="class 0 is 'dark' in training and 'brig"):
            open_run(trained)
    finally:
        path.write_text("dark\nmiddle\nbright\n")


@pytest.mark.long
def test_an_ensemble_of_classes_in_another_order(trained, monkeypatch):
    def opened(config, workdir, *more):
        found = TrainedNet(config, workdir, *more)
        if workdir == "second":
            found.checkpoint.metadata["classes"] = {"": ["bright", "dark", "middle"]}
        return found

    (trained[1].parent / "second").symlink_to(trained[1])
    monkeypatch.chdir(trained[1].parent)
    monkeypatch.setattr(evaluation, "TrainedNet", opened)
    config, devices = tiny_config(trained[0]), jax.devices()[:1]
    with pytest.raises(ValueError, match="second: class 0 is 'bright' in training and"):
        runs.Evaluation(config, trained[1], devices=devices, with_run="second")


@pytest.mark.parametrize("flag", ("--scales=1,2", "--compare"))
def test_what_does_not_go_with_resolutions(flag):
    values = flags.FlagValues()
    for name in ("resolutions", "scales"):
        flags.DEFINE_string(name, None, "", flag_values=values)
    flags.DEFINE_bool("compare", False, "", flag_values=values)
    values(["eval", "--resolutions=1", flag])
    name = flag.partition("=")[0]
    with pytest.raises(ValueError, match=f"^{name} does not go with --resolutions, w"):
        eval_command._check_resolutions(values)
    values(["eval", "--resolutions="])
    eval_command._check_resolutions(values)


def test_sheets_of_a_comparison_are_each_in_a_folder():
    found = reports._folders(["a/run", "b/run", "a/run+CRF", "b/run+CRF"])
    assert len(set(found.values())) == 4
    assert all("/" not in folder for folder in found.values())
    assert reports._folders(["a/x", "../y"]) == {"a/x": "x", "../y": "y"}


def test_a_run_that_is_given_as_here_is_compared_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "run" / "eval").mkdir(parents=True)
    for place, given in (("run", "."), ("run/eval", "..")):
        monkeypatch.chdir(tmp_path / place)
        assert reports._named(Path(given)) == str(tmp_path / "run")
    assert reports._named(Path("../run")) == "../run"


def test_classes_that_are_not_those_of_the_data(trained):
    config = tiny_config(trained[0])
    config.model.num_classes = 5
    with pytest.raises(ValueError, match=r"num_classes=5, but folder has 3 classes"):
        runs.Evaluation(config, trained[1], devices=jax.devices()[:1])


@pytest.mark.parametrize("text", ("", "a", "0", "1,-2", "inf"))
def test_resolutions_that_are_no_numbers(text):
    with pytest.raises(ValueError, match=f"--resolutions={text} is not understood"):
        command_line.parse_numbers("resolutions", text)


def test_numbers():
    assert command_line.parse_numbers("scales", "0.5,1,2") == (0.5, 1.0, 2.0)


EVALUATION = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_DFL)
from fcn_jax import __main__, viz
from tests.support import quick_runs

draw = viz.save_image


def interrupted(path, image):
    os.kill(os.getpid(), signal.SIGTERM)
    draw(path, image)


viz.save_image = interrupted
with quick_runs.shallow():
    __main__.start("eval", ["fcn_jax eval", *sys.argv[1:]])
"""


@pytest.mark.long
def test_sigterm_while_pictures_are_drawn(trained, tmp_path):
    """What is written is whole, and one line says what happened."""
    done = subprocess.run(
        [sys.executable, "-c", EVALUATION, f"--workdir={trained[1]}",
         f"--out={tmp_path}"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert done.stderr.endswith("\nterminated\n") or done.stderr == "terminated\n"
    assert "Traceback" not in done.stdout + done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        "labels/im0.png"
    ]
    with Image.open(files[0]) as label:
        label.load()
