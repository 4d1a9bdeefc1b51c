"""EdgeBoxes of OpenCV, and what is done with them."""

import types

import numpy as np
import pytest

from fcn_jax import proposals
from fcn_jax.proposals import opencv
from tests.support.proposals import need_opencv, scene


def test_small_boxes_leave_the_order_of_the_others():
    need_opencv("edge_boxes")
    every, _ = proposals.propose(scene(), "edge_boxes")
    sides = (every[:, 2:] - every[:, :2]).min(axis=1)
    assert sides[:3].min() < 60  # Or the test would show nothing.
    few, _ = proposals.propose(scene(), "edge_boxes", min_side=60, num=3)
    np.testing.assert_array_equal(few, every[sides >= 60][:3])


def test_edge_boxes_count_from_zero():
    """OpenCV adds 1 to x and y: its boxes of noise start at 1."""
    need_opencv("edge_boxes")
    noise = np.random.default_rng(0).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    found, _ = proposals.propose(noise, "edge_boxes", blur=1.0, min_box_area=100)
    assert found[:, :2].min(axis=0).tolist() == [0, 0]
    # The border of a pixel holds no edges.
    assert found[:, 2:].max(axis=0).tolist() == [99, 119]


def test_edge_boxes_by_hand(monkeypatch):
    found = np.array([[1, 1, 30, 20], [5, 3, 40, 50]], np.int32)  # x, y, w, h from 1.
    search = types.SimpleNamespace(
        getBoundingBoxes=lambda edges, directions: (found, np.float32([[2], [1]]))
    )
    module = types.SimpleNamespace(
        ximgproc=types.SimpleNamespace(createEdgeBoxes=lambda **options: search)
    )
    monkeypatch.setattr(opencv, "load", lambda: module)
    ours, scores = proposals.propose(np.zeros((60, 60, 3), np.uint8), "edge_boxes")
    np.testing.assert_array_equal(ours, [[0, 0, 20, 30], [2, 4, 52, 44]])
    assert scores.tolist() == [2, 1]


def test_a_flat_image_is_one_proposal():
    need_opencv("edge_boxes")
    image = np.full((50, 60, 3), 128, np.uint8)
    with pytest.warns(
        UserWarning, match="edge_boxes found no proposal in an image of 50x60; the whol"
    ):
        found, scores = proposals.propose(image)
    np.testing.assert_array_equal(found, [[0, 0, 50, 60]])
    assert (found.dtype, scores.dtype, scores.tolist()) == (np.int32, np.float32, [0])


def test_proposals_do_not_depend_on_the_images_before():
    """An EdgeBoxes object of OpenCV (4.13, 5.0) remembers: each image has its own."""
    need_opencv("edge_boxes")
    image, other = scene(), scene()[::-1, ::-1].copy()
    first = proposals.propose(image, "edge_boxes")
    proposals.propose(other, "edge_boxes")
    for ours, again in zip(first, proposals.propose(image, "edge_boxes"), strict=True):
        np.testing.assert_array_equal(ours, again)
