"""Runs from boxes: masks are estimated before each epoch, and outlive any end."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from fcn_jax import hosts, parallel
from fcn_jax.config import parts as run_parts
from fcn_jax.data.weak import boxsup as weak
from fcn_jax.proposals.pools import Pools
from fcn_jax.runs import boxsup, compilation, trainer
from fcn_jax.storage import checkpoints
from tests.support.runs import boxsup_config, make_folder

pytestmark = [
    pytest.mark.long,
    pytest.mark.usefixtures("quick_runs_only", "one_device"),
]
pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")
NAMES = ("background", "a", "b")


@pytest.fixture(scope="module")
def one_device():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("folder"), names=NAMES)


def config_of(folder, **changes):
    return boxsup_config(folder, **{"eval_every": 6, "checkpoint_every": 1} | changes)


def masks_of(workdir, step):
    """What a checkpoint says of the masks."""
    store = checkpoints.CheckpointReader(workdir / "checkpoints")
    return store.read(step).metadata[boxsup.KEY]


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory, one_device):
    """A run that nobody interrupted, and the masks of its epochs."""
    workdir = tmp_path_factory.mktemp("finished") / "run"
    trainer.train(config_of(folder, keep_checkpoints=6), workdir)
    return workdir


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


def test_masks_change_with_the_epochs_and_stand_in_checkpoints(finished):
    masks = [masks_of(finished, step) for step in range(1, 7)]
    assert [each["epoch"] for each in masks] == [0, 0, 1, 1, 2, 2]
    assert masks[0] == masks[1]
    assert masks[1]["picks"] != masks[2]["picks"] != masks[4]["picks"]
    for each in masks:
        picks = weak.unpacked(each["picks"])
        assert {place: len(found) for place, found in picks.items()} == dict.fromkeys(
            range(4), 1
        )


def test_no_step_waits_for_longer_than_it_takes(finished):
    """The masks that are estimated between two steps are no input that is late."""
    lines = map(json.loads, (finished / "log.jsonl").read_text().splitlines())
    waits = [line["waiting"] for line in lines if line["kind"] == "train"]
    assert len(waits) == 6
    assert max(waits) <= 1


def test_a_run_that_is_killed_ends_bit_identical(
    folder, finished, tmp_path, monkeypatch
):
    """While masks are estimated; it goes on from within the epoch before."""
    workdir, config = tmp_path / "run", config_of(folder, checkpoint_every=3)
    choose = weak.choose

    def killed(source, place, log_probs, epoch):
        if (epoch, place) == (2, 2):
            raise ConnectionAbortedError("killed")
        return choose(source, place, log_probs, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(weak, "choose", killed)
        with pytest.raises(ConnectionAbortedError):
            trainer.train(config, workdir)
    assert masks_of(workdir, 3) == masks_of(finished, 3)
    trainer.train(config, workdir)
    assert result_of(workdir)["params_sha256"] == result_of(finished)["params_sha256"]
    assert masks_of(workdir, 6) == masks_of(finished, 6)


def test_all_that_the_result_needs_is_compiled_as_the_config_says(
    folder, finished, tmp_path, monkeypatch
):
    """As for a GPU; a CPU's compiler takes these options too, and heeds none."""
    monkeypatch.setattr(compilation, "_GPUS", ("cpu",))
    told, made, compiled = [], parallel.data_parallel, compilation.compile_step

    def note_made(step, devices, **more):
        told.append((step.__name__, more.get("compiler_options")))
        return made(step, devices, **more)

    def note_compiled(step, options, *arguments):
        told.append(("train_step", options))
        return compiled(step, options, *arguments)

    monkeypatch.setattr(parallel, "data_parallel", note_made)
    monkeypatch.setattr(compilation, "compile_step", note_compiled)
    config = config_of(folder, deterministic=True)
    workdir = tmp_path / "run"
    trainer.train(config, workdir)
    options = compilation.xla_options(config, jax.local_devices(), workdir, True)
    assert told == [
        ("eval_step", options),
        ("eval_step", None),  # That of BoxSup, which is asked for its batches alone.
        ("log_probs", options),
        ("train_step", None),
        ("train_step", options),
    ]
    assert Path(options["xla_gpu_per_fusion_autotune_cache_dir"]).is_dir()
    assert result_of(workdir)["params_sha256"] == result_of(finished)["params_sha256"]


