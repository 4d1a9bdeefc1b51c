"""The HTML report of trained runs: its numbers are those of eval, its refusals."""

import json
import shutil
import sys

import jax
import numpy as np
import pytest

from fcn_jax import runs
from fcn_jax.runs import examination, trainer
from fcn_jax.viz import html_report
from tests.support.runs import make_folder, tiny_config

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quick_runs_only")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data set, and two runs on it (of one network, which is quicker)."""
    folder = make_folder(tmp_path_factory.mktemp("data"), images=7)
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        trainer.train(tiny_config(folder, num_steps=2), root / "one")
    shutil.copytree(root / "one", root / "two")
    return folder, root / "one", root / "two"


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])


@pytest.fixture(scope="module")
def evaluations():
    return {}


@pytest.fixture
def open_once(evaluations, monkeypatch):
    """Runs are opened once for all tests that look at what is made of them."""

    def opened(config, workdir, split=None, step=None):
        if workdir not in evaluations:
            evaluations[workdir] = runs.Evaluation(config, workdir, split, step)
        return evaluations[workdir]

    monkeypatch.setattr(examination, "Evaluation", opened)
    return opened


@pytest.fixture
def pages(monkeypatch):
    """What is rendered, to look into."""
    seen = []
    render = html_report.render
    monkeypatch.setattr(
        html_report, "render", lambda page: seen.append(page) or render(page)
    )
    return seen


def without_loss(scores):
    """A pass that asks how sure a network is takes no loss."""
    return {name: score for name, score in scores.items() if name != "loss"}


def test_its_scores_are_those_of_eval(trained, tmp_path, pages, open_once):
    out = tmp_path / "x" / "page.html"
    path = examination.report([trained[1]], out, examination.Options())
    assert path == out
    assert list(out.parent.iterdir()) == [out]
    run = open_once(None, trained[1])
    (found,) = pages[0]["runs"]
    assert found["scores"] == without_loss(run.score())
    assert found["name"] == "one"
    assert sum(found["histogram"]) == 2
    assert sum(size["objects"] for size in found["sizes"].values()) == 2
    accuracy = found["calibration"]["accuracy"]
    assert accuracy == pytest.approx(found["scores"]["pixel_accuracy"])
    assert json.dumps(found, allow_nan=False)
    assert f"{100 * found['scores']['mean_iu']:.2f}" in out.read_text("utf-8")


def test_how_sure_is_the_largest_probability(trained, open_once):
    net = runs.load(trained[1])
    run = open_once(net.config, trained[1])
    for batch, pred, sure in run.with_confidence():
        for row in np.flatnonzero(batch["example_valid"]):
            h, w = batch["sizes"][row]
            probs = net.predict_probs(batch["image"][row, :h, :w])
            np.testing.assert_allclose(sure[row, :h, :w], probs.max(-1), rtol=1e-4)
            np.testing.assert_array_equal(pred[row, :h, :w], probs.argmax(-1))


@pytest.mark.slow
def test_a_scale_and_the_mirror_are_in_the_numbers(trained, pages, open_once, tmp_path):
    options = examination.Options(scales=(0.5, 1.0), flip=True)
    examination.report([trained[1]], tmp_path / "page.html", options)
    (found,) = pages[0]["runs"]
    assert found["facts"]["inference"] == "whole, scale 0.5, 1, mirrored too"
    run = open_once(None, trained[1])
    assert found["scores"] == without_loss(run.score((0.5, 1.0), True))


def test_two_runs_beside_each_other(trained, pages, open_once):
    path = examination.report(trained[1:], None, examination.Options(images=1))
    assert path == trained[1] / "eval" / "val" / "comparison.html"
    assert [run["name"] for run in pages[0]["runs"]] == ["one", "two"]
    for example in pages[0]["examples"]:
        assert [title for title, _ in example["layers"]] == [
            "image", "truth", "prediction of one", "prediction of two",
            "errors of one", "errors of two",
        ]  # fmt: skip
        assert len(example["scores"]) == 2


def test_an_open_run_and_an_ensemble(trained, tmp_path, pages):
    config = runs.load(trained[1]).config
    run = runs.Evaluation(config, trained[1], with_run=trained[2])
    path = examination.report_of(run, tmp_path / "p.html", examination.Options())
    assert path.exists()
    (found,) = pages[0]["runs"]
    assert found["name"] == "one + two"
    assert found["scores"] == without_loss(run.score())


