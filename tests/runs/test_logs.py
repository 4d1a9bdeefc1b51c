import contextlib
import errno
import json
import struct
import sys
import types

import numpy as np
import pytest
import tensorboardX
from tensorboardX.proto import event_pb2

from fcn_jax.runs import logs, trainer


def test_lines_come_back_in_order(tmp_path):
    log = logs.RunLog(tmp_path)
    log.write("train", 1, {"loss": 0.1})
    log.write("eval", 1, {"mean_iu": 0.5, "iu": {"disc": None}})
    log.picture("prediction", 1, np.zeros((4, 4, 3), np.uint8))
    log.close()
    entries = logs.read(tmp_path / "log.jsonl")
    assert entries[0] == {"kind": "train", "step": 1, "loss": 0.1}
    assert entries[1]["iu"] == {"disc": None}
    assert list((tmp_path / "tensorboard").iterdir())


def test_resuming_drops_the_steps_that_will_be_done_again(tmp_path):
    log = logs.RunLog(tmp_path)
    for step in range(1, 6):
        log.write("train", step, {"loss": 1 / step})
    log.close()
    log = logs.RunLog(tmp_path, step=3)
    log.write("train", 4, {"loss": 4.0})
    log.close()
    entries = logs.read(tmp_path / "log.jsonl")
    assert [e["step"] for e in entries] == [1, 2, 3, 4]
    assert (entries[2]["loss"], entries[3]["loss"]) == (1 / 3, 4.0)


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path):
    path = tmp_path / "log.jsonl"
    line = {"kind": "train", "step": 1, "loss": 0.5}
    path.write_text(json.dumps(line) + '\n{"kind": "tra')
    logs.RunLog(tmp_path, step=5).close()
    assert logs.read(path) == [line]
    assert path.read_text().endswith("}\n")


def test_no_log_is_no_lines(tmp_path):
    assert logs.read(tmp_path / "log.jsonl") == []


