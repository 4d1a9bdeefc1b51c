"""config.data.objects: what training sees, evaluation does not, and what is refused."""

import jax
import numpy as np
import pytest

from fcn_jax.config import datasets, examples
from fcn_jax.config import workdir as workdirs
from fcn_jax.proposals import cache as proposal_cache
from fcn_jax.runs import logs, trainer
from tests.support.runs import make_folder, tiny_config

pytestmark = pytest.mark.usefixtures("quick_runs_only")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("folder"))


def staged(folder, stage, **changes):
    """A config of small examples, proposed by windows."""
    small = {
        "data.objects.stage": stage,
        "data.objects.size": 20,
        "data.objects.proposal_method": "sliding_windows",
        "data.objects.num_proposals": 40,
        "data.crop": (16, 16),
    }
    return tiny_config(folder, **{**small, **changes})


def test_whole_images_by_default(folder):
    source = datasets.open_source(tiny_config(folder), "train")
    assert (source.name, len(source)) == ("folder", 4)


def test_stage_1(folder):
    config = staged(folder, "objects")
    source = datasets.open_source(config, "train")
    # make_folder draws one object an image, its right half; without the void row.
    assert source.index[:, 3:].tolist() == [[1, 16, 24, 32]] * len(source)
    assert source[0]["labels"].shape == (20, 20)
    assert datasets.describe_source(source) == (
        f"folder (objects) train: {len(source)} images, 3 classes"
    )
    whole = datasets.open_source(config, "eval")
    assert (whole.name, whole[0]["labels"].shape) == ("folder", (24, 32))


def test_stage_2(folder, tmp_path):
    config = staged(folder, "proposals", **{"data.objects.cache_dir": str(tmp_path)})
    source = datasets.open_source(config, "train")
    cache = examples.make_proposal_cache(config, tmp_path)
    images = datasets.open_split(config, "train")
    assert set(source.index[:, 0]) == {0, 1, 2, 3}
    for number, _, _, *box in source.index[:5].tolist():
        assert box in cache.boxes_of(images[number]).tolist()
    assert len(list(tmp_path.iterdir())) == 4 + 1
    # A higher overlap leaves fewer of the same proposals.
    config.data.objects.min_iou = 0.7
    config.data.objects.balance = 1
    fewer = datasets.open_source(config, "train")
    assert len(fewer) < len(source)
    assert len(list(tmp_path.iterdir())) == 4 + 2


def test_settings_reach_the_crops(folder, monkeypatch, tmp_path):
    seen = {}

    def record(source, boxes_of=None, **options):
        seen.update(options)
        return source

    monkeypatch.setattr(examples.crops, "ProposalCrops", record)
    monkeypatch.setattr(examples.crops, "ObjectCrops", record)
    values = {"size": 30, "extension": 1.5, "min_area": 7, "balance": 3}
    changes = {f"data.objects.{name}": value for name, value in values.items()}
    datasets.open_source(staged(folder, "objects", **changes), "train")
    assert seen == {**values, "cache_dir": None}
    seen.clear()
    changes |= {"data.objects.min_iou": 0.6, "data.objects.cache_dir": str(tmp_path)}
    config = staged(folder, "proposals", **changes)
    datasets.open_source(config, "train")
    key = proposal_cache.ProposalCache(tmp_path, "sliding_windows", num=40).key
    assert seen == {
        **values,
        "min_iou": 0.6,
        "cache_dir": str(tmp_path),
        "boxes_name": key,
    }


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        ("crops", {}, "config.data.objects.stage='crops' is not known; use 'objects',"),
        (
            "objects",
            {"data.crop": (16, 21)},
            r"data.crop=\(16, 21\) is larger than the",
        ),
        (
            "proposals",
            {},
            "needs a place for the proposals.* -m fcn_jax proposals --out",
        ),
        (
            "proposals",
            {"data.objects.cache_dir": "unused", "data.objects.proposal_method": "x"},
            "proposals: method 'x' is not known; there are edge_boxes",
        ),
    ],
)
def test_wrong_settings_are_named(folder, stage, changes, message):
    with pytest.raises(ValueError, match=message):
        datasets.open_source(staged(folder, stage, **changes), "train")


@pytest.mark.parametrize("stage", ("objects", "proposals"))
def test_two_steps_of_a_stage(folder, tmp_path, monkeypatch, stage):
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    config = staged(
        folder,
        stage,
        num_steps=2,
        eval_every=2,
        **{"data.objects.cache_dir": str(tmp_path / "cache")},
    )
    with jax.numpy_dtype_promotion("standard"):  # Of optax's schedules.
        trainer.train(config, tmp_path / "run")
    entries = logs.read(tmp_path / "run" / "log.jsonl")
    assert [e["step"] for e in entries if e["kind"] == "train"] == [1, 2]
    assert all(np.isfinite(e["loss"]) for e in entries if e["kind"] == "train")


def test_a_run_may_move_its_cache(folder, tmp_path):
    config = staged(folder, "objects", **{"data.objects.cache_dir": "here"})
    workdirs.write_config(config, tmp_path)
    config.data.objects.cache_dir = "there"
    workdirs.check_workdir(config, tmp_path)
    config.data.objects.min_iou = 0.7
    with pytest.raises(ValueError, match="data.objects.min_iou: 0.5 there, 0.7 now"):
        workdirs.check_workdir(config, tmp_path)
