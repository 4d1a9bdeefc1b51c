"""fcn_jax heatmap: a picture, and what is wrong in one line."""

import numpy as np
import pytest
from absl import flags
from PIL import Image

from fcn_jax import __main__ as main
from fcn_jax import runtime
from fcn_jax.commands import command as commands
from fcn_jax.commands import heatmap
from tests.support import classifiers


@pytest.fixture
def command(monkeypatch):
    """The command in this process, with the flags of one command line."""
    before = set(flags.FLAGS)
    heatmap.define_flags()
    monkeypatch.setattr(runtime, "prepare", lambda: None)

    def run(*arguments):
        argv = ["fcn_jax heatmap", *map(str, arguments)]
        found = commands.parse_flags(heatmap.COMMAND, argv)
        commands.run(heatmap.COMMAND, found[1:])

    yield run
    for name in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, name)
    flags.FLAGS.unparse_flags()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A classifier and a photo that is too small for it."""
    folder = tmp_path_factory.mktemp("heatmap")
    weights, photo = folder / "net.caffemodel", folder / "photo.png"
    classifiers.write(weights, "caffenet")
    pixels = np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)
    Image.fromarray(pixels).save(photo)
    return weights, photo


def test_a_photo_is_drawn(command, files, tmp_path, capsys):
    weights, photo = files
    out = tmp_path / "heat.png"
    command(f"--weights={weights}", "--class=3", photo, f"--out={out}", "--size=250")
    assert "caffenet: 2x4 cells; class 3 has " in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.size == (2 * 300 + 18, 250 + 68)


def test_its_help_has_examples_and_it_is_listed():
    assert heatmap.COMMAND.text.count("fcn_jax heatmap --weights=") == 3
    assert "heatmap" in main.PURPOSES["Using one"]


@pytest.mark.parametrize(
    ("given", "message"),
    (
        ({"class": 10}, "error: class 10 is not known; .* 10 classes, numbered 0 to 9"),
        ({"class": -1}, "error: class -1 is not known"),
        ({"class": None}, "--class is missing; usage: fcn_jax heatmap"),
        ({"class": "cat"}, "class.*'cat'"),
        ({"weights": None}, "--weights is missing"),
        ({"weights": "nothing.caffemodel"}, "error: nothing.caffemodel does not exist"),
        ({"weights": "bvlc_googlenet"}, "--weights=bvlc_googlenet names weights that "
         "are not there yet: .* fcn_jax fetch bvlc_googlenet"),
        ({"out": None}, "--out is missing"),
        ({"photo": None}, "0 photos are given; usage"),
        ({"photo": "nothing.jpg"}, "error: .*nothing.jpg"),
        ({"size": 0}, "error: an image is 100x120 pixels; the classifier sees 227x227"),
        ({"size": -5}, "--size=-5 is negative"),
        ({"inputs": "nyud_rgbd"}, "^fcn_jax heatmap: inputs='nyud_rgbd' is RGBD, and a "
         "classifier sees photographs, which are RGB; choose one of caffe, imagenet, "
         "nyud_rgb, sift_flow"),
        ({"inputs": "nyud_hha"}, "^fcn_jax heatmap: inputs='nyud_hha' is HHA, and a "),
        ({"inputs": "caffee"}, "inputs='caffee' is not known; choose one of caffe, im"),
        ({"net": "vgg16"}, "error: .* layers of alexnet or caffenet, not of vgg16"),
    ),
)  # fmt: skip
def test_mistakes(command, files, tmp_path, monkeypatch, given, message):
    weights, photo = files
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    out = tmp_path / "heat.png"
    options = {"weights": weights, "class": 3, "out": out, "size": 227} | given
    photo = options.pop("photo", photo)
    arguments = [f"--{name}={x}" for name, x in options.items() if x is not None]
    with pytest.raises(SystemExit, match=message):
        command(*arguments, *([photo] if photo else []))
    assert not out.exists()


def test_where_nothing_can_be_written_is_known_before_the_work(
    command, files, tmp_path, monkeypatch
):
    monkeypatch.setattr(heatmap, "image_files", None)  # Nothing is looked at.
    weights, photo = files
    given = (f"--weights={weights}", "--class=3", photo)
    match = rf"--out={photo}/new/a.png cannot be written \({photo} is a file\)\. Choose"
    with pytest.raises(SystemExit, match=match):
        command(*given, f"--out={photo}/new/a.png")
    with pytest.raises(SystemExit, match=f"--out={tmp_path} is a directory"):
        command(*given, f"--out={tmp_path}")


def test_a_photo_that_is_none(command, files, tmp_path):
    weights, _ = files
    photo = tmp_path / "photo.jpg"
    photo.write_text("no picture")
    out = tmp_path / "heat.png"
    with pytest.raises(SystemExit, match=r"error: .*photo\.jpg"):
        command(f"--weights={weights}", "--class=3", photo, f"--out={out}")
    assert not out.exists()


def test_a_file_that_is_no_classifier(command, files, tmp_path):
    _, photo = files
    weights = tmp_path / "trunk.caffemodel"
    classifiers.write(weights, "vgg16", leave_out=("fc8",))
    with pytest.raises(SystemExit, match="error: .* has no last layer .fc8."):
        command(
            f"--weights={weights}", "--class=3", photo, f"--out={tmp_path / 'x.png'}"
        )
