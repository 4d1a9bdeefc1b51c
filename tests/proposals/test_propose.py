"""Candidate boxes: where they lie, their order, what is refused."""

import numpy as np
import pytest

from fcn_jax import proposals
from fcn_jax.data import boxes
from tests.support.proposals import METHODS, best_overlap, need_opencv, scene


@pytest.fixture(params=METHODS)
def method(request):
    need_opencv(request.param)
    return request.param


def test_boxes_lie_in_the_image_best_first(method):
    found, scores = proposals.propose(scene(), method, num=200)
    assert (found.dtype, scores.dtype) == (np.int32, np.float32)
    assert found.shape == (len(scores), 4)
    assert 10 < len(found) <= 200
    boxes.check_boxes(found, (100, 120), method)
    assert (np.diff(scores) <= 0).all()
    assert len(np.unique(found, axis=0)) == len(found)
    assert best_overlap(found) > 0.6


def test_equal_images_have_equal_proposals(method):
    one = proposals.propose(scene(), method, seed=3)
    other = proposals.propose(scene(), method, seed=3)
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_small_boxes_do_not_count(method):
    few, _ = proposals.propose(scene(), method, min_side=60, num=3)
    assert len(few) == 3
    assert (few[:, 2:] - few[:, :2]).min() >= 60


def test_nothing_found_needs_no_opencv(monkeypatch):
    none = np.zeros((0, 4), np.int32), np.zeros(0, np.float32)
    monkeypatch.setitem(
        proposals.METHODS, "sliding_windows", lambda image, **options: none
    )
    monkeypatch.setattr(proposals, "defaults", lambda function: {})
    with pytest.warns(UserWarning, match="sliding_windows found no proposal"):
        found, _ = proposals.propose(scene(), "sliding_windows")
    np.testing.assert_array_equal(found, [[0, 0, 100, 120]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num": 0}, "num=0, min_side=16; both are at least 1"),
        ({"min_side": 0}, "num=2000, min_side=0; both are"),
        ({"min_side": 101}, "is 100x120 .* smallest proposal 101x101; leave the image"),
        ({"method": "edgeboxes"}, "'edgeboxes' is not known; there are edge_boxes, se"),
        ({"blurr": 1}, "sliding_windows has no option 'blurr'; it has aspects, blur"),
    ],
)
def test_what_cannot_be_done_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        proposals.propose(scene(), **{"method": "sliding_windows", **options})


def test_images_are_rgb_bytes():
    with pytest.raises(ValueError, match=r"shape \(9, 9\); expected RGB, \[H, W, 3\]"):
        proposals.propose(np.zeros((9, 9), np.uint8), "sliding_windows")
    with pytest.raises(TypeError, match="the image is float64; expected uint8"):
        proposals.propose(np.zeros((99, 99, 3)), "sliding_windows")
