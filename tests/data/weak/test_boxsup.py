"""A source from boxes: rectangles first, then masks of candidates; what is refused."""

import pickle

import numpy as np
import pytest

from fcn_jax.data import fingerprints
from fcn_jax.data.contracts import OneHead
from fcn_jax.data.label_sets import VOC
from fcn_jax.data.weak import boxes as weak_boxes
from fcn_jax.data.weak import boxsup
from fcn_jax.data.weak.assignment import Rule
from fcn_jax.data.weak.boxsup import BoxSupSource
from fcn_jax.proposals import candidates

SIZE = (16, 20)


class Drawn(OneHead):
    """Three images: two squares, a cross, and nothing."""

    name, split, classes, palette = "drawn", "train", ("background", "a", "b"), None

    def __init__(self):
        self.palette = VOC.palette
        self.labels = np.zeros((3, *SIZE), np.uint8)
        self.labels[0, 2:8, 2:8] = 1
        self.labels[0, 9:15, 10:18] = 2
        self.labels[1, 3:12, 6:9] = self.labels[1, 6:9, 3:12] = 2
        self.labels[0, 0] = self.labels[2, 5] = 255

    def __len__(self):
        return 3

    def __getitem__(self, place):
        image = np.zeros((*SIZE, 3), np.uint8)
        return {"image": image, "labels": self.labels[place], "id": f"im{place}"}

    def image_sizes(self):
        return np.full((3, 2), SIZE, np.int32)


def pool_of(image, name, boxes):
    """The cross and the first square as they are, and the whole image."""
    assert image.shape == (*SIZE, 3)
    assert boxes.shape[1] == 4
    masks = [Drawn().labels[place] == label for place, label in ((0, 1), (1, 2))]
    return candidates.from_masks(np.stack([*masks, np.ones(SIZE, bool)]))


def source_of(pool_of=pool_of, base=None, **options):
    return BoxSupSource(base or Drawn(), pool_of, rule=Rule(k=1), **options)


def test_until_masks_are_chosen_boxes_are_filled():
    source = source_of()
    assert (source.name, source.split, len(source)) == ("drawn (BoxSup)", "train", 3)
    assert (source.weak, source.channels) == ([0, 1, 2], "rgb")
    labels = source[1]["labels"]
    assert labels.sum() == 2 * 9 * 9
    assert set(source[1]) == {"image", "labels", "id"}
    np.testing.assert_array_equal(source.image_sizes(), Drawn().image_sizes())


def test_masks_that_are_chosen_are_the_labels():
    source = source_of()
    chosen = {place: boxsup.choose(source, place, None, 0) for place in source.weak}
    assert [len(chosen[place].picks) for place in range(3)] == [2, 1, 0]
    source.assign({place: choice.picks for place, choice in chosen.items()})
    ready = source_of(None)  # What it has was made when it was chosen.
    ready.assign(
        {place: choice.picks for place, choice in chosen.items()},
        {place: choice.labels for place, choice in chosen.items()},
    )
    for place in range(3):
        np.testing.assert_array_equal(ready[place]["labels"], source[place]["labels"])
    np.testing.assert_array_equal(source[1]["labels"], Drawn().labels[1])  # The cross.
    assert chosen[1].iou == 1
    assert not source[2]["labels"].any()  # No void: boxes know none.
    for place in range(3):
        allowed = {0, *source.boxes(Drawn()[place])[:, 0].tolist()}
        assert set(np.unique(source[place]["labels"])) <= allowed


def test_a_box_that_no_candidate_overlaps_is_told():
    def only_the_first(image, name, boxes):
        return pool_of(image, name, boxes).first(1)

    source = source_of(only_the_first)
    choice = boxsup.choose(source, 0, None, 0)
    assert choice.rectangles == 1
    source.assign({0: choice.picks})
    np.testing.assert_array_equal(source[0]["labels"][1:], Drawn().labels[0][1:])


