"""What class proposed segments have: by hand, on two cats and a dog."""

import numpy as np
import pytest

from fcn_jax.data import loader
from fcn_jax.data.segment_examples import SegmentExamples
from fcn_jax.data.segments import Sampling
from fcn_jax.proposals import candidates
from fcn_jax.proposals.projection import Cells
from tests.support.object_sources import LABELS, Source, item, pets

PIXELS = Cells(0, 1, tuple(range(30)), 0)


def box(row0, col0, row1, col1, shape=(5, 6)):
    mask = np.zeros(shape, bool)
    mask[row0:row1, col0:col1] = True
    return mask


FIRST_CAT = box(1, 1, 3, 3)
PROPOSED = {
    "a cat": (FIRST_CAT, 1),
    "three of its four pixels": (FIRST_CAT & ~box(1, 1, 2, 2), 1),
    "half of both cats": (box(1, 1, 2, 5), -1),  # 2 of 6 with each: 1/3.
    "a column of both": (box(1, 2, 3, 4), -1),  # 2 of 6 with each.
    "the dog's first": (box(4, 1, 5, 2), -1),  # 1/3.
    "a corner": (box(2, 2, 5, 6), 0),  # 1 of 12 with a cat's, 2 of 9 with the dog.
    "nothing": (box(0, 0, 1, 6), -1),
}


def proposed(_):
    return candidates.from_masks(np.stack([mask for mask, _ in PROPOSED.values()]))


def labels_of(segments):
    """Label of each segment, by its pixels."""
    found = segments.candidates
    return {found.mask(n).tobytes(): int(segments.labels[n]) for n in range(len(found))}


def examples(*items, of=proposed, **options):
    return SegmentExamples(Source(*items), of, PIXELS, min_area=1, **options)


def test_classes_by_hand():
    found = labels_of(examples(pets())[0]["segments"])
    for name, (mask, label) in PROPOSED.items():
        assert found.get(mask.tobytes(), -1) == label, name
    # The objects' own masks stand beside: the second cat and the dog were not proposed.
    assert found[box(1, 3, 3, 5).tobytes()] == 1
    assert found[box(4, 1, 5, 4).tobytes()] == 2


def test_images_without_objects_are_passed_over():
    empty = item(np.zeros((5, 6)), np.zeros((5, 6)), "bare")
    found = examples(empty, pets("im1"))
    assert len(found) == 1
    assert found[0]["id"] == "im1"
    assert found.image_sizes().tolist() == [[5, 6]]
    with pytest.raises(ValueError, match="no images with objects found in 1 images"):
        examples(empty)


def test_segments_that_overlap_no_object_are_told():
    def bare(_):
        return candidates.from_masks(box(0, 0, 1, 6)[None])

    with pytest.raises(
        ValueError, match="im0: none of 1 proposed segments overlaps one"
    ):
        examples(pets(), of=bare)[0]


def test_segments_of_another_image_are_told():
    def other(_):
        return candidates.from_masks(np.ones((1, 6, 6), bool))

    with pytest.raises(
        ValueError, match="im0: its segments are of an image of 6x6 and"
    ):
        examples(pets(), of=other)[0]


def test_stuff_is_told_by_purity():
    """Both cats are one area of stuff; what holds neither it nor the dog is nothing."""
    sampling = Sampling(stuff=(1,))
    found = labels_of(examples(item(LABELS), sampling=sampling)[0]["segments"])
    cats = box(1, 1, 3, 5)
    assert found[cats.tobytes()] == 1
    assert found[FIRST_CAT.tobytes()] == 1  # Pure, although half of it is missing.
    assert found[box(4, 1, 5, 4).tobytes()] == 2
    assert found[PROPOSED["a corner"][0].tobytes()] == 0  # .22 with the dog, .2 pure.


@pytest.mark.parametrize("stuff", [(1, 2), (2, 1)])
def test_what_is_too_pure_for_one_stuff_is_no_background_of_another(stuff):
    """Sky over grass, and no thing: whichever is looked at first."""
    labels = np.repeat([[1], [1], [1], [2], [2], [2]], 4, axis=1)
    corner, sky, grass = box(0, 0, 1, 1, (6, 4)), labels == 1, labels == 2
    # Of the sky in its box it has 6 of 12 pixels, of the grass 1 of 4: .46 and .1 pure.
    both = box(0, 0, 3, 2, (6, 4)) | box(3, 3, 4, 4, (6, 4))
    # Of either in its box it has 1 of 4: .2 pure.
    little = box(2, 0, 3, 1, (6, 4)) | box(3, 3, 4, 4, (6, 4))

    def of(_):
        return candidates.from_masks(np.stack([both, little, sky, grass, corner]))

    sampling = Sampling(stuff=stuff)
    segments = examples(item(labels), of=of, sampling=sampling)[0]["segments"]
    found = labels_of(segments)
    assert found[sky.tobytes()] == 1
    assert found[grass.tobytes()] == 2
    assert found[little.tobytes()] == 0
    assert both.tobytes() not in found


def test_a_training_batch_holds_them():
    source = examples(pets(), sampling=Sampling(2, 1))
    batches = loader.train_batches(
        source, batch_size=2, seed=0, num_classes=3, canvas=(6, 8)
    )
    batch = next(batches)
    batches.close()
    assert batch["image"].shape == (2, 6, 8, 3)
    assert batch["boxes"].shape == (2, 3, 4)
    assert batch["box_masks"].shape == (2, 3, 6, 8)
    assert batch["box_labels"][:, 2].tolist() == [0, 0]
    assert (batch["box_labels"][:, :2] > 0).all()
    for row in range(2):
        for (row0, col0, row1, col1), mask in zip(
            batch["boxes"][row], batch["box_masks"][row], strict=True
        ):
            inside = np.zeros_like(mask)
            inside[row0:row1, col0:col1] = 1
            assert mask.any()
            assert not (mask & ~inside.astype(bool)).any()


def test_the_example_that_is_asked_for_is_there():
    with pytest.raises(IndexError, match="no example 1; there are 1"):
        examples(pets())[1]
