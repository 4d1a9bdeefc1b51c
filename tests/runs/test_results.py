"""What a run that is done leaves, from what its log and its checkpoints know."""

import json
import types

import pytest

from fcn_jax.runs import results
from fcn_jax.storage import checkpoints


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
