"""Which segments are drawn, and their cells: by hand, on cells of two pixels."""

import logging

import numpy as np
import pytest

from fcn_jax.data import segments
from fcn_jax.data.augmentation import Augmentation
from fcn_jax.data.segments import Sampling, Segments
from fcn_jax.proposals import candidates
from fcn_jax.proposals.projection import Cells

PAIRS = Cells(0.5, 2, tuple(-(-side // 2) for side in range(50)), 0.5)


def found(masks, labels, **sampling):
    """Segments of an image of which each is told by its pixels."""
    masks = np.array(masks, bool)
    return Segments(
        candidates.from_masks(masks),
        np.array(labels, np.int32),
        PAIRS,
        Sampling(**sampling),
    )


LEFT, RIGHT, SPECK = np.zeros((3, 4, 8), bool)
LEFT[:, :4], RIGHT[1:3, 4:], SPECK[0, 0] = True, True, True


def test_what_is_drawn_by_hand(caplog):
    segments.tell_dropped.cache_clear()
    given = found([LEFT, RIGHT, SPECK], [2, 0, 1], positives=2, negatives=2)
    with caplog.at_level(logging.WARNING):
        rng = np.random.default_rng(0)
        batch = segments.draw(given, rng, (4, 8), (6, 10))
        segments.draw(given, rng, (4, 8), (6, 10))
    assert batch["box_labels"].tolist() == [2, 0, -1, -1]
    assert batch["boxes"].tolist() == [[0, 0, 4, 4], [1, 4, 3, 8]] + [[0, 0, 1, 1]] * 2
    assert batch["box_masks"].shape == (4, 3, 5)
    assert batch["box_masks"][0].tolist() == [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0] * 5]
    # A row of two pixels in each cell: half.
    assert batch["box_masks"][1].tolist() == [[0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0] * 5]
    assert not batch["box_masks"][2:].any()
    # The speck has no cell, and that is said once.
    said = [r.message for r in caplog.records if "half of no cell" in r.message]
    assert len(said) == 1


def test_seen_twice_as_large_a_speck_has_a_cell():
    given = found([LEFT, SPECK], [2, 1], positives=2, negatives=0)
    batch = segments.draw(given, np.random.default_rng(0), (8, 16), (8, 16))
    rows = {int(label): n for n, label in enumerate(batch["box_labels"])}
    assert rows.keys() == {1, 2}
    assert batch["boxes"][rows[1]].tolist() == [0, 0, 2, 2]
    assert batch["boxes"][rows[2]].tolist() == [0, 0, 8, 8]
    assert np.argwhere(batch["box_masks"][rows[1]]).tolist() == [[0, 0]]
    assert batch["box_masks"][rows[2]].sum() == 4 * 4


def test_an_image_of_specks_has_no_class():
    given = found([RIGHT, SPECK], [0, 1], positives=1, negatives=1)
    batch = segments.draw(given, np.random.default_rng(0), (4, 8), (4, 8))
    assert batch["box_labels"].tolist() == [0, -1]


def test_none_is_drawn_twice_and_each_some_time():
    masks = np.zeros((6, 4, 12), bool)
    for n in range(6):
        masks[n, :, 2 * n : 2 * n + 2] = True
    given = found(masks, [1, 2, 3, 4, 5, 0], positives=3, negatives=2)
    rng, seen = np.random.default_rng(0), set()
    for _ in range(30):
        labels = segments.draw(given, rng, (4, 12), (4, 12))["box_labels"].tolist()
        assert len(set(labels[:3])) == 3
        assert labels[3:] == [0, -1]
        seen |= set(labels[:3])
    assert seen == {1, 2, 3, 4, 5}


def test_stuff_is_pursued():
    """Half of the sky overlaps all of it; the third segment is less than the mean."""
    sky, half, bit = np.zeros((3, 4, 8), bool)
    sky[:, :6], half[:, :3], bit[:, 6:] = True, True, True
    given = found([sky, half, bit], [1, 1, 1], positives=3, negatives=0, stuff=(1,))
    drawn, rng = [], np.random.default_rng(0)
    for _ in range(40):
        batch = segments.draw(given, rng, (4, 8), (4, 8))
        rows = batch["box_labels"] == 1
        drawn.append(frozenset(map(tuple, batch["boxes"][rows].tolist())))
    whole, part, rest = (0, 0, 4, 6), (0, 0, 4, 3), (0, 6, 4, 8)
    assert not any({whole, part} <= each for each in drawn)  # IoU .5.
    assert {whole} in map(set, drawn) or {whole, rest} in map(set, drawn)
    assert any(part in each for each in drawn)


def test_overlap_is_of_areas_and_void_counts_nowhere():
    """Not of boxes: the segments of an L and of its box overlap by 3/4."""
    numbers = np.zeros((2, 2), np.int64)
    numbers[:, 0] = numbers[1, 1] = 1
    every = candidates.from_masks(np.ones((1, 2, 2), bool))
    counts = np.ones((2, 2), bool)
    assert segments.overlaps(every, numbers, counts).tolist() == [[0, 0.75]]
    counts[0, 1] = False
    assert segments.overlaps(every, numbers, counts).tolist() == [[0, 1]]


def test_segments_move_with_their_image():
    rng = np.random.default_rng(3)
    image = np.arange(32, dtype=np.uint8).reshape(4, 8, 1).repeat(3, 2)
    labels = image[..., 0] % 3
    given = found([LEFT], [1])
    item = {"image": image, "labels": labels, "id": "im0", "segments": given}
    options = Augmentation(scale=(2.0, 2.0), flip=True)
    seen = set()
    for _ in range(8):
        moved, left = segments.moved(item, options, rng)
        assert left == Augmentation()
        assert moved["image"].shape == (8, 16, 3)
        mask = moved["segments"].candidates.mask(0)
        mirrored = bool(moved["labels"][0, 0] != labels[0, 0])
        np.testing.assert_array_equal(mask, LEFT[:, ::-1] if mirrored else LEFT)
        seen.add(mirrored)
    assert seen == {False, True}


def test_what_is_refused():
    with pytest.raises(ValueError, match="positives=0, negatives=1: an example has at"):
        Sampling(0, 1)
    with pytest.raises(ValueError, match=r"negative_iou=\(0, 0.3\) is no range"):
        Sampling(negative_iou=(0, 0.3))
    with pytest.raises(ValueError, match=r"negative_iou=\(0.1, 0.5\) reaches into"):
        Sampling(negative_iou=(0.1, 0.5))
    every = candidates.from_masks(np.ones((1, 2, 3), bool))
    with pytest.raises(
        ValueError, match="im0: its segments are of an image of 2x3 and"
    ):
        segments.check_size(every, (3, 2), "im0")
    item = {"image": None, "labels": None, "segments": None}
    with pytest.raises(ValueError, match="moves pixels and not the segments of an"):
        segments.moved(item, Augmentation(crop=(3, 3)), np.random.default_rng(0))