def test_nan_is_refused_because_json_has_none(tmp_path):
    log = logs.RunLog(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.write("train", 1, {"loss": float("nan")})
    log.close()


def points(directory, tag):
    """How often a tag stands in the event files of a directory."""
    content = b"".join(path.read_bytes() for path in directory.iterdir())
    return content.count(tag)


def test_after_a_flush_all_points_are_on_disk(tmp_path):
    log = logs.RunLog(tmp_path)
    for step in range(1, 21):
        log.write("train", step, {"loss": 1 / step})
    log.flush()
    assert points(tmp_path / "tensorboard", b"train/loss") == 20
    log.flush()  # Nothing new: nothing to do.
    log.write("train", 21, {"loss": 0.0})
    log.close()
    assert points(tmp_path / "tensorboard", b"train/loss") == 21


def events(directory):
    """The events of all files in order: records of a length, its sum, bytes, a sum."""
    found = []
    for path in sorted(directory.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = event_pb2.Event()
            event.ParseFromString(data[at + 12 : at + 12 + length])
            found.append(event)
            at += length + 16
    return sorted(found, key=lambda event: event.wall_time)


def shown(directory):
    """The steps that TensorBoard shows: a start drops those at and after its step."""
    steps = []
    for event in events(directory):
        if event.session_log.status == event_pb2.SessionLog.START:
            steps = [step for step in steps if step < event.step]
        steps += [event.step for value in event.summary.value]
    return steps


def test_steps_that_are_done_again_are_shown_once(tmp_path):
    """Killed at step 6 and resumed from 3; TensorBoard has each step once."""
    log = logs.RunLog(tmp_path)
    for step in range(1, 7):
        log.write("train", step, {"loss": 1.0})
    log.close()
    log = logs.RunLog(tmp_path, step=3)  # Within the same second, as in a notebook.
    for step in range(4, 8):
        log.write("train", step, {"loss": 2.0})
    log.close()
    assert points(tmp_path / "tensorboard", b"train/loss") == 10
    assert shown(tmp_path / "tensorboard") == [1, 2, 3, 4, 5, 6, 7]


def test_what_led_to_a_checkpoint_is_on_disk_when_it_is_saved(tmp_path, monkeypatch):
    """A kill right after a save loses no point before it."""
    log = logs.RunLog(tmp_path)
    seen = []

    def save(arrays, metadata):
        seen.append(points(tmp_path / "tensorboard", b"train/loss"))

    monkeypatch.setattr(trainer.parallel, "unreplicate", lambda state: state)
    monkeypatch.setattr(trainer.trees, "to_arrays", lambda state: state)
    monkeypatch.setattr(trainer.recorded, "labels_of", lambda source: {})
    monkeypatch.setattr(trainer.workdirs, "checkpoint_metadata", lambda config: {})
    run = types.SimpleNamespace(
        log=log,
        step=20,
        best=None,
        state=None,
        config=None,
        data=types.SimpleNamespace(metadata={}),
        stopping=types.SimpleNamespace(saving=contextlib.nullcontext),
        losses=types.SimpleNamespace(collect=lambda store: None, losses=[]),
        masks=types.SimpleNamespace(metadata={}),
        parts=types.SimpleNamespace(train_source=None, class_weights=()),
        store=types.SimpleNamespace(save=save, steps=lambda: [20]),
    )
    with contextlib.closing(log):
        for step in range(1, 21):
            log.write("train", step, {"loss": 1.0})
        trainer.Trainer.save(run)
    assert seen == [20]


def test_an_evaluation_that_was_not_finished_is_written_again(tmp_path):
    log = logs.RunLog(tmp_path)
    for kind in ("train", "eval"):
        log.write(kind, 3, {"loss": 1, "mean_iu": 1})
    log.close()
    logs.RunLog(tmp_path, step=3).close()
    assert len(logs.read(tmp_path / "log.jsonl")) == 2
    logs.RunLog(tmp_path, step=3, scored=False).close()
    (entry,) = logs.read(tmp_path / "log.jsonl")
    assert entry["kind"] == "train"


def test_what_is_no_line_of_a_log_is_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    line = '{"kind": "eval", "step": 2, "mean_iu": null}'
    path.write_text(f'[1]\n{{"kind": "train"}}\n{{"step": "x"}}\n{line}\nnull\n')
    assert logs.read(path) == [json.loads(line)]


def test_a_full_disk_names_the_log(tmp_path):
    def fail(text):
        raise OSError(errno.ENOSPC, "No space left on device")

    log = logs.RunLog(tmp_path)
    log._file.close()
    log._file = types.SimpleNamespace(write=fail, close=lambda: None)
    with pytest.raises(OSError, match="log.jsonl could not be written .*Make room"):
        log.write("train", 1, {"loss": 0.1})
    log.close()


def test_a_log_of_other_bytes_has_no_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'\xfc\xfd\n{"kind": "train", "step": 2, "loss": 1}\n')
    assert logs.read(path) == [{"kind": "train", "step": 2, "loss": 1}]


def test_a_full_disk_names_the_events(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log = logs.RunLog(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(log._events._writer, "close", fail)
        with pytest.raises(OSError, match="tensorboard could not be written .*Make ro"):
            log.flush()
    log.close()
    monkeypatch.setattr(tensorboardX, "SummaryWriter", lambda *_, **__: fail())
    with pytest.raises(OSError, match="tensorboard could not be written .*Make room"):
        logs.RunLog(tmp_path)


def test_lines_that_are_lost_are_told(tmp_path):
    log = logs.RunLog(tmp_path)
    for step in (2, 4, 6):
        log.write("train", step, {"loss": 0.1})
    log.close()
    for last in (0, 2, 6):
        assert logs.note_of_loss(tmp_path, last) == ""
    note = logs.note_of_loss(tmp_path, 8)
    assert "log.jsonl has lost lines: it ends with step 6, and the checkp" in note
    assert "is of step 8 or later" in note
    log.path.unlink()
    assert "it holds no losses, and the che" in logs.note_of_loss(tmp_path, 2)
    assert logs.note_of_loss(tmp_path, 0) == ""


@pytest.mark.parametrize("error", ("OSError('libtorch.so: no such file')", "KeyError"))
def test_without_tensorboard_training_goes_on(tmp_path, monkeypatch, capsys, error):
    """A broken PyTorch beside it fails with whatever error it likes."""
    (tmp_path / "tensorboardX.py").write_text(f"import json\nraise {error}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorboardX")
    log = logs.RunLog(tmp_path / "run")
    log.write("train", 1, {"loss": 0.1})
    log.picture("prediction", 1, np.zeros((4, 4, 3), np.uint8))
    log.flush()
    log.write("train", 2, {"loss": 0.1})
    log.close()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        "note: TensorBoard's curves are not written: tensorboardX ca"
    )
    assert [e["step"] for e in logs.read(tmp_path / "run/log.jsonl")] == [1, 2]