class Half(hosts.Crew):
    """One of two processes, which knows what the other gathers."""

    count = 2

    def __init__(self, index, others=()):
        self.index, self.others, self.mine = index, others, None

    def gather(self, what, value):
        self.mine = value
        return [value, *self.others]


def opened(config, memory=None, crew=hosts.ALONE):
    """The masks of a run, before anything is trained."""
    devices = jax.local_devices()
    parts = run_parts.build_parts(config, devices)
    return boxsup.Masks(parts, devices, crew, memory or {})


def estimated(config, crew=hosts.ALONE):
    masks = opened(config, crew=crew)
    line = masks.estimate(0, {})
    return masks, line


def test_without_the_net_the_boxes_suffice(folder):
    masks, line = estimated(config_of(folder))
    assert line.startswith("masks of epoch 0: 4 in 4 images, their boxes at a mean IoU")
    assert not masks.due(0)
    assert not masks.due(1)
    assert masks.due(2)
    assert opened(config_of(folder)).metadata == {}


def test_processes_share_the_images(folder):
    config = config_of(folder)
    other = Half(1)
    estimated(config, other)
    first = Half(0, [other.mine])
    masks, _ = estimated(config, first)
    assert len(weak.unpacked(first.mine)) == len(weak.unpacked(other.mine)) == 2
    assert masks.metadata == estimated(config)[0].metadata


def test_a_checkpoint_knows_the_masks_of_its_epoch(folder):
    config = config_of(folder)
    masks, _ = estimated(config)
    again = opened(config, masks.metadata)
    assert not again.due(1)
    assert again.metadata == masks.metadata
    config.data.boxsup.num = 3
    with pytest.raises(
        ValueError, match="chosen among other candidates than there are"
    ):
        opened(config, masks.metadata)


def test_other_files_of_mcg_are_noticed(folder, monkeypatch):
    """Which may lie elsewhere (`test_a_run_may_move_its_candidates`)."""
    config = config_of(folder)
    before, _ = estimated(config)  # A checkpoint of before knows no files.

    def with_files(digits):
        monkeypatch.setattr(Pools, "key_of", lambda self, names: self.key + digits)
        return opened(config, before.metadata)

    assert not with_files("-0123").due(1)
    before, _ = estimated(config)
    assert not with_files("-0123").due(1)
    with pytest.raises(ValueError, match="among other candidates .* files of MCG"):
        with_files("-4567")


def test_images_with_masks_are_not_estimated(folder):
    masks, line = estimated(config_of(folder, **{"data.strong_images": 3}))
    assert line.startswith("masks of epoch 0: 1 in 1 images")
    assert len(weak.unpacked(masks.metadata[boxsup.KEY]["picks"])) == 1


def test_rectangles_are_told(folder, monkeypatch):
    few = config_of(folder, **{"data.boxsup.num": 1, "data.boxsup.min_iou": 0.99})
    _, line = estimated(few)
    assert ", 4 of them rectangles for want of a candidate (" in line


def test_a_data_set_without_objects_is_named(folder, monkeypatch):
    none = lambda self, item: np.zeros((0, 5), np.int32)  # noqa: E731
    monkeypatch.setattr(weak.BoxSupSource, "boxes", none)
    with pytest.raises(ValueError, match="folder .BoxSup. train: none of 4 images has"):
        estimated(config_of(folder))


def test_other_runs_have_no_masks(folder):
    masks = opened(config_of(folder, **{"data.supervision": ""}))
    assert not masks.due(0)
    assert masks.metadata == {}
