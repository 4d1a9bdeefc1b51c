"""Candidate boxes: where they lie, their order, what is refused."""

import sys
import types
import warnings

import numpy as np
import pytest

from fcn_jax import proposals
from fcn_jax.data import boxes

SQUARE = (30, 20, 70, 90)  # Where `scene` is bright.
OPENCV = ("edge_boxes", "selective_search")
METHODS = (*OPENCV, "sliding_windows")


def need_opencv(*methods):
    if set(methods) & set(OPENCV):
        pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")


@pytest.fixture(params=METHODS)
def method(request):
    need_opencv(request.param)
    return request.param


def scene(size=(100, 120)):
    image = np.random.default_rng(0).integers(40, 60, (*size, 3)).astype(np.uint8)
    image[30:70, 20:90, 0] += 180
    return image


def best_overlap(found):
    return boxes.iou(found, np.array([SQUARE])).max()


def test_boxes_lie_in_the_image_best_first(method):
    found, scores = proposals.proposals(scene(), method, num=200)
    assert (found.dtype, scores.dtype) == (np.int32, np.float32)
    assert found.shape == (len(scores), 4)
    assert 10 < len(found) <= 200
    boxes.check_boxes(found, (100, 120), method)
    assert (np.diff(scores) <= 0).all()
    assert len(np.unique(found, axis=0)) == len(found)
    assert best_overlap(found) > 0.6


def test_equal_images_have_equal_proposals(method):
    one = proposals.proposals(scene(), method, seed=3)
    other = proposals.proposals(scene(), method, seed=3)
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_small_boxes_do_not_count(method):
    few, _ = proposals.proposals(scene(), method, min_side=60, num=3)
    assert len(few) == 3
    assert (few[:, 2:] - few[:, :2]).min() >= 60


def test_small_boxes_leave_the_order_of_the_others():
    need_opencv("edge_boxes")
    every, _ = proposals.proposals(scene(), "edge_boxes")
    sides = (every[:, 2:] - every[:, :2]).min(axis=1)
    assert sides[:3].min() < 60  # Or the test would show nothing.
    few, _ = proposals.proposals(scene(), "edge_boxes", min_side=60, num=3)
    np.testing.assert_array_equal(few, every[sides >= 60][:3])


def test_edge_boxes_count_from_zero():
    """OpenCV adds 1 to x and y: its boxes of noise start at 1."""
    need_opencv("edge_boxes")
    noise = np.random.default_rng(0).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    found, _ = proposals.proposals(noise, "edge_boxes", blur=1.0, min_box_area=100)
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
    monkeypatch.setattr(proposals, "opencv", lambda: module)
    ours, scores = proposals.proposals(np.zeros((60, 60, 3), np.uint8), "edge_boxes")
    np.testing.assert_array_equal(ours, [[0, 0, 20, 30], [2, 4, 52, 44]])
    assert scores.tolist() == [2, 1]


def test_equal_brightness_has_edges_too():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :20, 0], image[:, 20:, 1] = 200, 200
    magnitude, direction = proposals.image_edges(image, blur=1.0)
    assert magnitude[20, 19] == magnitude.max() == 1
    assert magnitude[20, 5] == 0
    assert direction[20, 19] == 0  # Across a vertical edge: along the row.
    _, turned = proposals.image_edges(image.transpose(1, 0, 2), blur=1.0)
    np.testing.assert_allclose(turned[19, 20], np.pi / 2, rtol=1e-6)


def test_directions_are_below_pi():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (60, 60, 3)).astype(np.uint8)
    magnitude, direction = proposals.image_edges(image, 0.5)
    assert (magnitude.dtype, direction.dtype) == (np.float32, np.float32)
    assert direction.min() >= 0
    assert direction.max() < np.float32(np.pi)
    assert magnitude.max() == 1
    flat, _ = proposals.image_edges(np.full((9, 9, 3), 7, np.uint8))
    assert not flat.any()


def test_thin_edges_by_hand():
    magnitude = np.array([[0, 2, 5, 3, 0], [0, 4, 4, 1, 0]], np.float32)
    along_row = np.zeros_like(magnitude)
    np.testing.assert_array_equal(
        proposals.thin_edges(magnitude, along_row),
        [[0, 0, 5, 0, 0], [0, 4, 0, 0, 0]],
    )
    down = np.full_like(magnitude, np.pi / 2)
    np.testing.assert_array_equal(
        proposals.thin_edges(magnitude, down), [[0, 0, 5, 3, 0], [0, 4, 0, 0, 0]]
    )
    # Down and to the right: (0, 1) meets (1, 2), (0, 2) meets (1, 3).
    falling = np.full_like(magnitude, np.pi / 4)
    np.testing.assert_array_equal(
        proposals.thin_edges(magnitude, falling), [[0, 0, 5, 3, 0], [0, 4, 4, 0, 0]]
    )


def test_windows_by_hand():
    image = np.zeros((20, 40, 3), np.uint8)
    found, scores = proposals.proposals(
        image, "sliding_windows", min_side=20, aspects=(1.0,), stride=0.25
    )
    # Five places of a square of 20, each a step of 5 from the last, and the image.
    assert {tuple(box) for box in found.tolist()} == {
        (0, 0, 20, 20),
        (0, 5, 20, 25),
        (0, 10, 20, 30),
        (0, 15, 20, 35),
        (0, 20, 20, 40),
        (0, 0, 20, 40),
    }
    assert not scores.any()


