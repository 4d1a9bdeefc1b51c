"""The scores beside a run's checkpoints."""

import json

import pytest

from fcn_jax.storage.scores import Scores


@pytest.fixture
def scores(tmp_path):
    return Scores(tmp_path / "checkpoints")


def test_what_was_recorded_is_read(scores):
    assert scores.read() == {}
    scores.record(20, 0.5)
    scores.record(3, None)
    assert scores.read() == {3: None, 20: 0.5}
    assert (scores.of(20), scores.of(3), scores.of(4)) == (0.5, None, None)
    assert [scores.has(step) for step in (3, 20, 4)] == [True, True, False]
    assert list(json.loads(scores.path.read_text())["mean_iu"]) == ["3", "20"]


def test_the_best_is_the_last_of_equals(scores):
    for step, value in ((1, 0.2), (2, 0.7), (3, 0.7), (4, None), (5, 0.1)):
        scores.record(step, value)
    assert scores.best([1, 2, 3, 4, 5]) == [3]
    assert scores.best([1, 5]) == [1]
    assert scores.best([4]) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"mean_iu": {"1": 0.', "JSONDecodeError"),
        ('{"mean_iu": {"1": "NaN"}}', "ValueError"),
        ('{"mean_iu": {"1": NaN}}', "ValueError"),
        ('{"mean_iu": {"1": 1.5}}', "ValueError"),
        ('{"mean_iu": {"one": 0.5}}', "ValueError"),
        ('{"mean_iu": [0.5]}', "AttributeError"),
        ('{"mean_iou": {}}', "KeyError"),
        ("[]", "TypeError"),
    ],
)
def test_a_damaged_file_is_named(scores, text, reason):
    scores.path.write_text(text)
    message = rf"checkpoints_scores.json is damaged \({reason}: .*\), so that it is not"
    with pytest.raises(ValueError, match=message):
        scores.read()


@pytest.mark.parametrize(
    ("old", "new"), (("0.5", "0.6"), ('"7"', '"8"'), ("sha256", "sha255"))
)
def test_a_changed_character_is_found(scores, old, new):
    """Else another checkpoint would be the best, be kept, and be evaluated."""
    scores.record(3, 0.5)
    scores.record(7, 0.25)
    text = scores.path.read_text()
    assert text.count(old) == 1
    scores.path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match="damaged .ValueError: .*delete it to tak"):
        scores.best([3, 7])


def test_what_older_versions_wrote_is_read(scores):
    scores.path.write_text('{"mean_iu": {"3": 0.5}}')
    assert scores.read() == {3: 0.5}
    scores.record(4, 0.6)
    assert scores.read() == {3: 0.5, 4: 0.6}
