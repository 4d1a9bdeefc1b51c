"""Packed nets: what rounding costs, what the file says, how others start from it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import runs
from fcn_jax.commands import fetch as fetch_command
from fcn_jax.commands import pack as pack_command
from fcn_jax.commands import predict as predict_command
from fcn_jax.preprocessing import IMAGENET, preprocess
from fcn_jax.runs import examination, packing
from fcn_jax.storage import trees
from fcn_jax.weights import WeightsError, fetching, pretrained
from fcn_jax.weights.formats import safetensors
from tests.support import cases
from tests.support.paths import ROOT
from tests.support.patience import SECONDS
from tests.support.runs import make_folder, saved_run, tiny_config

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that scores something, and its data."""
    root = tmp_path_factory.mktemp("packing")
    folder = make_folder(root / "data")
    changes = {"preprocessing": "imagenet", "eval_scale": 0.5}
    config = tiny_config(folder, init_from="elsewhere", **changes)
    config.data.labels = config.data.objects.cache_dir = "elsewhere/too"
    saved_run(root / "run", config)
    return root / "run"


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "tiny-fcn8s.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        found = packing.pack(run, out, commit="abc1234")
    assert found.path == out
    return found


@pytest.fixture
def own(file, tmp_path, monkeypatch):
    """The net as if it came with the package; its name."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "pretrained")
    pretrained.FOLDER.mkdir()
    shutil.copy(file.path, pretrained.FOLDER)
    return file.path.stem


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])


def images(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (2, 24, 32, 3), np.uint8)


def test_rounding_costs_next_to_nothing(run, file):
    before, after = file.mean_iu
    assert before > 0
    assert abs(before - after) <= 0.002
    whole, packed = fcn_jax.load(run), fcn_jax.load(file.path)
    apply = cases.quick_jit(whole.model.apply)
    given = preprocess(images(), IMAGENET)
    logits = [np.asarray(apply(net.variables, given)) for net in (whole, packed)]
    scale = np.abs(logits[0]).max()
    np.testing.assert_allclose(*logits, atol=5e-3 * scale)
    assert np.abs(np.subtract(*logits)).max() > 0
    assert packed.config.eval_scale == 0.5
    assert packed.preprocessing == IMAGENET
    assert packed.heads[0].classes == ("dark", "middle", "bright")
    model, variables = fcn_jax.create("fcn8s", pretrained=file.path)
    assert (model.num_classes, model.encoder.width) == (3, 1 / 16)
    # The first layer is rewritten; what is padded around an image is another grey.
    ours = apply(variables, fcn_jax.preprocess(images()))
    np.testing.assert_allclose(ours, logits[1], atol=0.02 * scale)


def test_kernels_alone_are_rounded(run, file):
    assert file.size == file.path.stat().st_size
    arrays = safetensors.read(file.path)
    kernels = {n for n, x in arrays.items() if x.ndim == 4 and "upscore" not in n}
    assert all(arrays[name].dtype == np.float16 for name in kernels)
    others = {n for n, x in arrays.items() if x.ndim == 1}
    assert {"conv1_1.bias", "bn1_1.running_var"} <= others
    assert all(arrays[name].dtype == np.float32 for name in others)
    small = {"params": {"a": {"kernel": np.array([1e-9, 65_504.0], np.float32)}}}
    assert packing.half(small)["params"]["a"]["kernel"].tolist() == [0.0, 65_504.0]
    small["params"]["a"]["kernel"][0] = 7e4
    with pytest.raises(ValueError, match="a/kernel holds 7e.04, beyond float16"):
        packing.half(small)


def test_the_file_says_what_it_is_and_nothing_of_its_machine(run, file):
    metadata = safetensors.read_metadata(file.path)
    _, record = pretrained.record(file.path)
    assert record["classes"] == {"": ["dark", "middle", "bright"]}
    assert len(record["colours"][""]) == 3
    assert record["commit"] == "abc1234"
    assert record["score"] == {
        "mean_iu": round(file.mean_iu[1], 4),
        "data": "folder val",
        "images": 2,
        "scale": 0.5,
    }
    assert (record["step"], metadata["num_classes"]) == (5, "3")
    assert str(run.parent) not in json.dumps(metadata)
    assert "elsewhere" not in json.dumps(metadata)


def test_other_classes_and_other_networks_start_from_it(file):
    for name, classes in (("fcn8s", 5), ("fcn16s", None)):
        model, variables = fcn_jax.create(name, classes, pretrained=file.path)
        found = trees.flatten(variables)
        assert found["params/score_fr/kernel"].shape[-1] == (classes or 3)
        assert found["params/score_fr/kernel"].any() == (classes != 5)
        assert model.encoder.batch_norm
        assert found["params/conv3_1/kernel"].std() > 0
    with pytest.raises(ValueError, match="option 'wdith' of model 'fcn8s' is not know"):
        fcn_jax.create("fcn8s", pretrained=file.path, wdith=1)
    with pytest.raises(ValueError, match="model 'fcn9s' is not known"):
        fcn_jax.create("fcn9s", pretrained=file.path)
    with pytest.raises(WeightsError, match="none of its arrays is one of the net"):
        fcn_jax.create("fcn8s", 5, pretrained=file.path, width=1 / 32)


def test_without_one_it_is_a_network_alone():
    assert fcn_jax.create("fcn8s").num_classes == 21
    assert fcn_jax.create("fcn8s", 3, encoder="vgg16").num_classes == 3


def test_by_name(own, file, capsys):
    assert pretrained.names() == [own]
    assert fcn_jax.load(own).heads[0].classes == ("dark", "middle", "bright")
    path = str(pretrained.FOLDER / f"{own}.safetensors")
    assert fetching.start_of(own) == (path, None)
    fetch_command.run_flags(None, own)
    out = capsys.readouterr().out
    assert f"{own}\n  file       {path}\n  net        fcn8s, 3 classes\n" in out
    assert f"mean_iu {file.mean_iu[1]:.4f}, data folder val, images 2, scale 0.5" in out
    assert "\n  commit     abc1234\n" in out
    assert f"create('fcn8s', pretrained={own!r}), or fcn_jax.load({own!r})" in out
    fetch_command.run_flags(None)
    assert capsys.readouterr().out.startswith(f"{own}\n  file ")


def test_a_directory_of_that_name_is_a_run(own, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, own)
    assert pretrained.packed(own) is None
    assert fcn_jax.load(own).workdir.is_dir()
    assert fetching.start_of(own) == (own, None)


def test_what_is_no_packed_net(own, file, tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match="pretrained='tiny-fcn8' is no .safetensors file, and no net that comes wi"
        "th the package; did you mean 'tiny-fcn8s'. There are: tiny-fcn8s",
    ):
        fcn_jax.create("fcn8s", pretrained="tiny-fcn8")
    path = tmp_path / "plain.safetensors"
    arrays = safetensors.read(file.path)
    message = "plain.safetensors: it does not say which net it is of .*fcn_jax pack wri"
    for record in ({}, {"run": "{"}, {"run": "[]"}, {"run": '{"config": {}}'}):
        safetensors.write(path, arrays, record)
        with pytest.raises(WeightsError, match=message):
            fcn_jax.load(path)


def refused(run, out, match, **options):
    before = sorted(out.parent.iterdir())
    with pytest.raises(ValueError, match=match):
        packing.pack(run, out, **options)
    assert sorted(out.parent.iterdir()) == before


def test_what_cannot_be_packed(run, tmp_path, monkeypatch):
    out = tmp_path / "net.safetensors"
    out.write_bytes(b"before")
    refused(run, tmp_path / "net.npz", "net.npz is no name for a packed net; give NAM")
    message = r"net.safetensors would have 0.\d MB; expected 0.01 at most. Train a narr"
    refused(run, out, message, most=1e4)
    scores = iter((0.8, 0.79))
    monkeypatch.setattr(
        packing.Evaluation, "score", lambda self: {"mean_iu": next(scores)}
    )
    refused(run, out, "takes mean IU from 0.8000 to 0.7900, and 0.005 is the most that")
    assert out.read_bytes() == b"before"


def test_heads_and_crfs_are_not_packed(tmp_path):
    folder = make_folder(tmp_path / "data")
    config = tiny_config(folder, **{"model.crf": "pydensecrf"})
    saved_run(tmp_path / "run", config)
    message = "run has several heads, or a CRF that was trained with it; a net with one"
    refused(tmp_path / "run", tmp_path / "net.safetensors", message)


def test_the_commands(file, run, monkeypatch, capsys):
    asked = {}

    def pack(*operands, **options):
        asked.update(options, operands=operands)
        return file

    monkeypatch.setattr(packing, "pack", pack)
    values = cases_of(step=None, split="val", root="", commit="c", most_mb=3.0)
    pack_command.run_flags(values, "RUN", "NET")
    assert asked["operands"] == ("RUN", "NET")
    assert (asked["most"], asked["commit"], asked["split"]) == (3e6, "c", "val")
    assert capsys.readouterr().out == (
        f"written: {file.path}, {file.size / 1e6:.1f} MB; mean IU "
        f"{file.mean_iu[1]:.4f} in float16, {file.mean_iu[0]:.4f} before\n"
    )
    with pytest.raises(
        pack_command.flags.Error, match=r"are needed, not \['RUN'\]; us"
    ):
        pack_command.check_flags(values, ["RUN"])
    out = cases_of(out="out", every=1, camera="", depth="")
    predict_command.check_flags(out, [str(file.path), "photo.jpg"])


def cases_of(**values):
    return type("Values", (), values)()


def test_other_variables_are_the_same_after_half():
    model = fcn_jax.create("fcn8s", 3, width=1 / 32, fc_features=64, batch_norm=True)
    variables = cases.random_variables(model)
    rounded = trees.flatten(packing.half(variables))
    for name, x in trees.flatten(variables).items():
        exact = not name.endswith("/kernel")
        np.testing.assert_allclose(
            rounded[name], x, rtol=0 if exact else 1e-3, atol=1e-7
        )


@pytest.mark.parametrize(
    ("name", "options", "text"),
    (
        ("folder.safetensors", {}, "safetensors is a directory; give the name of"),
        (
            "file/new/a.safetensors",
            {},
            r"a.safetensors cannot be written \(.*file is a file\)\. Choose",
        ),
        ("a.safetensors", {"most": float("nan")}, "most=nan bytes are none; give more"),
    ),
)
def test_what_cannot_be_written_is_refused_before_scoring(
    tmp_path, monkeypatch, name, options, text
):
    monkeypatch.setattr(packing, "Evaluation", None)
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises((ValueError, OSError), match=text):
        packing.pack(tmp_path, tmp_path / name, **options)


@pytest.mark.parametrize(
    ("config", "score", "text"),
    (
        ({"model": {"name": "fcn8s", "num_classes": 3}}, {}, "KeyError: 'data'"),
        (
            {"data": {}, "model": {"name": [], "num_classes": 3}},
            {},
            "model.name is .., ",
        ),
        (
            {"data": {}, "model": {"name": "fcn8s", "num_classes": "3"}},
            {},
            "model.num_classes is '3', expected int",
        ),
        (
            {"data": {}, "model": {"name": "fcn8s", "num_classes": 3}},
            [1],
            "score is .1., expected dict",
        ),
    ),
)
def test_records_of_other_kinds(tmp_path, config, score, text):
    facts = {"run": json.dumps({"config": config}), "score": json.dumps(score)}
    path = tmp_path / "a.safetensors"
    numpy_files = pytest.importorskip("safetensors.numpy")
    numpy_files.save_file({"a": np.zeros(1, np.float32)}, path, facts)
    with pytest.raises(WeightsError, match=f"does not say which net .*{text}"):
        pretrained.record(path)


def test_a_packed_net_is_the_second_of_an_ensemble(run, own, file):
    """By its name as by its file; with the run that it was made of little changes."""
    config = fcn_jax.load(run).config
    scores = {}
    for second in (run, own, file.path):
        both = runs.Evaluation(config, run, with_run=second)
        scores[str(second)] = both.score()["mean_iu"]
    assert scores[own] == scores[str(file.path)]
    assert abs(scores[own] - scores[str(run)]) <= 0.002


def test_the_commands_take_a_packed_net(run, file, tmp_path):
    """eval and export as processes; what eval finds lies where one works."""

    def fcn(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "fcn_jax", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    data = f"--config.data.root={run.parent / 'data'}"
    done = fcn("eval", f"--workdir={file.path}", data, "--config.eval_batch_size=8")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "eval_tiny-fcn8s/val/metrics.json").read_text())
    assert found["mean_iu"] == pytest.approx(file.mean_iu[1], abs=1e-6)
    done = fcn("export", f"--workdir={file.path}", "--out=x.zip")
    assert done.returncode == 0, done.stderr
    labels = fcn_jax.load_exported(tmp_path / "x.zip")
    assert labels.classes == ("dark", "middle", "bright")
    done = fcn("export", f"--workdir={run / 'config.json'}", "--out=y.zip")
    assert "config.json is a file; give a run's directory" in done.stderr
    done = fcn("report", "tiny-fcn9s")
    assert "tiny-fcn9s does not exist; give the directory of a run" in done.stderr


def test_a_report_of_a_packed_net(run, file, tmp_path, monkeypatch):
    pytest.importorskip("jinja2")
    monkeypatch.chdir(tmp_path)
    options = examination.Options(root=str(run.parent / "data"), images=1)
    page = examination.report([file.path], None, options)
    assert page == Path("eval_tiny-fcn8s/val/report.html")
    assert "tiny-fcn8s" in page.read_text("utf-8")