def test_the_score_of_a_window_by_hand(monkeypatch):
    edges = np.zeros((16, 16), np.float32)
    edges[1, 3] = 0.5  # Near the border.
    edges[8, 8] = 1.0  # In the central part, rows and columns 4 to 11.
    monkeypatch.setattr(proposals, "image_edges", lambda image, blur: (edges, None))
    _, scores = proposals.proposals(np.zeros((16, 16, 3), np.uint8), "sliding_windows")
    np.testing.assert_allclose(scores[0], 0.5 / 16**1.5)


def test_the_seed_orders_selective_search():
    need_opencv("selective_search")
    one, _ = proposals.proposals(scene(), "selective_search", seed=0)
    other, _ = proposals.proposals(scene(), "selective_search", seed=1)
    assert not np.array_equal(one, other)
    assert set(map(tuple, one.tolist())) == set(map(tuple, other.tolist()))


def test_ranks_of_selective_search_by_hand(monkeypatch):
    """Three boxes, however OpenCV orders them, each twice the area of the next."""
    found = np.array([[0, 0, 10, 20], [0, 0, 20, 20], [0, 0, 40, 20], [0, 0, 40, 20]])
    search = types.SimpleNamespace(
        setBaseImage=lambda image: None,
        switchToSelectiveSearchFast=lambda: None,
        process=lambda: found.astype(np.int32),
    )
    segmentation = types.SimpleNamespace(
        createSelectiveSearchSegmentation=lambda: search
    )
    module = types.SimpleNamespace(
        ximgproc=types.SimpleNamespace(segmentation=segmentation)
    )
    monkeypatch.setattr(proposals, "opencv", lambda: module)
    image = np.zeros((20, 40, 3), np.uint8)
    ours, scores = proposals.proposals(image, "selective_search", seed=5, min_side=10)
    values = np.random.default_rng(5).random(3) * [1, 2, 3]
    order = np.argsort(values)
    widths = np.array([40, 20, 10])
    np.testing.assert_array_equal(ours[:, 3], widths[order])
    np.testing.assert_allclose(scores, 1 - values[order] / 3, rtol=1e-6)
    found[:] = found[::-1]
    again, _ = proposals.proposals(image, "selective_search", seed=5, min_side=10)
    np.testing.assert_array_equal(again, ours)


def test_a_flat_image_is_one_proposal():
    need_opencv("edge_boxes")
    image = np.full((50, 60, 3), 128, np.uint8)
    with pytest.warns(
        UserWarning, match="edge_boxes found no proposal in an image of 50x60; the whol"
    ):
        found, scores = proposals.proposals(image)
    np.testing.assert_array_equal(found, [[0, 0, 50, 60]])
    assert (found.dtype, scores.dtype, scores.tolist()) == (np.int32, np.float32, [0])


def test_nothing_found_needs_no_opencv(monkeypatch):
    none = np.zeros((0, 4), np.int32), np.zeros(0, np.float32)
    monkeypatch.setitem(
        proposals.METHODS, "sliding_windows", lambda image, **options: none
    )
    monkeypatch.setattr(proposals, "defaults", lambda function: {})
    with pytest.warns(UserWarning, match="sliding_windows found no proposal"):
        found, _ = proposals.proposals(scene(), "sliding_windows")
    np.testing.assert_array_equal(found, [[0, 0, 100, 120]])


@pytest.mark.parametrize("name", OPENCV)
def test_without_opencv_the_extra_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "cv2", None)  # `import cv2` now fails.
    with pytest.raises(ImportError, match=r"extra \[proposals\]\), or take"):
        proposals.proposals(scene(), name)
    assert len(proposals.proposals(scene(), "sliding_windows")[0]) > 10


def test_opencv_without_its_contributed_modules(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", types.ModuleType("cv2"))
    with pytest.raises(ImportError, match=r"no cv2.ximgproc. Remove .*\[proposals\]"):
        proposals.proposals(scene(), "edge_boxes")


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
        proposals.proposals(scene(), **{"method": "sliding_windows", **options})


def test_an_unknown_mode():
    with pytest.raises(ValueError, match="mode='slow' is not known; use 'fast' or"):
        proposals.proposals(scene(), "selective_search", mode="slow")


def test_the_mode_of_quality_finds_more():
    need_opencv("selective_search")
    quality, _ = proposals.proposals(scene(), "selective_search", mode="quality")
    fast, _ = proposals.proposals(scene(), "selective_search")
    assert len(quality) > len(fast)


def test_images_are_rgb_bytes():
    with pytest.raises(ValueError, match=r"shape \(9, 9\); expected RGB, \[H, W, 3\]"):
        proposals.proposals(np.zeros((9, 9), np.uint8), "sliding_windows")
    with pytest.raises(TypeError, match="the image is float64; expected uint8"):
        proposals.proposals(np.zeros((99, 99, 3)), "sliding_windows")


def test_an_image_as_large_as_the_smallest_proposal():
    image = np.zeros((16, 16, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, _ = proposals.proposals(image, "sliding_windows")
    assert [0, 0, 16, 16] in found.tolist()
