"""Examples of boxes by hand, on tiny images: two cats side by side, a dog below."""

import dataclasses

import numpy as np
import pytest

from fcn_jax.data import loader, regions
from fcn_jax.data.augmentation import Augmentation
from fcn_jax.data.cached import CachedSource
from fcn_jax.data.regions import Drawing, RegionExamples
from tests.support.object_sources import Source, item, pets, same

CATS = [[1, 1, 3, 3], [1, 3, 3, 5]]
PLAIN = {"min_area": 1, "balance": 1}
DRAWING = Drawing(boxes=2, others=4, side=4, extension=1.0)
# On the first cat, nearly (2/3 of both together), and on nothing.
PROPOSED = [CATS[0], [1, 1, 3, 4], [0, 0, 1, 6]]


def examples(*items, boxes=PROPOSED, drawing=DRAWING, **options):
    source = Source(*(items or (pets(),)))
    return RegionExamples(source, same(boxes), drawing, **PLAIN | options)


def test_an_object_an_example_with_the_boxes_on_it():
    found = examples()
    assert found.index.tolist() == [
        [0, 1, 1, *CATS[0]],
        [0, 2, 1, *CATS[1]],
        [0, 7, 2, 4, 1, 5, 4],
    ]
    assert found.image_sizes().tolist() == [[5, 6]] * 3
    example = found[0]
    assert example["id"] == "im0_1"
    np.testing.assert_array_equal(example["image"], pets()["image"])
    own = example["regions"]
    np.testing.assert_array_equal(
        own.mask,
        [
            [0, 0, 0, 0, 0, 0],
            [0, 1, 1, 0, 0, 0],
            [0, 1, 1, 0, 0, 0],
            [0, 255, 255, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
        ],
    )
    # Its tight box is one in any case; that of 2/3 is none at 0.7.
    assert own.on_object.tolist() == [CATS[0], CATS[0]]
    assert examples(min_iou=0.6)[0]["regions"].on_object.tolist() == [
        CATS[0], *PROPOSED[:2],
    ]  # fmt: skip
    # The tight boxes of all objects come first; half on both cats is on the first.
    assert own.others.tolist() == [*CATS, [4, 1, 5, 4], *PROPOSED]
    assert own.other_labels.tolist() == [1, 1, 2, 1, 1, 0]
    assert found[2]["regions"].on_object.tolist() == [[4, 1, 5, 4]]


def test_images_without_objects_give_no_example():
    empty = item(np.zeros((4, 4)), name="empty")
    assert examples(empty, pets()).index[:, 0].tolist() == [1, 1, 1]
    message = "regions.* no regions found in 1 images; .* images without objects give"
    with pytest.raises(ValueError, match=message):
        examples(empty)


def candidates(labels, **changes):
    return regions.Candidates(
        np.ones((300, 300), np.uint8),
        3,
        np.array([[0, 0, 300, 300], [0, 0, 112, 112]], np.int32),
        np.array([[5, 5, 9, 9 + n] for n in range(len(labels))], np.int32),
        np.array(labels, np.int32),
        dataclasses.replace(DRAWING, **changes),
    )


def test_boxes_are_drawn_with_replacement_and_weighed():
    found = candidates([2, 0, 0], boxes=40, others=4)
    drawn = regions.draw(found, np.random.default_rng(0))
    # Of four others one is of objects.
    assert drawn["box_labels"].tolist() == [3] * 40 + [2, 0, 0, 0]
    sides = drawn["boxes"][:40, 2]
    assert {*sides.tolist()} == {300, 112}
    # min(area / 224 squared, 1): a quarter.
    expected = np.where(sides == 300, 1, 0.25)
    np.testing.assert_array_equal(drawn["box_weights"], [*expected, 0, 0, 0, 0])
    assert drawn["boxes"][40].tolist() == [5, 5, 9, 9]
    assert drawn["box_targets"][:40].all()
    assert not drawn["box_targets"][40:].any()


def test_rows_that_nothing_fills_count_nowhere():
    found = regions.draw(candidates([2, 1]), np.random.default_rng(0))
    assert found["box_labels"].tolist()[3:] == [regions.NOTHING] * 3
    assert found["boxes"][3:].tolist() == [[0, 0, 1, 1]] * 3
    assert not found["box_weights"][2:].any()
    alone = regions.draw(candidates([2], others=0), np.random.default_rng(0))
    assert alone["boxes"].shape == (2, 4)


def test_targets_are_points_from_edge_to_edge():
    """Of 7 columns from 1 on and 4 points: 1, 3, 5 and 7."""
    mask = np.arange(20, dtype=np.uint8).reshape(2, 10)
    found = regions.mask_targets(mask, np.array([[0, 1, 2, 8]]), 4)
    np.testing.assert_array_equal(
        found[0], [[1, 3, 5, 7], [1, 3, 5, 7], [11, 13, 15, 17], [11, 13, 15, 17]]
    )
    # Half a pixel is rounded to the even one, as in the published layer.
    wide = regions.mask_targets(mask, np.array([[0, 0, 2, 2]]), 3)
    np.testing.assert_array_equal(wide[0], [[0, 0, 1], [0, 0, 1], [10, 10, 11]])


def test_windows_end_with_their_image():
    boxes = np.array([[0, 2, 10, 12], [5, 5, 15, 15]], np.int32)
    found = regions.windows_of(boxes, 1.2, (15, 30))
    assert found.tolist() == [[0, 1, 11, 13], [4, 4, 15, 16]]


def test_boxes_move_with_their_image():
    rng = np.random.default_rng(1)
    example = examples()[1]
    found, left = regions.moved(
        example, Augmentation(scale=(2.0, 2.0), flip=True, blur=0.5), rng
    )
    assert left == Augmentation(blur=0.5)
    own, mirrored = found["regions"], bool(found["labels"][8, 2] == 0)
    assert found["image"].shape == (10, 12, 3)
    expected = [2, 2, 6, 6] if mirrored else [2, 6, 6, 10]
    assert own.on_object.tolist() == [expected]
    row0, col0, row1, col1 = expected
    inside = np.zeros((10, 12), bool)
    inside[row0:row1, col0:col1] = True
    np.testing.assert_array_equal(own.mask == 1, inside)


def test_both_halves_of_examples_are_mirrored():
    """A box stays on its object."""
    rng, seen = np.random.default_rng(0), set()
    for _ in range(20):
        found, _ = regions.moved(examples()[0], Augmentation(flip=True), rng)
        row0, col0, row1, col1 = found["regions"].on_object[0].tolist()
        assert (found["labels"][row0:row1, col0:col1] == 1).all()
        assert (found["regions"].mask[row0:row1, col0:col1] == 1).all()
        seen.add(col0)
    assert seen == {1, 3}


@pytest.mark.parametrize("wrapped", (False, True))
def test_batches_carry_boxes(wrapped):
    source = examples()
    source = CachedSource(source, 1 << 20) if wrapped else source
    batches = loader.train_batches(
        source,
        batch_size=2,
        seed=0,
        num_classes=3,
        augmentation=Augmentation(flip=True),
        canvas=(8, 8),
        readers=loader.Readers(0),
    )
    batch = next(batches)
    batches.close()
    shapes = {name: x.shape for name, x in batch.items()}
    assert shapes["image"] == (2, 8, 8, 3)
    assert shapes["boxes"] == (2, 6, 4)
    assert shapes["box_labels"] == shapes["box_weights"] == (2, 6)
    assert shapes["box_targets"] == (2, 6, 4, 4)


@pytest.mark.parametrize(
    ("boxes", "message"),
    (
        ([], "tiny train: im0: there are no proposals; take another method or more"),
        ([[0, 0, 9, 9]], r"tiny train: im0: box 0, \(0, 0, 9, 9\), leaves the image"),
        ([[2, 2, 2, 4]], "im0: box 0, .* has no area"),
    ),
)
def test_proposals_that_are_none(boxes, message):
    with pytest.raises(ValueError, match=message):
        examples(boxes=boxes)[0]


def test_wrong_arguments():
    with pytest.raises(ValueError, match="boxes=0, others=8, side=50: an example"):
        Drawing(boxes=0)
    with pytest.raises(ValueError, match="extension=0.5 shrinks boxes"):
        Drawing(extension=0.5)
    with pytest.raises(ValueError, match="min_iou=0, least_class=0.5: overlaps"):
        examples(min_iou=0)
    with pytest.raises(ValueError, match="balance=0: examples appear at least once"):
        examples(balance=0)
    with pytest.raises(IndexError, match="no example 3; there are 3, from 0 on"):
        examples()[3]
    with pytest.raises(TypeError, match="im0: boxes are float64; expected integers"):
        RegionExamples(Source(pets()), lambda _: np.ones((1, 4)), DRAWING, **PLAIN)[0]


@pytest.mark.parametrize("name", ("crop", "jitter", "rotation", "cutout", "class_mix"))
def test_what_moves_pixels_and_not_boxes(name):
    value = {"crop": (2, 2), "cutout": (2, 2), "jitter": 1}.get(name, 0.5)
    message = rf"{name}=.* moves pixels and not the boxes .* set config.data.{name} off"
    with pytest.raises(ValueError, match=message):
        regions.moved(
            examples()[0], Augmentation(**{name: value}), np.random.default_rng(0)
        )
