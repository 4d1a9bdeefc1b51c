"""Ten random faults in a run: the short form of what is tried for hours."""

import random

import pytest

from benchmarks import chaos

pytestmark = pytest.mark.slow


def test_ten_faults(tmp_path):
    report = chaos.chaos(tmp_path, 10, random.Random(3))
    assert sum(report["faults"].values()) == 10
    assert report["failures"] == []
