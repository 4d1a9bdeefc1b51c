"""The dense CRF behind runs: in eval.py, and the search for its parameters."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from fcn_jax import __main__, crf, runs
from fcn_jax.commands import crf_search
from fcn_jax.evaluation import evaluate, metrics
from fcn_jax.runs import reports, trainer
from tests.support.paths import ROOT
from tests.support.runs import make_folder, tiny_config

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quick_runs_only")]

CRF = {"crf.parameters": "pydensecrf"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = make_folder(tmp_path_factory.mktemp("data"), images=7)
    workdir = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        trainer.train(tiny_config(folder, num_steps=3), workdir)
    return folder, workdir


def open_run(trained, **changes):
    folder, workdir = trained
    config = tiny_config(folder, **changes)
    return runs.Evaluation(config, workdir, devices=jax.devices()[:1])


def by_hand(run):
    """The confusion of the CRF behind the network, image by image, outside `jit`."""
    confusion = np.zeros((3, 3), np.int64)
    for image, labels, log_probs in run.log_probs():
        probs = crf.mean_field(-log_probs, image, **crf.PARAMETERS["pydensecrf"])
        for truth, found in zip(labels.ravel(), probs.argmax(-1).ravel(), strict=True):
            if truth != 255:
                confusion[truth, found] += 1
    return confusion


def test_scores_and_pictures_before_and_after(trained, tmp_path, capsys):
    run = open_run(trained, **CRF)
    scores = reports.evaluate(run, tmp_path, overlays=False)
    np.testing.assert_array_equal(scores["confusion"], by_hand(run))
    plain = open_run(trained).score()
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["crf"] == "pydensecrf"
    assert written["before_crf"]["mean_iu"] == pytest.approx(plain["mean_iu"])
    assert "mean IU before the CRF" in capsys.readouterr().out
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert sheet.width > 5 * 32


def test_side_by_side(trained, tmp_path):
    results = reports.compare(open_run(trained, **CRF), tmp_path)
    assert list(results) == ["fcn8s", "fcn8s+CRF"]
    assert (tmp_path / "fcn8s+CRF" / "contact_sheet.png").exists()


def test_side_by_side_a_wrong_file_is_told_before_anything_is_scored(trained, tmp_path):
    (tmp_path / "found.json").write_text('{"bilateral_xy": 20.0}')
    run = open_run(trained, **{"crf.parameters": str(tmp_path / "found.json")})
    with pytest.raises(
        ValueError, match=r"found.json holds no CRF parameters; .* crf_"
    ):
        reports.compare(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_search_writes_what_eval_takes(trained, tmp_path, capsys):
    run = open_run(trained)
    grid = {"bilateral_xy": (20.0,), "bilateral_rgb": (5.0, 13.0)}
    start = crf.PARAMETERS["deeplab"] | {"iterations": 2}
    results = crf_search.search(run, grid, start, num_images=2)
    assert len(results) == 3  # And without a CRF.
    assert results[0]["mean_iu"] == max(r["mean_iu"] for r in results)
    without = next(r for r in results if r["parameters"]["iterations"] == 0)
    assert without["mean_iu"] == pytest.approx(run.score()["mean_iu"])
    path = tmp_path / "crf.json"
    path.write_text(json.dumps({"parameters": results[-1]["parameters"]}))
    scores = open_run(trained, **{"crf.parameters": str(path)}).score()
    assert scores["mean_iu"] == pytest.approx(results[-1]["mean_iu"], abs=1e-6)


def test_a_lattice_that_is_too_small_names_the_image(trained):
    with pytest.raises(
        FloatingPointError, match=r"im\d: the scores are NaN or infinite. .*capac"
    ):
        open_run(trained, **CRF, **{"crf.capacity": 2}).score()


def test_unknown_parameters(trained):
    with pytest.raises(ValueError, match="'pydense' are not known; .* pydensecrf"):
        open_run(trained, **{"crf.parameters": "pydense"}).score()


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
@pytest.mark.parametrize(
    ("flags", "smoothness"),
    [
        ((), {(3.0, 3.0)}),  # Of --start.
        (("--smooth_xy=1", "--smooth_weight=2,4"), {(1.0, 2.0), (1.0, 4.0)}),
    ],
)
def test_smoothness_is_searched_where_asked(
    trained, tmp_path, monkeypatch, flags, smoothness
):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    grid = ("--bilateral_xy=9", "--bilateral_rgb=5", "--bilateral_weight=4")
    out = tmp_path / "crf.json"
    given = (f"--workdir={trained[1]}", f"--out={out}", "--images=1", *grid, *flags)
    with pytest.raises(SystemExit) as ended:
        __main__.main(["fcn_jax", "crf_search", *given])
    assert not ended.value.code
    tried = [found["parameters"] for found in json.loads(out.read_text())["tried"]]
    assert {
        (each["smooth_xy"], each["smooth_weight"])
        for each in tried
        if each["iterations"]
    } == smoothness
    assert all(each["bilateral_xy"] == 9 for each in tried if each["iterations"])


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--images=0", "error: --images=0 is not positive"),
        ("--bilateral_xy=a,b", "error: --bilateral_xy=a,b is not understood"),
    ],
)
def test_mistakes_of_the_search_are_one_message(trained, tmp_path, flag, message):
    folder, workdir = trained
    arguments = (
        f"--config={ROOT / 'configs/camvid_fcn8s.py'}",
        f"--workdir={workdir}",
        f"--config.data.root={folder}",
        f"--out={tmp_path / 'crf.json'}",
        flag,
    )
    with pytest.raises(SystemExit) as ended:
        __main__.main(["fcn_jax", "crf_search", *arguments])
    assert message in ended.value.code  # A text, of which the status is 1.
    assert not (tmp_path / "crf.json").exists()


def test_nan_counts_nowhere():
    batch = {
        "example_valid": np.array([True]),
        "sizes": np.array([[2, 2]]),
        "id": ["photo"],
    }
    pred = np.zeros((1, 3, 3), np.uint8)
    pred[0, 2, 2] = 255  # Beyond the image.
    evaluate._check_classes(batch, pred)
    pred[0, 1, 1] = 255
    with pytest.raises(FloatingPointError, match="photo: the scores are NaN"):
        evaluate._check_classes(batch, pred)
    counts = metrics.confusion_matrix(
        jax.numpy.zeros((1, 2, 2), "int32"),
        jax.numpy.full((1, 2, 2), 255, "int32"),
        3,
        255,
    )
    assert int(np.sum(jax.tree.leaves(counts)[0])) == 0
