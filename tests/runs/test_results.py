"""What a run that is done leaves, from what its log and its checkpoints know."""

import json
import types

import pytest

from fcn_jax.runs import results
from fcn_jax.storage import checkpoints, trees
from tests.support.states import train_state


def test_a_run_without_log_and_scores_has_no_result(tmp_path, monkeypatch):
    newest = checkpoints.Checkpoint(2, {"params": {}}, {})
    scores = checkpoints.CheckpointStore(tmp_path / "checkpoints").scores
    store = types.SimpleNamespace(newest=lambda: newest, scores=scores)
    monkeypatch.setattr(results.trees, "content_hash", lambda arrays: "")
    message = "log.jsonl is missing or has lost its lines, and so has checkpoints_score"
    with pytest.raises(FileNotFoundError, match=message):
        results.write(tmp_path, 2, "", None, store)
    assert not (tmp_path / "result.json").exists()


def test_a_last_step_whose_line_is_not_due_has_a_result(tmp_path, monkeypatch):
    """A run that ends where it had been stopped: the checkpoint knows the loss."""
    lines = [
        {"kind": "train", "step": 1, "loss": 0.5, "mean_loss": 0.5},
        {"kind": "eval", "step": 2, "mean_iu": 0.1},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "log.jsonl").write_text(text)
    newest = checkpoints.Checkpoint(2, {"params": {}}, {"losses": [0.25]})
    store = types.SimpleNamespace(newest=lambda: newest)
    monkeypatch.setattr(results.trees, "content_hash", lambda arrays: "")
    results.write(tmp_path, 2, "", None, store)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["final_loss"] == 0.25


def test_scores_that_are_lost_are_taken_from_the_log(tmp_path):
    """Else the best checkpoint would be deleted as one that nobody has scored."""
    store = checkpoints.CheckpointStore(tmp_path / "checkpoints", keep=1)
    store.scores.record(1, 0.7)
    for step in (1, 2):
        metadata = {"best": {"step": 1, "mean_iu": 0.7} if step == 2 else None}
        store.save(trees.to_arrays(train_state(step)), metadata=metadata)
    store.wait()
    assert results.restore_scores(tmp_path, store) == ""
    store.scores.path.unlink()
    lines = [
        {"kind": "eval", "step": 1, "mean_iu": 7.0},  # Damaged; the checkpoint knows.
        {"kind": "eval", "step": 2, "mean_iu": None},
        {"kind": "eval", "step": 3, "mean_iu": -1.0},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "log.jsonl").write_text(text)
    assert "checkpoints_scores.json was missing; the scores of 2 step" in (
        results.restore_scores(tmp_path, store)
    )
    assert store.scores.read() == {1: 0.7, 2: None}
    store.save(trees.to_arrays(train_state(3)), metadata={})
    store.close()
    assert store.steps() == [1, 3]


def test_scores_that_never_were_are_not_lost(tmp_path):
    store = checkpoints.CheckpointStore(tmp_path / "checkpoints")
    assert results.lost_scores(tmp_path, store) == {}
    (tmp_path / "log.jsonl").write_text('{"kind": "eval", "step": 1, "mean_iu": 0.5}')
    older = types.SimpleNamespace(
        newest_metadata=lambda: {"mean_iu": 0.5, "best": None}, scores=store.scores
    )
    assert results.lost_scores(tmp_path, older) == {}
