"""Segments classified and pasted: by hand, with a net that says what it is told."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.data import windows
from fcn_jax.inference import segments
from fcn_jax.inference.segments import SegmentWindows
from fcn_jax.proposals import candidates
from fcn_jax.proposals.projection import Cells

PIXELS = Cells(0, 1, tuple(range(30)), 0)
CANVAS = (4, 8)


class Told:
    """A net of three classes whose scores are its variables; it notes what it sees."""

    heads: ClassVar[dict[str, int]] = {"": 3}

    def __init__(self):
        self.seen = []

    def apply(self, variables, images, sizes, *, train, boxes, box_masks):
        self.seen.append((images.shape, sizes.tolist(), boxes, box_masks))
        return {"class_scores": jnp.asarray(variables)[None]}


def masks_of(*spans, height=4, width=6):
    masks = np.zeros((len(spans), height, width), bool)
    for mask, (row0, col0, row1, col1) in zip(masks, spans, strict=True):
        mask[row0:row1, col0:col1] = True
    return masks


def batch_of(masks, **options):
    """A batch of an image of 4x6 on a canvas of 4x8, all of its scales too."""
    made = SegmentWindows(
        lambda image, name: candidates.from_masks(masks), PIXELS, **options
    )
    image = np.zeros((*masks.shape[1:], 3), np.uint8)
    batch = windows.empty(made, 1, CANVAS)
    windows.lay(made, batch, 0, image, "im0")
    for scale in made.scales:
        size = tuple(round(scale * side) for side in CANVAS)
        batch[segments._key("image", scale)] = np.zeros((1, *size, 3), np.uint8)
        seen = [[round(scale * side) for side in image.shape[:2]]]
        batch[segments._key("sizes", scale)] = np.array(seen, np.int32)
    return {name: jnp.asarray(x) for name, x in batch.items()}


def scores_of(*probabilities):
    return np.log(np.maximum(np.array(probabilities, np.float32), 1e-9))


def pasted(masks, probabilities, num=4, **options):
    filled = [*probabilities, *[(0.01, 0.01, 0.98)] * (num - len(probabilities))]
    found = segments.scores(
        scores_of(*filled), batch_of(masks, num=num), model=Told(), **options
    )
    assert found.shape == (1, *CANVAS, 3)
    return np.asarray(found[0]).argmax(axis=-1)


def test_the_best_is_painted_last():
    masks = masks_of((0, 0, 4, 4), (0, 2, 4, 6))
    found = pasted(masks, [(0.1, 0.9, 0.0), (0.1, 0.0, 0.6)])
    assert found[0].tolist() == [1, 1, 1, 1, 2, 2, 0, 0]
    found = pasted(masks, [(0.1, 0.6, 0.0), (0.1, 0.0, 0.9)])
    assert found[0].tolist() == [1, 1, 2, 2, 2, 2, 0, 0]


def test_of_a_class_the_worse_that_overlaps_is_left_out():
    masks = masks_of((0, 0, 4, 4), (0, 3, 4, 6), (0, 4, 4, 6))
    alike = [(0.1, 0.9, 0.0), (0.1, 0.8, 0.0), (0.1, 0.7, 0.0)]
    assert pasted(masks, alike)[0].tolist() == [1] * 6 + [0] * 2
    # The second shares 4 of 24 pixels with the first; the third is all in the second.
    assert pasted(masks, alike, max_iou=0.2)[0].tolist() == [1] * 6 + [0] * 2
    assert pasted(masks, [*alike[:2], (0.6, 0.4, 0.0)])[0].tolist() == [1] * 4 + [0] * 4


def test_what_background_beats_is_not_painted_nor_what_is_too_many():
    masks = masks_of((0, 0, 4, 2), (0, 2, 4, 4), (0, 4, 4, 6))
    given = [(0.1, 0.8, 0.1), (0.1, 0.1, 0.8 - 1e-3), (0.55, 0.45, 0.0)]
    assert pasted(masks, given)[0].tolist() == [1, 1, 2, 2, 0, 0, 0, 0]
    assert pasted(masks, given, background=0.4)[0, :6].tolist() == [1, 1, 2, 2, 1, 1]
    assert pasted(masks, given, most=1)[0, :6].tolist() == [1, 1, 0, 0, 0, 0]


def test_regions_have_their_whole_masks():
    masks = masks_of((0, 0, 4, 4), (0, 3, 4, 6))
    given = scores_of((0.1, 0.9, 0.0), (0.1, 0.8, 0.0), (0.1, 0.1, 0.8))
    found = segments.find(given, batch_of(masks, num=3), model=Told())
    np.testing.assert_array_equal(found.masks[0, :2, :, :6], masks)
    assert not found.masks[0, :, :, 6:].any()
    assert found.left.tolist() == [[True, False, False]]
    np.testing.assert_allclose(found.scores[0, :2], np.log([0.9, 0.8 / 0.9]), rtol=1e-5)


def test_scores_are_the_regions_and_the_backgrounds():
    masks = masks_of((0, 0, 4, 4))
    found = segments.scores(
        scores_of((0.2, 0.8, 0.0)), batch_of(masks, num=1), model=Told()
    )
    np.testing.assert_allclose(found[0, 0, 0, :2], np.log([0.5, 0.8]), rtol=1e-5)
    assert found[0, 0, 0, 2] < np.log(0.5) - 5
    assert found[0, 0, 5].argmax() == found[0, 0, 7].argmax() == 0


def test_each_segment_is_seen_at_the_scale_that_suits_it():
    """Scales 52 and 104 of boxes of 4 and 2 pixels: 208 pixels; another net of each."""
    masks = masks_of((0, 0, 4, 4), (0, 4, 2, 6))
    cells = Cells(0, 104, tuple(-(-side // 104) for side in range(900)), 0)
    made = SegmentWindows(
        lambda image, name: candidates.from_masks(masks), cells, 3, (52.0, 104.0)
    )
    found = made.of_image(np.zeros((4, 6, 3), np.uint8), "im0")
    assert found["box_scales"].tolist() == [0, 1]
    assert found["box_masks@52"].shape == (2, 2, 3)
    assert found["box_masks@104"].shape == (2, 4, 6)
    assert found["box_masks@52"].any(axis=(1, 2)).tolist() == [True, False]
    assert found["box_masks@104"].any(axis=(1, 2)).tolist() == [False, True]


def test_scores_come_from_the_scale_of_each():
    masks = masks_of((0, 0, 4, 4), (0, 4, 2, 6))

    class Twice(Told):
        def apply(self, variables, images, sizes, **given):
            super().apply(jnp.zeros(3), images, sizes, **given)
            own = scores_of((0.1, 0.9, 0.0), (0.1, 0.0, 0.9))[len(self.seen) - 1]
            return {"class_scores": jnp.stack([jnp.asarray(own)] * 2)[None]}

    batch = batch_of(masks, num=2, scales=(1.0, 2.0))
    batch["box_scales"] = jnp.array([[0, 1]])
    model = Twice()
    found = segments.classify({}, batch, model=model, scales=(1.0, 2.0))
    assert found.classes.tolist() == [[1, 2]]
    assert [shape for shape, *_ in model.seen] == [(1, 4, 8, 3), (1, 8, 16, 3)]
    assert model.seen[1][1] == [[8, 12]]
    assert model.seen[1][2][0].tolist() == [[0, 0, 8, 8], [0, 8, 4, 12]]


def test_what_a_batch_holds_of_an_image():
    masks = masks_of((0, 0, 4, 4), (1, 1, 3, 3), (0, 0, 1, 6))
    batch = batch_of(masks, num=4, most_regions=8)
    assert batch["num_boxes"].tolist() == [3]
    assert batch["boxes"][0, 1].tolist() == [1, 1, 3, 3]
    assert batch["box_masks"].shape == (1, 4, 4, 8)
    np.testing.assert_array_equal(batch["box_masks"][0, :3, :, :6], masks)
    assert (batch["regions"][0, :, 6:] == segments.NO_REGION).all()
    held = np.asarray(batch["member"][0])[:, np.asarray(batch["regions"][0, :, :6])]
    np.testing.assert_array_equal(held[:3].astype(bool), masks)
    large = batch_of(masks, num=4, min_side=2)
    assert large["num_boxes"].tolist() == [2]
    # Two masks that are nested tell three regions apart; all three five.
    assert batch_of(masks, num=4, most_regions=3)["num_boxes"].tolist() == [2]


def test_an_image_without_cells_is_background():
    batch = batch_of(masks_of((0, 0, 4, 4)), num=2)
    batch["num_boxes"] = jnp.array([0])
    found = segments.scores(scores_of(*[(0.0, 0.9, 0.1)] * 2), batch, model=Told())
    assert not np.asarray(found).argmax(axis=-1).any()


def test_what_is_refused():
    for options in ({"num": 0}, {"min_side": -1}, {"most_regions": 1}):
        with pytest.raises(ValueError, match="expected at least one segment, a side"):
            SegmentWindows(lambda image, name: None, PIXELS, **options)
    batch = batch_of(masks_of((0, 0, 4, 4)), num=1)
    for options in ({"background": 1.0}, {"most": 0}):
        with pytest.raises(ValueError, match="a probability between 0 and 1, and at"):
            segments.scores(scores_of((1, 1, 1)), batch, model=Told(), **options)
    del batch["member"]
    with pytest.raises(ValueError, match="Told classifies segments, and the batch has"):
        segments.scores(scores_of((1, 1, 1)), batch, model=Told())
    wrong = SegmentWindows(
        lambda image, name: candidates.from_masks(masks_of((0, 0, 1, 1))), PIXELS
    )
    with pytest.raises(
        ValueError, match="im7: its segments are of an image of 4x6 and"
    ):
        wrong(np.zeros((5, 6, 3), np.uint8), "im7")