def test_a_draw_follows_from_seed_epoch_and_place():
    def many(image, name, boxes):
        rng = np.random.default_rng(0)
        return candidates.from_masks(rng.random((40, *SIZE)) < 0.9)

    def picks(seed, epoch, place):
        source = BoxSupSource(Drawn(), many, rule=Rule(k=40), seed=seed)
        return boxsup.choose(source, place, None, epoch).picks.tolist()

    first = picks(0, 0, 0)
    assert picks(0, 0, 0) == first
    assert len({tuple(first), tuple(picks(1, 0, 0)), tuple(picks(0, 1, 0))}) == 3


def test_the_net_has_its_say():
    """It sees the cross everywhere: the whole image is the cheaper mask."""
    source = source_of()
    log_probs = np.log(np.full((*SIZE, 3), 0.01))
    log_probs[..., 2] = np.log(0.98)
    assert boxsup.choose(source, 1, log_probs, 0).picks.tolist() == [2]
    silent = BoxSupSource(Drawn(), pool_of, rule=Rule(k=1, weight=0))
    assert boxsup.choose(silent, 1, log_probs, 0).picks.tolist() == [1]


def test_images_with_masks_keep_them():
    strong = np.array([True, False, True])
    source = source_of(strong=strong, strong_share=0.5)
    assert source.weak == [1]
    np.testing.assert_array_equal(source[0]["labels"], Drawn().labels[0])
    assert source.shares.count(4) == 2
    plain = fingerprints.of(source_of())
    assert fingerprints.differing(fingerprints.of(source), plain) == ["weak labels"]
    with pytest.raises(ValueError, match="all 3 images of drawn train keep their mas"):
        source_of(strong=np.ones(3, bool))
    with pytest.raises(ValueError, match=r"strong is bool \(2,\); expected whether"):
        source_of(strong=strong[:2])


def test_it_goes_to_other_processes():
    source = source_of()
    source.assign({1: np.array([1])})
    there = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(there[1]["labels"], source[1]["labels"])


def test_what_is_not_its_own_is_that_of_the_data_set():
    base = Drawn()
    base.ids = ("im0", "im1", "im2")
    assert source_of(base=base).ids == base.ids
    with pytest.raises(AttributeError):
        _ = source_of().nothing


def test_boxes_that_leave_the_image_are_named():
    def outside(item, where):
        return np.array([[1, 0, 0, 17, 3]])

    with pytest.raises(ValueError, match="drawn train: im0: box 0.* leaves the image"):
        _ = source_of(boxes_of=outside)[0]


def test_objects_without_boxes_are_named():
    def none(item, where):
        return np.zeros((0, 5), np.int32)

    source = source_of(boxes_of=none)
    with pytest.raises(ValueError, match="im0: the mask holds objects, and there is n"):
        _ = source[0]
    assert not source[2]["labels"].any()


def test_candidates_of_another_image_are_named():
    def other(image, name, boxes):
        return candidates.from_masks(np.ones((1, 5, 5), bool))

    with pytest.raises(ValueError, match=r"im0: .* \(16, 20\) .* \(5, 5\), \[H, W\]"):
        boxsup.choose(source_of(other), 0, None, 0)


def test_a_source_without_background_is_refused():
    base = Drawn()
    base.classes = ("sky", "a", "b")
    with pytest.raises(ValueError, match="'sky' as class 0"):
        source_of(base=base)


def test_choices_are_packed_into_a_text():
    picks = {7: np.array([3, 1999]), 2: np.zeros(0, int), 10_000: np.array([0])}
    text = boxsup.packed(picks)
    found = boxsup.unpacked(text)
    assert {place: each.tolist() for place, each in found.items()} == {
        place: each.tolist() for place, each in picks.items()
    }
    assert boxsup.packed(dict(reversed(picks.items()))) == text
    assert boxsup.unpacked(boxsup.packed({})) == {}
    with pytest.raises(ValueError, match="no choice of masks .*: the text is damaged"):
        boxsup.unpacked(text[:-3])


def test_boxes_are_those_of_objects():
    item = Drawn()[0]
    found = source_of().boxes(item)
    wanted = weak_boxes.boxes_of(item, Drawn.classes, "it")
    np.testing.assert_array_equal(found, wanted)
