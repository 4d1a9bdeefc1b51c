"""What benchmarks of weak labels share."""

import json

import numpy as np
import pytest

from benchmarks.common import weak_rows


def test_a_run_that_is_done_is_read_and_not_done_again(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    lines = [
        {"kind": "eval", "step": 1, "mean_iu": 0.25},
        {"kind": "eval", "step": 2, "mean_iu": 0.5},
        {"kind": "train", "step": 3, "loss": 1.0},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    assert weak_rows.final_mean_iu("no_config", tmp_path, []) == 0.5


def test_labels_against_masks_by_hand():
    masks = [{"labels": np.array([[0, 0, 1, 255]], np.uint8)}] * 2
    weak = [{"labels": np.array([[0, 1, 1, 1]], np.uint8)}] * 2
    # Of the background 1 of 2, of the object 1 of 2; void does not count.
    found = weak_rows.mean_iu_of_labels(weak, masks, 2, 2)
    assert found == pytest.approx(0.5)
