"""GrabCut's masks: of one run, of perturbed boxes, and where it finds nothing."""

import numpy as np
import pytest

from fcn_jax.proposals import grabcut

cv2 = pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")
BOX = np.array([10, 12, 34, 40])


def scene():
    """A bright ellipse, which the box is tight around, on dark noise."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 40, (48, 56, 3)).astype(np.uint8)
    rows, columns = np.ogrid[:48, :56]
    ellipse = ((rows - 21.5) / 12) ** 2 + ((columns - 25.5) / 14) ** 2 < 1
    image[ellipse] += 160
    return image, ellipse


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_a_run_cuts_out_what_differs_from_its_surroundings():
    image, ellipse = scene()
    cv2.setRNGSeed(0)
    mask = grabcut.cut_out(cv2, image, BOX, 0.3)
    assert iou(mask, ellipse) > 0.95
    rectangle = np.zeros_like(mask)
    rectangle[10:34, 12:40] = True
    assert not (mask & ~rectangle).any()


def test_perturbed_boxes_make_different_masks_and_the_seed_decides():
    image, ellipse = scene()
    found = grabcut.propose(image, BOX[None], runs=6, iterations=1)
    assert 1 < len(found) <= 6
    assert iou(found.mask(0), ellipse) > 0.95
    again = grabcut.propose(image, BOX[None], runs=6, iterations=1)
    np.testing.assert_array_equal(found.regions, again.regions)
    np.testing.assert_array_equal(found.member, again.member)


def test_perturbations_stay_within_their_shares_and_the_image():
    rng = np.random.default_rng(0)
    box = np.array([0, 20, 40, 60])
    for _ in range(200):
        moved, margin = grabcut._perturbed(box, (48, 56), rng)
        assert np.abs(moved - np.minimum(box, [48, 56] * 2)).max() <= 2
        assert (moved[2:] > moved[:2]).all()
        assert (moved >= 0).all()
        assert (moved[2:] <= (48, 56)).all()
        assert 0.1 <= margin <= 0.6
    tiny, _ = grabcut._perturbed(np.array([47, 55, 48, 56]), (48, 56), rng)
    assert tiny.tolist() == [47, 55, 48, 56]


def test_a_box_without_background_or_foreground_leaves_its_rectangle(monkeypatch):
    image, _ = scene()
    whole = grabcut.cut_out(cv2, image, np.array([0, 0, 48, 56]), 0.3)
    assert whole.all()

    def nothing(image, mask, *_):
        mask[:] = cv2.GC_PR_BGD

    monkeypatch.setattr(cv2, "grabCut", nothing)
    mask = grabcut.cut_out(cv2, image, BOX, 0.3)
    assert mask.sum() == 24 * 28
    assert mask[10:34, 12:40].all()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"image": np.zeros((4, 4), np.uint8)}, ValueError, "expected RGB"),
        ({"image": np.zeros((4, 4, 3))}, TypeError, "image is float64; expected uint8"),
        ({"runs": 0}, ValueError, "grabcut: runs=0, iterations=5; both are at least 1"),
        ({"iterations": 0}, ValueError, "iterations=0"),
        ({"boxes": BOX}, ValueError, r"boxes of shape \(4,\); expected \[K, 4\]"),
        ({"boxes": BOX[None][:0]}, ValueError, r"boxes of shape \(0, 4\)"),
        (
            {"boxes": np.array([[0, 0, 49, 3]])},
            ValueError,
            r"box 0, \(0, 0, 49, 3\), has no area or leaves the image of 48x56",
        ),
    ],
)
def test_wrong_arguments_are_named(changes, error, message):
    arguments = {"image": scene()[0], "boxes": BOX[None], "runs": 2} | changes
    with pytest.raises(error, match=message):
        grabcut.propose(**arguments)
