"""The two stages' examples by hand, on tiny images.

Two cats side by side, a dog below them, void between it and the first. Examples are
resized; these sizes leave a crop of 4x4, or 3x5, as it is.
"""

import numpy as np
import pytest

from fcn_jax.data import contracts
from fcn_jax.data import crops as crops_of
from fcn_jax.data.crops import ObjectCrops, ProposalCrops
from tests.support.object_sources import PLAIN, Source, item, pets, same

PALETTE = np.zeros((256, 3), np.uint8)


def test_stage_1_keeps_one_object_by_hand():
    """The box of the first cat is 2x2; three times as large it is 6x6, from -1 on."""
    crops = ObjectCrops(Source(pets()), extension=3.0, size=6, min_area=1, balance=1)
    assert len(crops) == 3
    example = crops[0]
    v = 255
    np.testing.assert_array_equal(
        example["labels"],
        [
            [v, v, v, v, v, v],
            [v, 0, 0, 0, 0, 0],
            [v, 0, 1, 1, 0, 0],
            [v, 0, 1, 1, 0, 0],
            [v, 0, v, v, 0, 0],
            [v, 0, 0, 0, 0, 0],
        ],
    )
    np.testing.assert_array_equal(example["image"][0], np.zeros((6, 3)))
    np.testing.assert_array_equal(example["image"][:, 0], np.zeros((6, 3)))
    np.testing.assert_array_equal(example["image"][1:, 1:], pets()["image"][:5, :5])
    assert example["id"] == "im0_1_1_3_3"
    assert example["image"].dtype == example["labels"].dtype == np.uint8


def test_connected_parts_keep_their_own_pixels():
    crops = ObjectCrops(Source(item([[1, 0, 1, 1]])), **PLAIN, size=4)
    assert [crops[i]["id"] for i in range(2)] == ["im0_0_0_1_1", "im0_0_2_1_4"]
    wide = ObjectCrops(
        Source(item([[1, 0, 1, 1]])), extension=9.0, size=9, min_area=1, balance=1
    )
    # The box of the first part, a pixel, reaches four pixels either way.
    np.testing.assert_array_equal(wide[0]["labels"][4, 4:8], [1, 0, 0, 0])


def test_stage_2_keeps_all_classes_by_hand():
    # The two cats share 4 of the box's 9 pixels each way: 4/9 with the first.
    crops = ProposalCrops(
        Source(pets()), same([[1, 1, 4, 4]]), **PLAIN, size=3, min_iou=0.4
    )
    assert len(crops) == 1
    np.testing.assert_array_equal(
        crops[0]["labels"], [[1, 1, 1], [1, 1, 1], [255, 255, 0]]
    )
    np.testing.assert_array_equal(crops[0]["image"], pets()["image"][1:4, 1:4])
    assert crops.index.tolist() == [[0, 1, 1, 1, 1, 4, 4]]


def test_stage_2_pads_with_black_and_void():
    crops = ProposalCrops(
        Source(pets()), same([[4, 1, 5, 4]]), extension=3.0, min_area=1, size=9
    )
    # One row and three columns: a row and three columns more on either side.
    labels = crops[0]["labels"][::3]
    np.testing.assert_array_equal(labels[2], [255] * 9)
    np.testing.assert_array_equal(labels[1], [255, 255, 0, 2, 2, 2, 0, 0, 255])
    np.testing.assert_array_equal(labels[0], [255, 255, 0, 255, 255, 0, 0, 0, 255])
    assert not crops[0]["image"][:, :2].any()


