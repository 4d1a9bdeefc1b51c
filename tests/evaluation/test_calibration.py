"""Calibration, by hand."""

import numpy as np
import pytest

from fcn_jax.evaluation.calibration import Calibration


def counted(confidence, right, bins=4):
    found = Calibration(bins)
    found.add(np.asarray(confidence, np.float32), np.asarray(right, bool))
    return found


def test_the_expected_error_by_hand():
    found = counted([0.3, 0.5, 0.9, 0.8], [True, False, True, False]).scores()
    assert [(b["low"], b["high"]) for b in found["bins"]] == [(0.25, 0.5), (0.75, 1)]
    low, high = found["bins"]
    assert (low["share"], low["accuracy"]) == (0.5, 0.5)
    assert low["confidence"] == pytest.approx(0.4)
    assert high["confidence"] == pytest.approx(0.85)
    assert found["expected_error"] == pytest.approx(0.5 * 0.1 + 0.5 * 0.35)
    assert found["largest_error"] == pytest.approx(0.35)
    assert found["confidence"] == pytest.approx(0.625)
    assert found["accuracy"] == 0.5


def test_a_bin_holds_its_upper_end():
    found = counted([0.0, 0.25, 0.26, 1.0], [True] * 4)
    np.testing.assert_array_equal(found.count, [2, 1, 0, 1])


def test_batches_are_added_up():
    both = counted([0.3, 0.5], [True, False])
    both.add(np.array([[0.9, 0.8]], np.float32), np.array([[True, False]]))
    whole = counted([0.3, 0.5, 0.9, 0.8], [True, False, True, False])
    assert both.scores() == whole.scores()


def test_nothing_counted():
    assert Calibration().scores() == {
        "expected_error": None,
        "largest_error": None,
        "confidence": None,
        "accuracy": None,
        "bins": [],
    }


def test_no_bins():
    with pytest.raises(ValueError, match="calibration: 0 bins; give 1 or more"):
        Calibration(0)
