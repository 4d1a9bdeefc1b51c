"""fcn_jax export: of a run, its classes, colours and resolution; what is refused."""

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import jax
import numpy as np
import pytest

import fcn_jax
from fcn_jax import data, export
from fcn_jax.commands import export as command
from fcn_jax.config import workdir as workdirs
from fcn_jax.data import label_sets
from fcn_jax.data.contracts import Head
from fcn_jax.runs import recorded
from fcn_jax.storage import checkpoints, trees
from tests.support.exporting import apply, photos
from tests.support.paths import ROOT
from tests.support.patience import SECONDS
from tests.support.runs import make_folder, saved_run, tiny_config

PALETTE = label_sets.VOC.palette


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder, and a run on it, of which only the checkpoint is real."""
    folder = make_folder(tmp_path_factory.mktemp("data"))
    workdir = tmp_path_factory.mktemp("run") / "run"
    return folder, workdir, *saved_run(workdir, tiny_config(folder))


def arguments(workdir, out, **changes):
    given = dict.fromkeys(
        ["step", "classes", "palette", "format", "opset", "precision"]
    )
    given |= {"workdir": str(workdir), "out": str(out), "output": "logits", "crf": True}
    return types.SimpleNamespace(**given | changes)


@pytest.mark.long
def test_the_command(run, tmp_path):
    _, workdir, model, variables = run
    path = tmp_path / "net.zip"
    flags = [f"--workdir={workdir}", f"--out={path}", "--output=logits"]
    done = subprocess.run(
        [sys.executable, "-m", "fcn_jax", "export", *flags],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "fcn8s of step 5, 3 classes" in done.stdout
    assert f"fcn_jax.load_exported('{path}')(images)" in done.stdout
    net = fcn_jax.load_exported(path)
    assert net.classes == ("dark", "middle", "bright")
    assert (net.metadata["step"], net.metadata["config"]["name"]) == (5, "fcn8s")
    images = photos((1, 24, 32))
    theirs = apply(model, variables, images)
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(net(images), theirs, rtol=0, atol=1e-5 * scale)


@pytest.fixture(scope="module")
def scaled_run(run, tmp_path_factory):
    """The same run, scored at another resolution."""

    def made(scale):
        workdir = tmp_path_factory.mktemp("scaled") / "run"
        shutil.copytree(run[1], workdir)
        config = json.loads((workdir / "config.json").read_text())
        (workdir / "config.json").write_text(json.dumps(config | {"eval_scale": scale}))
        return workdir

    return made


@pytest.mark.long
@pytest.mark.parametrize(
    ("scale", "output"),
    ((0.5, "logits"), pytest.param(1.5, "probabilities", marks=pytest.mark.slow)),
)
def test_an_export_sees_images_at_the_scale_of_the_run(
    scaled_run, tmp_path, capsys, scale, output
):
    workdir, path = scaled_run(scale), tmp_path / "net.zip"
    command.run_flags(arguments(workdir, path, output=output))
    said = (
        f"note: it sees images at {scale:g} of their resolution, as the run is scored"
    )
    assert said in capsys.readouterr().out
    exported_net, net = fcn_jax.load_exported(path), fcn_jax.load(workdir)
    assert exported_net.metadata["eval_scale"] == scale
    least = {0.5: 3, 1.5: 1}[scale]
    assert exported_net.smallest_image == least
    for shape in ((25, 47), (least, least)):
        image = photos(shape)
        found = exported_net(image[None])
        if output == "logits":
            found = jax.nn.softmax(found)
        theirs = net.predict_probs([image])[0]
        # Pillow's fixed point leaves a colour one off here and there, and these random
        # weights score it by the ten.
        assert np.abs(found[0] - theirs).mean() < 2e-3


def test_where_names_and_colours_come_from(run, tmp_path):
    folder, _, _, _ = run
    config = tiny_config(folder)
    assert command.heads(config)[0].classes == ("dark", "middle", "bright")
    config.data.name = "shapes"
    assert command.heads(config)[0].classes[:2] == ("background", "disc")
    config.data.name = "voc_segmentation/2012"
    assert command.heads(config)[0].classes == label_sets.VOC.classes
    names, colours = tmp_path / "names.txt", tmp_path / "colours.txt"
    names.write_text("x\ny\nz\n")
    colours.write_text("1 2 3\n4 5 6\n7 8 9\n")
    (found,) = command.heads(config, names, colours)
    assert found.classes == ("x", "y", "z")
    np.testing.assert_array_equal(found.palette[:2], [(1, 2, 3), (4, 5, 6)])
    np.testing.assert_array_equal(command.heads(config, names)[0].palette, PALETTE)
    config.data.name = "folder"  # As of a run that was made of weights alone.
    found = command.heads(config, metadata={"model": {}})
    assert found[0].classes == ("0", "1", "2")
    with pytest.raises(ValueError, match="--palette gives colours to --classes=FILE"):
        command.heads(config, palette=colours)
    config = tiny_config(tmp_path / "gone")
    with pytest.raises(
        FileNotFoundError, match=r"recorded no names .*/gone does.* Give"
    ):
        command.heads(config)


def test_a_run_knows_its_classes_without_its_data(run, tmp_path, monkeypatch):
    """Colours too; names from a file that are not those of training are refused."""
    folder, _, _, variables = run
    config, workdir = tiny_config(tmp_path / "gone"), tmp_path / "run"
    workdirs.write_config(config, workdir)
    (source,) = data.heads("folder", "train", root=str(folder))
    colours = np.arange(768, dtype=np.uint8).reshape(256, 3)
    source = types.SimpleNamespace(heads=(Head("", source.classes, colours),))
    metadata = workdirs.checkpoint_metadata(config) | recorded.labels_of(source)
    store = checkpoints.CheckpointStore(workdir / "checkpoints")
    store.save(trees.of_variables(variables, step=5), metadata=metadata)
    store.close()
    written = {}

    def write(path, *_, **options):
        Path(path).touch()
        written.update(options)

    monkeypatch.setattr(export, "export_network", write)
    command.run_flags(arguments(workdir, tmp_path / "net.zip"))
    assert written["classes"] == ("dark", "middle", "bright")
    np.testing.assert_array_equal(written["palette"][:3], colours[:3])
    names = tmp_path / "names.txt"
    names.write_text("dark\nbright\nmiddle\n")
    with pytest.raises(ValueError, match="class 1 is 'middle' in training and 'br"):
        command.run_flags(arguments(workdir, tmp_path / "net.zip", classes=str(names)))


def test_a_wrong_command_leaves_nothing(run, tmp_path):
    _, workdir, _, _ = run
    out = tmp_path / "out" / "net.zip"
    with pytest.raises(FileNotFoundError, match="is not the directory of a run"):
        command.run_flags(arguments(tmp_path, out))
    with pytest.raises(FileNotFoundError, match="no checkpoint of step 3"):
        command.run_flags(arguments(workdir, out, step=3))
    names = tmp_path / "names.txt"
    names.write_text("x\ny\n")
    with pytest.raises(ValueError, match="scores 3 classes, but there are 2 names"):
        command.run_flags(arguments(workdir, out, classes=str(names)))
    assert not out.parent.exists()
