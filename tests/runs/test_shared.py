"""What the processes of a run agree on before they train, and who of them writes."""

import logging
import re
import shutil
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from PIL import Image

from fcn_jax.config import parts
from fcn_jax.data import contracts
from fcn_jax.hosts import ALONE
from fcn_jax.runs import shared, trainer
from fcn_jax.storage import checkpoints
from fcn_jax.training import TrainState
from tests.support.boards import crews, each
from tests.support.runs import make_folder, tiny_config


def raised(crew_function, count=2):
    found = each(crews(count), crew_function)
    assert all(isinstance(error, ValueError) for error in found), found
    return [str(error) for error in found]


def test_configs_must_be_alike(tmp_path):
    def check(crew):
        shared.check_alike(tiny_config(tmp_path, seed=crew.index, batch_size=4), crew)

    for text in raised(check):
        assert "differ: config.seed is 0 in process 0, 1 in process 1. Start" in text


def test_data_may_lie_elsewhere(tmp_path):
    def check(crew):
        place = tmp_path / str(crew.index)
        names = ("palette", "labels", "images", "masks")
        files = {f"data.{name}": str(place / name) for name in names}
        shared.check_alike(tiny_config(place, **files), crew)

    assert each(crews(2), check) == [None, None]


def test_code_must_be_alike(monkeypatch, tmp_path):
    digests = iter(("aaa", "bbb"))
    monkeypatch.setattr(shared, "_digest_of_code", lambda: next(digests))
    for text in raised(lambda crew: shared.check_alike(tiny_config(tmp_path), crew)):
        assert "differ: the code of fcn_jax is '" in text


def test_data_must_be_alike(tmp_path):
    folders = [make_folder(tmp_path / name) for name in "ab"]
    mask = next((folders[1] / "SegmentationClass").iterdir())
    with Image.open(mask) as image:
        changed = np.minimum(np.array(image), 1)
    Image.fromarray(changed).save(mask)
    size = len(jax.devices())

    def begin(crew):
        config = tiny_config(folders[crew.index], batch_size=size, eval_batch_size=size)
        trainer.Trainer(config, tmp_path / "run", crew=crew)

    for text in raised(begin):
        assert re.search(r"differ: (eval_)?data is \{'\w+': '.* in process 0, ", text)
        assert "Start all with the same command, installation and data." in text
    assert not (tmp_path / "run").exists()


def test_the_digest_is_that_of_the_sources(monkeypatch, tmp_path):
    before = shared._digest_of_code()
    assert before == shared._digest_of_code()
    shutil.copytree(shared.Path(shared.fcn_jax.__file__).parent, tmp_path / "fcn_jax")
    monkeypatch.setattr(shared.fcn_jax, "__file__", str(tmp_path / "fcn_jax/_.py"))
    assert shared._digest_of_code() == before
    with (tmp_path / "fcn_jax/runtime.py").open("a") as file:
        file.write("\n")
    assert shared._digest_of_code() != before


def test_a_directory_that_not_all_see_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(shared, "_SEEN", 0.1)

    def hold(crew):
        with shared.held(tmp_path / str(crew.index), crew):
            pass

    for text in raised(hold):
        assert f"{tmp_path}" in text
        assert (
            "is not shared: what process 0 writes there, process(es) 1 do not" in text
        )


def test_a_directory_that_all_see_is_held_by_the_first(tmp_path, capsys):
    def hold(crew):
        with shared.held(tmp_path / "run", crew):
            crew.gather("inside", None)
            print(f"process {crew.index}")
            found = sorted(path.name for path in (tmp_path / "run").iterdir())
            crew.gather("seen", None)
        return found

    # Threads have one standard output; who is silent is seen one by one below.
    assert each(crews(2), hold) == [[".lock", "running.json"]] * 2
    assert not (tmp_path / "run").exists()  # Nothing was written into it.


def test_only_the_first_prints(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shared, "check_seen", lambda workdir, crew: None)
    for crew in crews(2):
        with shared.held(tmp_path, crew):
            print(f"process {crew.index}")
    assert capsys.readouterr().out == "process 0\n"


def saved(directory, steps):
    store = checkpoints.CheckpointStore(directory, keep=9)
    for step in steps:
        arrays = {"step": np.int32(step), "params": {"x": np.full(3, step, np.float32)}}
        store.save(arrays, metadata={"a": 1})
    store.close()
    return directory


def newest(workdir, count=2, blind=None):
    """The steps that each process goes on from; process 1 cannot read some."""

    def run(crew):
        store = shared.open_store(SimpleNamespace(keep_checkpoints=2), workdir, crew)
        if crew.index == 1 and blind:
            read = store.read

            def without(step):
                if step in blind:
                    raise OSError(f"checkpoint {step}: I/O error")
                return read(step)

            store.read = without
        found = shared.newest(store, crew)
        return found and found.step

    return each(crews(count), run)


def test_all_go_on_from_the_newest(tmp_path):
    saved(tmp_path / "checkpoints", (1, 2))
    assert newest(tmp_path, 3) == [2, 2, 2]
    assert newest(tmp_path / "nothing") == [None, None]


