"""Selective search of OpenCV, in an order of ours."""

import types

import numpy as np
import pytest

from fcn_jax import proposals
from fcn_jax.proposals import opencv
from tests.support.proposals import need_opencv, scene


def test_the_seed_orders_selective_search():
    need_opencv("selective_search")
    one, _ = proposals.propose(scene(), "selective_search", seed=0)
    other, _ = proposals.propose(scene(), "selective_search", seed=1)
    assert not np.array_equal(one, other)
    assert set(map(tuple, one.tolist())) == set(map(tuple, other.tolist()))


def test_ranks_of_selective_search_by_hand(monkeypatch):
    """Three boxes, however OpenCV orders them, each twice the area of the next."""
    found = np.array([[0, 0, 10, 20], [0, 0, 20, 20], [0, 0, 40, 20], [0, 0, 40, 20]])
    given = []
    search = types.SimpleNamespace(
        setBaseImage=given.append,
        switchToSelectiveSearchFast=lambda: None,
        process=lambda: found.astype(np.int32),
    )
    segmentation = types.SimpleNamespace(
        createSelectiveSearchSegmentation=lambda: search
    )
    module = types.SimpleNamespace(
        ximgproc=types.SimpleNamespace(segmentation=segmentation)
    )
    monkeypatch.setattr(opencv, "load", lambda: module)
    image = np.zeros((20, 40, 3), np.uint8)
    image[..., 0] = 200  # Red.
    ours, scores = proposals.propose(image, "selective_search", seed=5, min_side=10)
    assert given[0][0, 0].tolist() == [0, 0, 200]  # OpenCV's order.
    values = np.random.default_rng(5).random(3) * [1, 2, 3]
    order = np.argsort(values)
    widths = np.array([40, 20, 10])
    np.testing.assert_array_equal(ours[:, 3], widths[order])
    np.testing.assert_allclose(scores, 1 - values[order] / 3, rtol=1e-6)
    found[:] = found[::-1]
    again, _ = proposals.propose(image, "selective_search", seed=5, min_side=10)
    np.testing.assert_array_equal(again, ours)


def test_an_unknown_mode():
    with pytest.raises(ValueError, match="mode='slow' is not known; use 'fast' or"):
        proposals.propose(scene(), "selective_search", mode="slow")


def test_the_mode_of_quality_finds_more():
    need_opencv("selective_search")
    quality, _ = proposals.propose(scene(), "selective_search", mode="quality")
    fast, _ = proposals.propose(scene(), "selective_search")
    assert len(quality) > len(fast)
