"""What is said where OpenCV is not there."""

import sys
import types

import pytest

from fcn_jax import proposals
from tests.support.proposals import OPENCV, scene


@pytest.mark.parametrize("name", OPENCV)
def test_without_opencv_the_extra_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "cv2", None)  # `import cv2` now fails.
    with pytest.raises(ImportError, match=r"extra \[proposals\]\), or take"):
        proposals.propose(scene(), name)
    assert len(proposals.propose(scene(), "sliding_windows")[0]) > 10


def test_opencv_without_its_contributed_modules(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", types.ModuleType("cv2"))
    with pytest.raises(ImportError, match=r"no cv2.ximgproc. Remove .*\[proposals\]"):
        proposals.propose(scene(), "edge_boxes")
