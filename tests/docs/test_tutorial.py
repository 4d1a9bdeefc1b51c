"""docs/tutorial.md, run from its first command to its last on a small set."""

import json
import os
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from fcn_jax import __main__
from tests.support import pages

PAGE = "docs/tutorial.md"
# Of a run as small as it can be; the last value of a key counts.
SMALL = {
    "train": (
        "--config.num_steps=2", "--config.log_every=1", "--config.batch_size=2",
        "--config.eval_batch_size=2", "--config.model.width=0.0625",
        "--config.model.fc_features=64", "--config.data.crop=(32,48)",
    ),
}  # fmt: skip


def labelled(folder, names):
    """Photographs with an outline each, as labelme writes them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        photo = rng.integers(0, 90, (120, 160, 3), np.uint8)
        label = ("cup", "plate")[number % 2]
        photo[20:80, 30:110, number % 2] += 160
        Image.fromarray(photo).save(folder / f"{name}.jpg")
        shape = {
            "label": label, "points": [[30, 20], [110, 20], [110, 80], [30, 80]],
            "shape_type": "polygon", "group_id": None, "flags": {},
        }  # fmt: skip
        record = {
            "version": "7.9.1", "flags": {}, "shapes": [shape], "imageData": None,
            "imagePath": f"{name}.jpg", "imageHeight": 120, "imageWidth": 160,
        }  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(record))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder in which somebody follows the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    labelled(tmp_path / "photos", "abcdefghij")
    (tmp_path / "new").mkdir()
    for name in "cd":
        os.link(tmp_path / f"photos/{name}.jpg", tmp_path / f"new/{name}.jpg")
    return tmp_path


def started(words, monkeypatch):
    """The exit status of a command line."""
    argv = ["fcn_jax", *words, *SMALL.get(words[0], ())]
    monkeypatch.setattr(sys, "argv", argv)
    try:
        __main__.main(argv)
    except SystemExit as ended:
        return ended.code or 0
    return 0


@pytest.mark.docs
# Of ml_collections, which loads config files so.
@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_its_commands_run_in_their_order(here, monkeypatch, capsys):
    blocks = [text for language, text in pages.blocks(PAGE) if not language]
    commands = [each for text in blocks for each in pages.commands_of(text)]
    assert [each[0] for each in commands] == [
        "import", "import", "doctor", "train", "status", "eval", "report", "eval",
        "predict", "export",
    ]  # fmt: skip
    # As in a process of one's own, in which nothing was made stricter.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        for command in commands:
            assert started(command, monkeypatch) == 0, command
    printed = capsys.readouterr().out
    assert "8 of train, 2 of val; 3 classes" in printed
    for path in (
        "overlays.png", "runs/mine/curves.png", "runs/mine/eval/val/report.html",
        "predicted/labels/c.png", "predicted/overlays/d.png",
        "predicted/predictions.jsonl", "mine.onnx", "mine/labels.txt",
    ):  # fmt: skip
        assert (here / path).stat().st_size > 0, path
    found = {}
    for text in pages.python_of(PAGE):
        exec(text, found)
        assert found["labels"].shape == (120, 160)
        assert found["labels"].max() < 3
    assert found["colours"].shape == (120, 160, 3)
