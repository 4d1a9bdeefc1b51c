"""fcn_jax export --format=onnx, and what both formats share."""

import json
import sys

import numpy as np
import pytest
from absl import flags

from fcn_jax import runtime
from fcn_jax.commands import command as commands
from fcn_jax.commands import export as exporting
from fcn_jax.preprocessing import preprocess
from tests.support import cases
from tests.support.runs import make_folder, saved_run, tiny_config

NEEDS_ONNX = "needs onnx, of the extra [onnx]"


@pytest.fixture
def command(monkeypatch):
    """The command in this process, with the flags of one command line."""
    before = set(flags.FLAGS)
    exporting.define_flags()
    own = set(flags.FLAGS) - before
    monkeypatch.setattr(runtime, "prepare", lambda: None)

    def run(*arguments):
        for name in own:
            flags.FLAGS[name].unparse()
        argv = ["fcn_jax export", *map(str, arguments)]
        found = commands.parse_flags(exporting.COMMAND, argv)
        commands.run(exporting.COMMAND, found[1:])

    yield run
    for name in own:
        delattr(flags.FLAGS, name)
    flags.FLAGS.unparse_flags()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run, its network and variables."""
    folder = make_folder(tmp_path_factory.mktemp("data"))
    config = tiny_config(folder, **{"model.batch_norm": False, "eval_scale": 0.5})
    workdir = tmp_path_factory.mktemp("run") / "run"
    return workdir, *saved_run(workdir, config)


@pytest.fixture(scope="module")
def with_crf(tmp_path_factory):
    """A run whose network has a CRF behind it."""
    folder = make_folder(tmp_path_factory.mktemp("data"))
    changes = {"model.crf": "pydensecrf", "crf.parameters": "pydensecrf"}
    workdir = tmp_path_factory.mktemp("run") / "crf"
    return workdir, *saved_run(workdir, tiny_config(folder, **changes))


@pytest.mark.long
def test_a_file_whose_name_says_onnx(command, run, tmp_path, capsys):
    onnx = pytest.importorskip("onnx", reason=NEEDS_ONNX)
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    workdir, model, variables = run
    path = tmp_path / "net.onnx"
    command(f"--workdir={workdir}", f"--out={path}")
    printed = capsys.readouterr().out
    assert "fcn8s of step 5, 3 classes" in printed
    assert "onnxruntime, 2 x 33x66 pixels: logits within" in printed
    assert f"onnxruntime.InferenceSession('{path}').run(None" in printed
    assert "note: the run is scored at 0.5 of the resolution" in printed
    props = {x.key: x.value for x in onnx.load(path).metadata_props}
    assert json.loads(props["classes"]) == ["dark", "middle", "bright"]
    assert (props["step"], props["void"], props["scale"]) == ("5", "255", "0.5")
    assert json.loads(props["config"])["name"] == "fcn8s"
    images = np.random.default_rng(0).integers(0, 256, (1, 24, 32, 3), np.uint8)
    (ours,) = onnxruntime.InferenceSession(path).run(None, {"images": images})
    theirs = cases.quick_jit(model.apply)(variables, preprocess(images))
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


@pytest.mark.long
def test_options_of_onnx(command, run, tmp_path, capsys, monkeypatch):
    onnx = pytest.importorskip("onnx", reason=NEEDS_ONNX)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    path = tmp_path / "net.bin"
    asked = ("--format=onnx", "--opset=13", "--precision=float16", "--output=labels")
    command(f"--workdir={run[0]}", f"--out={path}", *asked)
    assert "not checked: onnxruntime is not installed" in capsys.readouterr().out
    model = onnx.load(path)
    assert model.opset_import[0].version == 13
    assert [x.name for x in model.graph.output] == ["labels"]
    assert onnx.TensorProto.FLOAT16 in {x.data_type for x in model.graph.initializer}


@pytest.mark.long
def test_what_does_not_go_together(command, run, tmp_path, capsys, monkeypatch):
    given = (f"--workdir={run[0]}", f"--out={tmp_path / 'out' / 'net.zip'}")
    with pytest.raises(SystemExit, match=r"format.* value should be one of <stablehlo"):
        command(*given, "--format=torch")
    with pytest.raises(SystemExit, match=r"--opset=13 is for ONNX files; ask for one "):
        command(*given, "--opset=13")
    with pytest.raises(SystemExit, match=r"--precision=float16 is for ONNX files; ask"):
        command(*given, "--precision=float16")
    with pytest.raises(SystemExit, match=r"--nocrf: no CRF was trained behind the net"):
        command(*given, "--nocrf")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SystemExit, match=r"ONNX files needs onnx, .* install onnx onn"):
        command(*given, "--format=onnx")
    assert not list(tmp_path.iterdir())


def test_an_opset_that_is_too_low(command, run, tmp_path):
    pytest.importorskip("onnx", reason=NEEDS_ONNX)
    given = (f"--workdir={run[0]}", f"--out={tmp_path / 'x.onnx'}")
    for opset in (0, 12):
        with pytest.raises(SystemExit, match=rf"opset={opset} is too low; .* 13 and "):
            command(*given, f"--opset={opset}")
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_crf_stays_behind(command, with_crf, tmp_path, capsys):
    pytest.importorskip("onnx", reason=NEEDS_ONNX)
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    workdir, model, variables = with_crf
    given = (f"--workdir={workdir}", f"--out={tmp_path / 'net.onnx'}")
    for of_file in exporting.FORMATS:
        with pytest.raises(SystemExit, match=r"FCN8s has a CRF behind .*\(--nocrf\)"):
            command(*given, f"--format={of_file}")
    assert not list(tmp_path.iterdir())
    command(*given, "--nocrf")
    printed = capsys.readouterr().out
    assert "the CRF of the run (config.crf.parameters=pydensecrf) is not in" in printed
    images = np.random.default_rng(0).integers(0, 256, (1, 24, 32, 3), np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (ours,) = session.run(None, {"images": images})
    params = {k: v for k, v in variables["params"].items() if k != "crf"}
    theirs = cases.quick_jit(model.network.apply)(
        {**variables, "params": params}, preprocess(images)
    )
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)
