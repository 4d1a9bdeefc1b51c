"""The data of a run: what may change before it goes on, and what is read for it."""

import json
import os

import jax
import numpy as np
import pytest
from PIL import Image

from fcn_jax import runs
from fcn_jax.config import datasets
from fcn_jax.runs import data_record, trainer
from fcn_jax.storage import checkpoints
from tests.support import annotations
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")

COLOURS = np.zeros((256, 3), np.uint8)
COLOURS[[1, 2, 255]] = (0, 0, 200), (200, 0, 0), (224, 224, 192)


@pytest.fixture(scope="module", autouse=True)
def one_device():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        yield


def write_colours(path, order):
    names = ("dark", "middle", "bright")
    pairs = zip(names, order, strict=True)
    lines = [f"{n} {' '.join(map(str, COLOURS[c]))}" for n, c in pairs]
    path.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one step on masks in colours."""
    folder = make_folder(tmp_path_factory.mktemp("data") / "data")
    for mask in (folder / "SegmentationClass").iterdir():
        Image.fromarray(COLOURS[np.array(Image.open(mask))]).save(mask)
        os.utime(mask, ns=(10**18, 10**18))
    write_colours(folder / "colours.txt", (0, 1, 2))
    workdir = tmp_path_factory.mktemp("run") / "run"
    trainer.train(config(folder, 1), workdir)
    return folder, workdir


def config(folder, steps):
    palette = {"data.palette": str(folder / "colours.txt")}
    return tiny_config(folder, num_steps=steps, num_pictures=0, **palette)


@pytest.mark.long
def test_colours_that_are_exchanged_are_other_labels(run):
    folder, workdir = run
    write_colours(folder / "colours.txt", (0, 2, 1))
    try:
        with pytest.raises(ValueError, match="with; their colours differ. Restore the"):
            trainer.train(config(folder, 2), workdir)
    finally:
        write_colours(folder / "colours.txt", (0, 1, 2))


@pytest.mark.long
def test_scored_by_other_colours_it_is_told(run, capsys):
    """A data set may have colours of its own; those of before are read wrongly."""
    folder, workdir = run
    for order in ((0, 1, 2), (0, 2, 1)):
        write_colours(folder / "colours.txt", order)
        try:
            runs.Evaluation(config(folder, 1), workdir)
        finally:
            write_colours(folder / "colours.txt", (0, 1, 2))
        said = capsys.readouterr().out
        told = (
            "'middle' is (200, 0, 0) here and was (0, 0, 200) in training: if" in said
        )
        assert told == (order != (0, 1, 2))


def test_the_next_start_reads_no_mask(run):
    folder, workdir = run
    kept = json.loads((workdir / data_record.DIGESTS).read_text())
    assert len(kept) == 6  # Of both splits.
    parts = trainer.build_parts(config(folder, 2), jax.local_devices())
    sources = parts.train_source, parts.eval_source
    record = data_record.DataRecord(*sources, workdir)
    assert record._digests.read == 0
    store = checkpoints.CheckpointStore(workdir / "checkpoints")
    assert record.metadata.items() <= store.newest().metadata.items()


def test_digests_that_are_wrong_are_no_other_data(run):
    folder, workdir = run
    path = workdir / data_record.DIGESTS
    whole = path.read_text()
    wrong = {name: [*state[:3], "0"] for name, state in json.loads(whole).items()}
    path.write_text(json.dumps(wrong))
    parts = trainer.build_parts(config(folder, 2), jax.local_devices())
    record = data_record.DataRecord(parts.train_source, parts.eval_source, workdir)
    store = checkpoints.CheckpointStore(workdir / "checkpoints")
    record.check(store.newest().metadata, allowed=False)
    record.keep()
    assert path.read_text() == whole


@pytest.mark.long
def test_images_to_score_may_change_and_it_is_told(run, capsys):
    folder, workdir = run
    mask = folder / "SegmentationClass/im0.png"
    labels = np.array(Image.open(mask))
    labels[3, 3] = COLOURS[255]
    Image.fromarray(labels).save(mask)
    for steps, told in ((2, True), (3, False)):
        trainer.train(config(folder, steps), workdir)
        said = capsys.readouterr().out
        assert ("what this run is scored on has changed" in said) == told
        assert ("(its masks)" in said) == told


def test_an_annotation_that_has_changed_is_other_data(tmp_path):
    """Of a tool's files, which a run opens by their format's name."""
    annotations.write("labelme", tmp_path / "src")
    settings = {"data.name": "labelme", "data.data_dir": str(tmp_path / "cache")}
    of_tools = tiny_config(tmp_path / "src", **settings)

    def record():
        train, scored = (
            datasets.open_source(of_tools, which) for which in ("train", "eval")
        )
        return data_record.DataRecord(train, scored, tmp_path / "run")

    begun = record().metadata
    record().check(begun, allowed=False)
    annotations.write("labelme", tmp_path / "src", seed=1)
    with pytest.raises(ValueError, match="with; their masks differ. Restore the"):
        record().check(begun, allowed=False)
