"""fcn_jax predict: what is said, and how it ends."""

import json

import pytest

from fcn_jax import __main__
from tests.support.predicting import saved_workdir, write_pictures

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return saved_workdir(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "in")


def run(*arguments):
    """The exit status of fcn_jax predict, or what it ended with."""
    with pytest.raises(SystemExit) as ended:
        __main__.main(["fcn_jax", "predict", *map(str, arguments)])
    return ended.value.code


def test_the_command(workdir, pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert not run(workdir, pictures, f"--out={out}", "--json", "--nooverlays")
    said = capsys.readouterr()
    assert [json.loads(n)["name"] for n in said.out.splitlines()] == [
        "one",
        "sub/one",
        "two",
    ]
    assert "3 images in " in said.err
    assert f"a second); in {out}" in said.err
    (pictures / "three.png").write_bytes(b"")
    assert run(workdir, pictures, f"--out={out}", "--nooverlays") == 1
    assert "3 were there already; 1 passed over" in capsys.readouterr().err


def test_depth_is_for_nets_that_see_it(workdir, pictures, tmp_path):
    out = f"--out={tmp_path / 'out'}"
    message = run(workdir, pictures, out, f"--depth={tmp_path}")
    assert "the network sees rgb; depth beside photographs is for" in message
    video = tmp_path / "clip.mp4"
    video.touch()
    message = run(workdir, video, out, f"--depth={tmp_path}")
    assert "videos have no depth beside them, such as" in message
    message = run(workdir, pictures, out, "--camera=1,1,1,1")
    assert "--camera=1,1,1,1 saw depth; give --depth=DIR too" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "run and image are missing; usage: fcn_jax predict RUN IMAGE|FOLDER"),
        (["RUN"], "an image is missing; usage"),
        (["FILE", "a.png"], "FILE is a file where a run's directory is needed; of wei"),
    ],
)
def test_mistakes_in_the_command_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").touch()
    assert message in run(*arguments, "--out=out")
    assert not (tmp_path / "out").exists()


def test_out_is_missing():
    with pytest.raises(
        SystemExit, match="--out is missing; usage: fcn_jax predict RUN"
    ):
        __main__.main(["fcn_jax", "predict", "RUN", "a.png"])


def test_predictions_are_no_input(workdir, pictures, capsys):
    """--out below the folder of images."""
    for said in ("3 images in ", "3 were there already"):
        assert not run(workdir, pictures, f"--out={pictures / 'predicted'}")
        assert said in capsys.readouterr().err
