"""Boxes with a class and a mask each made one map, with a network that is made up."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.data.batch import scaled_key
from fcn_jax.inference import regions

# Two boxes of an image of 4x6 that share a column, and a row that fills up.
BOXES = np.array([[[0, 0, 2, 4], [0, 3, 4, 6], [0, 0, 4, 6]]], np.int32)
PROBS = np.array([[[0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.0, 0.0, 1.0]]])


class Told(nn.Module):
    """A network of boxes that says what it was told; masks are full but for a row."""

    @property
    def heads(self):
        return {"": 3}

    def __call__(self, images, sizes=None, train=False, boxes=None):
        scores = jnp.log(jnp.asarray(PROBS, jnp.float32))
        mask = jnp.full((1, 3, 2, 2), 2.0).at[0, 1, 1].set(-2.0)
        return {
            "class_scores": scores,
            "mask_logits": mask,
            "box_labels": 1 + scores[..., 1:].argmax(-1).astype(jnp.int32),
            "windows": boxes,
        }


def batch(**changes):
    return {
        "image": jnp.zeros((1, 4, 6, 3), jnp.uint8),
        "sizes": jnp.array([[4, 6]], jnp.int32),
        "boxes": jnp.asarray(BOXES),
        "num_boxes": jnp.array([2], jnp.int32),
    } | changes


def painted(**settings):
    logits = regions.scores({}, batch(), model=Told(), **settings)
    return logits, logits[0].argmax(-1).tolist()


def test_the_better_region_is_on_top():
    logits, found = painted()
    assert found == [
        [1, 1, 1, 1, 2, 2],
        [1, 1, 1, 1, 2, 2],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert (logits.shape, logits.dtype) == ((1, 4, 6, 3), jnp.float32)
    background = np.log(0.5)
    np.testing.assert_allclose(
        logits[0, 0, 5], [background, background - 10, np.log(0.7)], 1e-6
    )


@pytest.mark.parametrize("settings", ({"background": 0.75}, {"most": 1}))
def test_what_is_not_painted_is_background(settings):
    assert painted(**settings)[1][0] == [1, 1, 1, 1, 0, 0]


def test_pixels_are_the_object_s_from_a_probability_on():
    """The lower half of the second mask has a probability of .12."""
    assert painted(foreground=0.1)[1][3] == [0, 0, 0, 2, 2, 2]


def test_boxes_are_seen_at_a_scale_and_pasted_at_the_image_s_own():
    seen = batch(
        **{
            scaled_key("image", 2): jnp.zeros((1, 8, 12, 3), jnp.uint8),
            scaled_key("sizes", 2): jnp.array([[8, 12]], jnp.int32),
        }
    )
    found = regions.find({}, seen, model=Told(), scale=2)
    plain = regions.find({}, batch(), model=Told())
    jax.tree.map(np.testing.assert_array_equal, found, plain)
    assert found.left.tolist() == [[True, True, False]]


def test_the_threshold_is_that_of_a_data_set():
    """Three images with 3, 2 and 1 regions: at most 1 each on average leaves three."""
    scores = [np.array([0.9, 0.5, 0.2]), np.array([0.4, 0.8]), np.array([0.305])]
    found = regions.background_threshold(scores, average=1)
    assert found == pytest.approx(0.4)
    assert sum((x > found).sum() for x in scores) == 3
    assert regions.background_threshold(scores, average=1, start=0.0) == found
    assert regions.background_threshold(scores) == -1  # Two on average there are.
    # Of an image only so many count: one of the first.
    assert regions.background_threshold(
        scores, average=1, most=1
    ) == -1  # fmt: skip


def test_wrong_arguments():
    with pytest.raises(
        ValueError, match=r"K = 0: there are no boxes to look at; .*num_proposals"
    ):
        regions.find({}, batch(boxes=jnp.zeros((1, 0, 4), jnp.int32)), model=Told())
    with pytest.raises(ValueError, match=r"boxes have shape \(2, 4\); for images of"):
        regions.find({}, batch(boxes=jnp.zeros((2, 4), jnp.int32)), model=Told())
    for wrong in ({"background": 0.0}, {"background": 1.0}, {"most": 0}):
        with pytest.raises(ValueError, match="a probability between 0 and 1, and at"):
            regions.scores({}, batch(), model=Told(), **wrong)
    with pytest.raises(ValueError, match="there are no images; give the scores of the"):
        regions.background_threshold([])
    with pytest.raises(ValueError, match="average=0, step=0.01; both are positive"):
        regions.background_threshold([np.ones(1)], average=0)