def test_all_are_scored_on_the_data_of_the_first(trained, tmp_path, pages):
    moved = tmp_path / "moved"
    shutil.copytree(trained[2], moved)
    config = json.loads((moved / "config.json").read_text())
    config["data"]["root"] = str(tmp_path / "gone")
    (moved / "config.json").write_text(json.dumps(config))
    examination.report([trained[1], moved], tmp_path / "p.html", examination.Options())
    assert len(pages[0]["runs"]) == 2
    options = examination.Options(root=str(trained[0]))
    examination.report([moved], tmp_path / "q.html", options)
    assert pages[1]["runs"][0]["scores"] == pages[0]["runs"][1]["scores"]


def refused(error, match, workdirs, out, **options):
    with pytest.raises(error, match=match):
        examination.report(workdirs, out, examination.Options(**options))
    assert not out.exists()


def test_what_is_no_run(trained, tmp_path):
    match = "config.json does not exist; .* is not the directory of a run"
    refused(FileNotFoundError, match, [tmp_path], tmp_path / "p.html")
    # Said before the first is scored.
    refused(FileNotFoundError, match, [trained[1], tmp_path], tmp_path / "p.html")


def test_a_split_without_images(trained, tmp_path, monkeypatch):
    lists = trained[0] / "ImageSets" / "Segmentation"
    (lists / "none.txt").write_text("")
    match = "none.*(no|empty)"
    refused(ValueError, match, [trained[1]], tmp_path / "p.html", split="none")
    monkeypatch.setattr(
        "fcn_jax.data.sources.voc_folder.VocFolder.__len__", lambda _: 0
    )
    match = "folder val has no images to report on; give another --split, or the dat"
    refused(ValueError, match, [trained[1]], tmp_path / "p.html")


def test_data_that_lie_nowhere(trained, tmp_path):
    config = json.loads((trained[1] / "config.json").read_text())
    config["data"]["root"] = ""
    rootless = tmp_path / "rootless"
    rootless.mkdir()
    (rootless / "config.json").write_text(json.dumps(config))
    match = "rootless does not say where its data lie .*; give --root=FOLDER"
    refused(ValueError, match, [rootless], tmp_path / "p.html")


def test_a_directory_for_the_page(trained, tmp_path):
    with pytest.raises(ValueError, match="is a directory; give the page a name, such"):
        examination.report([trained[1]], tmp_path, examination.Options())
    assert not list(tmp_path.iterdir())


def test_several_heads(trained, tmp_path):
    config = json.loads((trained[1] / "config.json").read_text())
    config["model"]["num_classes"] = {"geometric": 2, "semantic": 3}
    heads = tmp_path / "heads"
    heads.mkdir()
    (heads / "config.json").write_text(json.dumps(config))
    match = (
        r"heads has several heads \(geometric, semantic\), and a report is of one: "
        r"choose it with --head=geometric; fcn_jax eval"
    )
    refused(ValueError, match, [heads], tmp_path / "p.html")


def test_other_classes(trained, tmp_path, monkeypatch, open_once):
    found = iter([[{"name": "a"}], [{"name": "b"}], [{"name": "b"}]])
    monkeypatch.setattr(examination, "_classes", lambda head: next(found))
    match = "two scores other classes than .*one; a comparison needs runs that were tr"
    refused(ValueError, match, trained[1:], tmp_path / "p.html")


def test_other_images(trained, tmp_path, monkeypatch, open_once):
    examined = examination._examined

    def more(run, name, options, wanted):
        return examined(run, name, options, wanted and [*wanted, "absent"])

    monkeypatch.setattr(examination, "_examined", more)
    match = "two was not scored on image 'absent', which the first run was; a compari"
    refused(ValueError, match, trained[1:], tmp_path / "p.html")


def test_without_the_extra_nothing_is_begun(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setattr(examination, "Evaluation", None)  # It would be called.
    match = r"an HTML report needs jinja2: pip install jinja2 \(the extra \[report\]\)"
    refused(ImportError, match, [trained[1]], tmp_path / "p.html")


def test_an_interrupted_page_leaves_the_one_before(
    trained, tmp_path, monkeypatch, open_once
):
    out = tmp_path / "page.html"
    out.write_text("before")

    def fail(page):
        raise KeyboardInterrupt

    monkeypatch.setattr(html_report, "render", fail)
    with pytest.raises(KeyboardInterrupt):
        examination.report([trained[1]], out, examination.Options())
    assert list(tmp_path.iterdir()) == [out]
    assert out.read_text() == "before"
