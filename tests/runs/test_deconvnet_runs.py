"""DeconvNet from training to scores: windows, tiles, proposals, ensembles, figures."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from fcn_jax import runs
from fcn_jax.__main__ import main as run_command
from fcn_jax.config import predictor as predictors
from fcn_jax.config import workdir as workdirs
from fcn_jax.runs import reports, trainer
from fcn_jax.viz import plots
from tests.support.runs import SIDE, deconvnet_config, make_folder, tiny_config

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quick_runs_only")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder, a run of DeconvNet on its objects, and one of FCN-8s."""
    folder = make_folder(tmp_path_factory.mktemp("data"), images=7)
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        stage1 = {
            "data.objects.stage": "objects",
            "data.objects.size": SIDE + 2,
            "data.crop": (SIDE, SIDE),
            "inference.method": "window",
            "num_steps": 2,
        }
        trainer.train(deconvnet_config(folder, **stage1), root / "deconvnet")
        trainer.train(tiny_config(folder, num_steps=2), root / "fcn8s")
    return folder, root


def open_run(trained, devices=1, with_run=None, combine="mean_prob", **changes):
    folder, root = trained
    return runs.Evaluation(
        deconvnet_config(folder, **changes),
        root / "deconvnet",
        devices=jax.devices()[:devices],
        with_run=with_run and root / with_run,
        combine=combine,
    )


@pytest.mark.parametrize(
    "method",
    [
        method
        if method in ("whole", "proposals")
        else pytest.param(method, marks=pytest.mark.slow)
        for method in predictors.METHODS
    ],
)
def test_every_way_of_looking_scores_every_pixel_once(trained, method):
    scores = open_run(trained, **{"inference.method": method}).score()
    assert scores["num_pixels"] == 2 * (24 - 1) * 32  # A void row each.


def test_views_are_for_whole_images(trained):
    config = deconvnet_config(trained[0], **{"inference.method": "window"})
    message = r"scales \(1.0,\) and flip=True are for whole images; windows of"
    with pytest.raises(ValueError, match=message):
        predictors.make_predictor(config, None, None, (1.0,), True)


@pytest.mark.slow
def test_devices_and_passes_make_no_difference(trained):
    confusions = [
        open_run(
            trained,
            devices,
            **{
                "inference.method": "proposals",
                "inference.boxes_at_once": at_once,
                "eval_batch_size": 2,
            },
        ).score()["confusion"]
        for devices, at_once in ((1, 4), (2, 4), (1, 3))
    ]
    assert confusions[0] == confusions[1] == confusions[2]


@pytest.mark.parametrize(
    "combine", ("mean_prob", pytest.param("product_score", marks=pytest.mark.slow))
)
def test_an_ensemble_of_two_runs(trained, tmp_path, combine):
    run = open_run(trained, with_run="fcn8s", combine=combine)
    scores = reports.evaluate(run, tmp_path)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["mean_iu"] == scores["mean_iu"]
    assert written["combine"] == combine
    assert [Path(m).name for m in written["members"]] == ["deconvnet", "fcn8s"]


def test_a_comparison_side_by_side(trained, tmp_path, capsys):
    run = open_run(trained, with_run="fcn8s", **{"inference.method": "proposals"})
    results = reports.compare(run, tmp_path)
    assert list(results) == ["deconvnet", "fcn8s", "ensemble"]
    for result in results.values():
        counts = [s["objects"] for s in result["by_object_size"].values()]
        assert counts == [0, 0, 2]  # The right halves.
    assert json.loads((tmp_path / "comparison.json").read_text()) == results
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:1] == ["ensemble"] for line in lines)
    assert "0 small, 0 medium, 2 large" in (tmp_path / "comparison.txt").read_text()
    with Image.open(tmp_path / "ensemble" / "contact_sheet.png") as sheet:
        assert sheet.width > 4 * 32


def test_statistics_taken_anew_change_the_variables(trained):
    kept = open_run(trained).members[0].variables["batch_stats"]
    anew = open_run(trained, batch_stats_batches=2).members[0].variables
    different = jax.tree.map(
        lambda a, b: float(np.abs(a - b).max()), kept, anew["batch_stats"]
    )
    assert min(jax.tree.leaves(different)) > 0


def test_activations_of_an_image(trained, monkeypatch, capsys):
    folder, root = trained
    image = folder / "JPEGImages" / "im0.jpg"
    drawn = {}
    draw = plots.plot_activations

    def spy(image, maps, path):
        drawn.update(maps)
        draw(image, maps, path)

    monkeypatch.setattr(plots, "plot_activations", spy)
    argv = ["fcn_jax", "activations", f"--workdir={root / 'deconvnet'}"]
    with pytest.raises(SystemExit) as end:
        run_command([*argv, f"--image={image}"])
    assert end.value.code in (None, 0)
    assert "11 layers of step" in capsys.readouterr().out
    assert drawn["unpool5"].shape == (1, 1, 16)
    assert drawn["derelu1_1"].shape[:2] == (SIDE, SIDE)
    with Image.open(root / "deconvnet" / "activations" / "im0.png") as figure:
        assert figure.width > 800


def test_refusals(trained, tmp_path):
    with pytest.raises(ValueError, match=r"method='all' is not known; .* whole, wind"):
        open_run(trained, **{"inference.method": "all"}).score()
    with pytest.raises(ValueError, match=r"scales \(0\.5,\) .* leave them out"):
        open_run(trained, **{"inference.method": "window"}).score(scales=(0.5,))
    with pytest.raises(FileNotFoundError, match="is not the directory of a run"):
        workdirs.config_of_run(tmp_path)
    two = open_run(trained, with_run="deconvnet", **{"inference.method": "window"})
    with pytest.raises(ValueError, match="2 members of the ensemble look at windows"):
        two.score()


def test_an_ensemble_of_other_classes(trained, tmp_path):
    folder, root = trained
    config = workdirs.config_of_run(root / "fcn8s")
    config.model.num_classes = 5
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(ValueError, match="scores 5 classes, this run 3; an ensemble"):
        runs.Evaluation(
            deconvnet_config(folder),
            root / "deconvnet",
            devices=jax.devices()[:1],
            with_run=tmp_path,
        )