def test_alone_it_is_the_store_s_own(tmp_path):
    store = checkpoints.CheckpointStore(saved(tmp_path / "checkpoints", (1, 2)))
    assert shared.newest(store, ALONE).step == 2


def test_what_one_cannot_read_none_goes_on_from(tmp_path, caplog):
    saved(tmp_path / "checkpoints", (1, 2, 3))
    with caplog.at_level(logging.WARNING):
        assert newest(tmp_path, blind={2, 3}) == [1, 1]
    assert "process 1: checkpoint 3: I/O error. Moved to" in caplog.text
    aside = tmp_path / "checkpoints_damaged"
    assert sorted(path.name for path in aside.iterdir()) == ["2", "3"]


def test_where_one_can_read_nothing_all_end_and_nothing_is_moved(tmp_path):
    saved(tmp_path / "checkpoints", (1, 2))
    for error in newest(tmp_path, blind={1, 2}):
        assert isinstance(error, ValueError)
        assert "no checkpoint can be read by all processes: process 1: check" in str(
            error
        )
    assert not (tmp_path / "checkpoints_damaged").exists()


def start(monkeypatch, values, weights, found=None):
    """Begin a run in which each process has a parameter and class weights."""

    def initial_state(own, *_):
        return TrainState(np.int32(0), {"conv": {"bias": own.value}}, {}, ()), None, {}

    monkeypatch.setattr(shared.beginning, "initial_state", initial_state)

    def begin(crew):
        own = SimpleNamespace(
            value=np.float32(values[crew.index]), class_weights=weights[crew.index]
        )
        return shared.start(own, found, shared.Path(), crew)[2]

    return each(crews(2), begin)


def test_all_begin_alike(monkeypatch):
    assert start(monkeypatch, (1, 1), ((1.0, 2.0),) * 2) == [{}, {}]
    for error in start(monkeypatch, (1, 2), ((), ())):  # As of other init_from.
        assert isinstance(error, ValueError)
        assert "differ: the digest of what training starts from (config.init" in str(
            error
        )
    for error in start(monkeypatch, (1, 1), ((1.0,), (2.0,)), found="a checkpoint"):
        assert isinstance(error, ValueError)
        assert "the weights of classes is [1.0] in process 0, [2.0] in" in str(error)


def test_the_scores_of_a_lost_run_are_no_one_s(tmp_path):
    """Else by early stopping one process would end, and the other wait for it."""
    checkpoints.Scores(tmp_path / "checkpoints").record(5, 0.5)
    config = SimpleNamespace(keep_checkpoints=2)

    def begin(crew):
        store = shared.open_store(config, tmp_path, crew)
        before = store.scores.read()
        note = shared.set_aside("its checkpoints are gone", store, tmp_path, crew)
        assert "before_restart" in note
        moved = not store.scores.path.exists()  # Of what others read next.
        return before, store.scores.read(), moved

    assert each(crews(2), begin) == [({5: 0.5}, {}, True)] * 2


def test_scores_that_are_lost_are_known_to_all_again(tmp_path):
    saved(tmp_path / "checkpoints", (1,))
    (tmp_path / "log.jsonl").write_text('{"kind": "eval", "step": 1, "mean_iu": 0.5}')
    config = SimpleNamespace(keep_checkpoints=2)

    def begin(crew):
        return shared.open_store(config, tmp_path, crew).scores.read()

    assert each(crews(2), begin) == [{1: 0.5}] * 2


def test_nothing_lost_nothing_set_aside(tmp_path):
    assert shared.set_aside("", None, tmp_path, ALONE) == ""


def test_only_the_first_writes(tmp_path):
    workdir = tmp_path / "run"
    saved(workdir / "checkpoints", (1,))
    checkpoints.CheckpointReader(workdir / "checkpoints").scores.record(1, 0.5)
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}

    def run(crew):
        config = SimpleNamespace(keep_checkpoints=2)
        store = shared.open_store(config, workdir, crew)
        if not crew.first:
            assert store.scores.read() == {1: 0.5}
            store.scores.record(2, None)
            assert store.scores.read() == {1: 0.5, 2: None}
            store.save({"step": np.int32(2)}, metadata={})
            store.wait()
            store.close()
            log = shared.open_log(workdir, 1, True, crew)
            log.write("train", 1, {"loss": 1.0})
            log.note_saves([1])
            log.picture("x", 1, np.zeros((1, 1, 3), np.uint8))
            log.flush()
            log.close()
        return crew.first

    assert each(crews(2), run) == [True, False]
    after = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    assert after == before


def test_no_more_processes_than_images(tmp_path, monkeypatch):
    config = tiny_config(make_folder(tmp_path, images=4))  # Two to train on.
    monkeypatch.setattr(contracts, "num_classes", lambda source: 3)
    devices = [SimpleNamespace(process_index=n) for n in range(3)]
    config.batch_size = config.eval_batch_size = 3
    with pytest.raises(
        ValueError,
        match=r"folder train has 2 image\(s\) for 3 processes; start no more",
    ):
        parts.build_parts(config, devices)
    config.batch_size = 4
    with pytest.raises(
        ValueError, match=r"batch of 4 .* over 3 device\(s\) of 3 processes with 1 accu"
    ):
        parts.build_parts(config, devices)
