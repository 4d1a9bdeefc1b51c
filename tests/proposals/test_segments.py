"""Selective search's segments: the grouping by hand, and masks of drawn images."""

import numpy as np
import pytest

from fcn_jax.proposals import candidates, segments
from fcn_jax.proposals.candidates import Candidates

pytest.importorskip("cv2", reason="needs OpenCV, of the extra [proposals]")
COLUMNS = np.repeat(np.array([[0, 1, 2, 2]], np.int32), 4, axis=0)
THREE = segments.Regions(
    np.array([4, 4, 8]),
    candidates.region_boxes(COLUMNS),
    {"colour": np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])},
)


def drawn():
    """A bright disc and a dark bar on grey."""
    image = np.full((48, 64, 3), 128, np.uint8)
    rows, columns = np.ogrid[:48, :64]
    disc = (rows - 20) ** 2 + (columns - 18) ** 2 < 12**2
    image[disc] = 220, 60, 60
    image[10:40, 44:54] = 20, 20, 90
    bar = np.zeros((48, 64), bool)
    bar[10:40, 44:54] = True
    return image, disc, bar


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_three_columns_are_grouped_as_by_hand():
    """Columns A, B and C of 4, 4 and 8 pixels: A-B .667, B-C .583; then AB-C."""
    similar = segments._similarity(THREE, ("colour", "size", "fill"), 16)
    assert similar(0, 1) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert similar(1, 2) == pytest.approx((0.5 + 0.25 + 1) / 3)
    pairs = segments.neighbours(COLUMNS)
    assert pairs.tolist() == [[0, 1], [1, 2]]
    member = segments.hierarchy(THREE, pairs, ("colour", "size", "fill"))
    found = Candidates(COLUMNS, member)
    assert found.areas().tolist() == [4, 4, 8, 8, 16]
    assert member[3].tolist() == [True, True, False]


def test_a_union_has_its_parts_histograms_by_area():
    grown = segments._room_for_unions(THREE)
    segments._unite(grown, 0, 1, 3)
    assert grown.histograms["colour"][3].tolist() == [0.75, 0.25]
    segments._unite(grown, 3, 2, 4)
    assert grown.histograms["colour"][4].tolist() == [0.375, 0.625]
    assert (grown.areas[4], grown.boxes[4].tolist()) == (16, [0, 0, 4, 4])


def slow_hierarchy(regions, similar_of, touching):
    """The same grouping, all similarities computed anew at each step, as masks."""
    parts = [frozenset([i]) for i in range(len(regions.areas))]
    found, alive = list(parts), list(parts)
    while len(alive) > 1:
        pairs = [
            (similar_of(a, b), -found.index(a), -found.index(b), a, b)
            for a in alive
            for b in alive
            if found.index(a) < found.index(b) and touching(a, b)
        ]
        _, _, _, one, other = max(pairs, key=lambda pair: pair[:3])
        alive = [each for each in alive if each not in (one, other)] + [one | other]
        found.append(one | other)
    return [sorted(each) for each in found]


def test_grouping_is_that_of_a_slow_one():
    rng = np.random.default_rng(3)
    regions = np.kron(rng.permutation(12).reshape(3, 4), np.ones((4, 5), int))
    levels = rng.integers(0, 256, (12, 20, 3), np.uint8)
    described = segments.describe(levels, regions)
    pairs = segments.neighbours(regions)
    touch = {tuple(pair) for pair in pairs.tolist()}
    count, total = 12, regions.size

    def similar_of(a, b):
        """Of the pixels themselves, not of averages of averages."""
        joint = np.where(np.isin(regions, list(a)), 0, -1)
        joint[np.isin(regions, list(b))] = 1
        found = []
        for name in ("colour", "texture"):
            rows = described.histograms[name] * described.areas[:, None]
            one, other = (rows[sorted(s)].sum(0) for s in (a, b))
            found.append(np.minimum(one / one.sum(), other / other.sum()).sum())
        rows, columns = np.nonzero(joint >= 0)
        around = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        both = (joint >= 0).sum()
        return np.mean([*found, 1 - both / total, 1 - (around - both) / total])

    def touching(a, b):
        return any((min(i, j), max(i, j)) in touch for i in a for j in b)

    wanted = slow_hierarchy(described, similar_of, touching)
    member = segments.hierarchy(described, pairs, segments.SIMILARITIES)
    assert [np.flatnonzero(row).tolist() for row in member] == wanted
    assert len(member) == 2 * count - 1


def test_regions_are_described_by_their_pixels():
    levels = np.zeros((4, 4, 1), np.uint8)
    levels[:, 2:] = 255
    found = segments.describe(levels, COLUMNS)
    assert found.areas.tolist() == [4, 4, 8]
    colour = found.histograms["colour"]
    assert colour.shape == (3, segments.COLOUR_BINS)
    assert colour[:, 0].tolist() == [1, 1, 0]
    assert colour[2, -1] == 1
    assert found.histograms["texture"].shape == (3, 8 * segments.TEXTURE_BINS)
    np.testing.assert_allclose(found.histograms["texture"].sum(1), 1)


def test_corners_touch():
    regions = np.array([[0, 1], [2, 3]])
    assert len(segments.neighbours(regions)) == 6


def test_segments_hold_the_objects_of_an_image():
    image, *objects = drawn()
    found = segments.propose(image, min_side=8)
    for mask in objects:
        assert max(iou(found.mask(k), mask) for k in range(len(found))) > 0.9
    boxes = found.boxes
    assert (boxes[:, 2:] - boxes[:, :2]).min() >= 8
    assert len(candidates.without_duplicates(found)[1]) == len(found)


def test_the_seed_decides_the_order_and_nothing_else():
    image, *_ = drawn()
    one, same, other = (segments.propose(image, min_side=8, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.member, same.member)
    assert not np.array_equal(one.areas(), other.areas())
    assert sorted(one.areas()) == sorted(other.areas())
    few = segments.propose(image, num=3, min_side=8, seed=1)
    np.testing.assert_array_equal(few.areas(), one.areas()[:3])


def test_where_all_segments_are_small_the_largest_stays():
    image, *_ = drawn()
    found = segments.propose(image, min_side=100)
    assert found.areas().tolist() == [48 * 64]


@pytest.mark.parametrize("space", segments.SPACES)
def test_colour_spaces_are_bytes(space):
    levels = segments.in_space(drawn()[0], space)
    assert levels.dtype == np.uint8
    assert levels.shape == (48, 64, 1 if space in ("grey", "hue") else 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num": 0}, "segments: num=0, min_side=20, scales=.50, 100.; expected at"),
        ({"min_side": 0}, "min_side=0"),
        ({"scales": ()}, r"scales=\(\)"),
        ({"spaces": ("cmyk",)}, "segments: colour space 'cmyk' is not known; .* hsv"),
        ({"spaces": ()}, "colour space '' is not known"),
        ({"strategies": ("fill+shape",)}, "similarity 'shape' is not known; .* colour"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        segments.propose(drawn()[0], **options)


def test_other_images_are_refused():
    with pytest.raises(ValueError, match=r"an image of shape \(4, 4\); expected RGB"):
        segments.propose(np.zeros((4, 4), np.uint8))
    with pytest.raises(TypeError, match="the image is float32; expected uint8"):
        segments.propose(np.zeros((4, 4, 3), np.float32))


def test_regions_that_do_not_touch_are_refused():
    with pytest.raises(ValueError, match="3 regions do not touch each other"):
        segments.hierarchy(THREE, np.zeros((0, 2), int), ("size",))
