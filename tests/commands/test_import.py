"""fcn_jax import: what is said, and how it ends."""

import re
import sys

import numpy as np
import pytest
from absl import app

from fcn_jax import __main__
from fcn_jax.commands import command
from fcn_jax.data.sources.voc_folder import VocFolder
from tests.support import folders


@pytest.fixture
def run(monkeypatch, capsys):
    """(exit status or message, what was printed) of a command line."""

    def run(*arguments):
        argv = ["fcn_jax", "import", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", argv)
        try:
            __main__.main(argv)
        except SystemExit as end:
            return end.code or 0, capsys.readouterr().out
        return 0, capsys.readouterr().out

    monkeypatch.setattr(command.runtime, "prepare", lambda: None)
    monkeypatch.setattr(
        app, "run", lambda main, argv, flags_parser: main(flags_parser(argv))
    )
    return run


@pytest.fixture
def src(tmp_path):
    for number, name in enumerate("abcd"):
        folders.save(tmp_path / f"src/photos/{name}.jpg", folders.photo(number))
        folders.save(tmp_path / f"src/masks/{name}.png", folders.labels(seed=number))
    (tmp_path / "labels.txt").write_text("0 -> ground\n1 -> car\n* -> void\n")
    return tmp_path / "src"


def test_a_folder_is_made_and_told(run, src, tmp_path):
    status, out = run(
        "folders",
        src,
        tmp_path / "dst",
        f"--labels={tmp_path}/labels.txt",
        "--split=0.5",
    )
    assert status == 0
    assert f"{tmp_path}/dst: 2 of train, 2 of val; 2 classes" in out
    assert re.search(r"^2 +4 +\d+\.\d\d%  void  \(by \*\)$", out, re.MULTILINE)
    assert "next: fcn_jax doctor" in out
    labels = VocFolder(tmp_path / "dst", "train")[0]
    expected = np.array([0, 1, 255])[folders.labels(seed="abcd".index(labels["id"]))]
    np.testing.assert_array_equal(labels["labels"], expected)


def test_colours_of_a_table_are_those_of_palettes(run, src, tmp_path):
    for number, name in enumerate("abcd"):
        path = src / f"masks/{name}.png"
        palette = np.array([(9, 9, 9), (1, 2, 3), (255, 0, 16)])
        folders.save(path, folders.labels(seed=number), palette)
    (tmp_path / "labels.txt").write_text("9,9,9 -> b\n#010203 -> a\n255,0,16 -> b\n")
    table = f"--labels={tmp_path}/labels.txt"
    assert run("folders", src, tmp_path / "dst", table)[0] == 0
    labels = VocFolder(tmp_path / "dst", "val")[0]
    expected = (folders.labels(seed="abcd".index(labels["id"])) == 1).astype(np.uint8)
    np.testing.assert_array_equal(labels["labels"], expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "usage: fcn_jax import FORMAT SRC DST; given were none"),
        (("coca", "a", "b"), "format 'coca' is not known; did you mean 'coco'?"),
        (("coco", "nowhere", "b"), "error: nowhere does not exist; name what is to"),
        (("coco", ".", "b", "--split=2"), "error: --split=2 is no share"),
        (
            ("coco", ".", "b", "--labels=nowhere"),
            "error: nowhere does not exist; expect",
        ),
    ],
)
def test_mistakes_on_the_command_line(run, arguments, message):
    with pytest.raises(SystemExit, match=message):
        raise SystemExit(run(*arguments)[0])


def test_what_names_nothing_says_what_is_held(run, src, tmp_path):
    status, _ = run("folders", src, tmp_path / "dst")
    assert "nothing names what the masks hold, which is 0, 1, 2; give a table" in status
    assert not (tmp_path / "dst").exists()