def test_the_overlap_decides_by_hand():
    proposed = [
        [1, 1, 3, 3],  # The first cat: 1.
        [1, 1, 3, 4],  # 4 of 6 with it.
        [1, 2, 3, 4],  # 2 of 6 with either: neither.
        [0, 1, 4, 3],  # 4 of 6.
        [0, 1, 4, 5],  # 4 of 16.
        [1, 1, 3, 5],  # 4 of 8 with either: the first; exactly one half.
        [4, 1, 5, 3],  # 2 of 3 with the dog.
    ]
    crops = ProposalCrops(Source(pets()), same(proposed), **PLAIN)
    assert crops.index[:, 1].tolist() == [1, 1, 1, 1, 7]
    assert crops.index[:, 2].tolist() == [1, 1, 1, 1, 2]
    assert crops.index[:, 3:].tolist() == [proposed[i] for i in (0, 1, 3, 5, 6)]
    strict = ProposalCrops(Source(pets()), same(proposed), **PLAIN, min_iou=0.67)
    assert strict.index[:, 3:].tolist() == proposed[:1]


def test_images_without_objects_or_proposals_give_none():
    empty = item(np.zeros((5, 6)), name="im1")

    def boxes_of(item):
        return np.zeros((0, 4), np.int32) if item["id"] == "im2" else np.array(BOX)

    source = Source(empty, pets(), pets("im2"))
    crops = ProposalCrops(source, boxes_of, **PLAIN)
    assert crops.index[:, 0].tolist() == [1]
    assert ObjectCrops(source, **PLAIN).index[:, 0].tolist() == [1] * 3 + [2] * 3


BOX = [[1, 1, 2, 3]]  # Half of the first cat.


@pytest.mark.parametrize(
    ("box", "what"),
    [
        ([0, 0, 6, 2], r"box 1, \(0, 0, 6, 2\), leaves the image"),
        ([2, 2, 2, 4], r"box 1, \(2, 2, 2, 4\), has no area"),
    ],
)
def test_wrong_proposals_are_named(box, what):
    with pytest.raises(ValueError, match=f"tiny train: im0: {what}"):
        ProposalCrops(Source(pets()), same([*BOX, box]), **PLAIN)
    # Where there is no object too.
    with pytest.raises(ValueError, match=f"tiny train: im0: {what}"):
        ProposalCrops(
            Source(item(np.zeros((5, 6)))), same([[0, 0, 1, 1], box]), **PLAIN
        )


@pytest.mark.parametrize(
    ("counts", "balance", "expected"),
    [
        ({1: 6, 2: 2}, 10, {1: 1, 2: 3}),
        ({1: 5, 2: 2}, 10, {1: 1, 2: 3}),  # 2.5 rounds up.
        ({1: 7, 2: 3}, 10, {1: 1, 2: 2}),  # 2.33 down.
        ({1: 60, 2: 2}, 10, {1: 1, 2: 10}),
        ({1: 60, 2: 2}, 1, {1: 1, 2: 1}),
        ({2: 3}, 10, {2: 1}),
    ],
)
def test_repeats_by_hand(counts, balance, expected):
    labels = np.array([c for c, n in counts.items() for _ in range(n)], np.int32)
    times = crops_of.repeats(labels, balance)
    np.testing.assert_array_equal(times, [expected[int(c)] for c in labels])


def test_rare_classes_are_repeated():
    crops = ObjectCrops(Source(pets()), extension=1.0, min_area=1)
    assert crops.index[:, 1].tolist() == [1, 2, 7, 7]  # Two cats, one dog.
    np.testing.assert_array_equal(crops[2]["labels"], crops[3]["labels"])
    once = ObjectCrops(Source(pets()), extension=1.0, min_area=1, balance=1)
    assert once.index[:, 1].tolist() == [1, 2, 7]


@pytest.mark.parametrize("min_iou", (0, 1.1))
def test_the_overlap_is_a_fraction(min_iou):
    with pytest.raises(ValueError, match=f"min_iou={min_iou} is not in \\(0, 1\\]"):
        ProposalCrops(Source(pets()), same(BOX), min_iou=min_iou)


def test_objects_of_several_heads_are_not_defined():
    class TwoHeads(Source):
        heads = tuple(contracts.Head(x, ("void", "a"), PALETTE) for x in ("one", "two"))

    with pytest.raises(ValueError, match="tiny has the heads one, two; objects can be"):
        ObjectCrops(TwoHeads(pets()))
