"""Segments of items, kept; what they are is tested where they are made."""

import numpy as np
import pytest

from fcn_jax.proposals import segments
from fcn_jax.proposals.segment_cache import SegmentCache

IMAGE = np.zeros((24, 32, 3), np.uint8)
IMAGE[4:20, 6:26] = 200


def test_segments_are_made_once_and_have_boxes(tmp_path, monkeypatch):
    cache = SegmentCache(directory=tmp_path, num=5, options={"min_side": 4})
    item = {"image": IMAGE, "id": "a/b"}
    found = cache.of_item(item)
    assert 1 <= len(found) <= 5
    np.testing.assert_array_equal(cache.boxes_of(item), found.boxes)

    def refuse(*args, **kwargs):
        raise AssertionError("they are there")

    monkeypatch.setattr(segments, "propose", refuse)
    again = SegmentCache(directory=tmp_path, num=5, options={"min_side": 4})
    np.testing.assert_array_equal(again.of_item(item).member, found.member)


def test_methods_of_boxes_are_refused():
    with pytest.raises(
        ValueError, match="segments by 'edge_boxes' are not known; take"
    ):
        SegmentCache("edge_boxes")
