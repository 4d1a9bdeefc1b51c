"""Losses of boxes, by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

from fcn_jax import training
from fcn_jax.training import losses
from fcn_jax.training.box_losses import BoxClasses, BoxMasks
from fcn_jax.training.loss_options import LossOptions

SUM = LossOptions(reduction="sum")
# Two images of three boxes: the third row of each is of background, or fills up.
LABELS = jnp.array([[1, 2, 0], [2, 1, -1]], jnp.int32)
WEIGHTS = np.array([[1.0, 0.5, 0.0], [0.25, 0.25, 0.0]])


@pytest.fixture(scope="module")
def batch():
    targets = np.random.default_rng(0).integers(0, 2, size=(2, 3, 4, 4))
    targets[0, 0, 0] = 255
    return {
        "box_labels": LABELS,
        "box_weights": jnp.asarray(WEIGHTS, jnp.float32),
        "box_targets": jnp.asarray(targets, jnp.uint8),
    }


@pytest.fixture(scope="module")
def outputs():
    rng = np.random.default_rng(1)
    return {
        "mask_logits": jnp.asarray(rng.normal(size=(2, 3, 4, 4)), jnp.float32),
        "class_scores": jnp.asarray(rng.normal(size=(2, 3, 3)), jnp.float32),
    }


def reduced(loss, outputs, batch):
    (part,) = loss(outputs, batch, jnp.zeros(2))
    return losses.reduce_loss(part.total, part.weight, 2, loss.reduction)


def of_boxes(outputs, batch):
    """The sum over pixels of each box, and how many count, void left out."""
    logits = np.asarray(outputs["mask_logits"], np.float64)
    targets = np.asarray(batch["box_targets"])
    loss = np.log1p(np.exp(np.where(targets == 1, -logits, logits)))
    counts = targets != 255
    return (loss * counts).sum(axis=(2, 3)), counts.sum(axis=(2, 3))


def test_masks_are_summed_over_pixels_and_averaged_over_boxes(outputs, batch):
    """As published: (1 a + .5 b + .25 c + .25 d) / 4 of the four on objects."""
    loss, _ = of_boxes(outputs, batch)
    expected = (loss * WEIGHTS).sum() / 4
    np.testing.assert_allclose(reduced(BoxMasks(SUM), outputs, batch), expected, 1e-5)


def test_masks_averaged_are_so_by_their_weights(outputs, batch):
    loss, counts = of_boxes(outputs, batch)
    expected = (loss * WEIGHTS).sum() / (counts * WEIGHTS).sum()
    np.testing.assert_allclose(reduced(BoxMasks(), outputs, batch), expected, 1e-5)


def test_classes_count_where_there_are_some(outputs, batch):
    log_probs = np.asarray(jax.nn.log_softmax(outputs["class_scores"]))
    of_first = [-log_probs[0, m, label] for m, label in enumerate((1, 2, 0))]
    of_second = [-log_probs[1, m, label] for m, label in enumerate((2, 1))]
    np.testing.assert_allclose(
        reduced(BoxClasses(), outputs, batch), np.mean(of_first + of_second), 1e-5
    )
    np.testing.assert_allclose(
        reduced(BoxClasses(SUM), outputs, batch),
        (np.mean(of_first) + np.mean(of_second)) / 2,
        1e-5,
    )


def test_gradients(outputs, batch):
    for loss, name in ((BoxMasks(SUM), "mask_logits"), (BoxClasses(), "class_scores")):
        check_grads(
            lambda x, loss=loss, name=name: reduced(loss, {name: x}, batch),
            (outputs[name],), 1, ("rev",), 1e-2, 1e-2, eps=1e-2,
        )  # fmt: skip


def test_what_does_not_count_has_no_gradient(outputs, batch):
    def loss(x):
        return reduced(BoxMasks(), {"mask_logits": x}, batch)

    gradient = jax.grad(loss)(outputs["mask_logits"].at[0, 0, 0].set(jnp.inf))
    assert np.isfinite(gradient).all()
    assert not gradient[0, 0, 0].any()
    assert not gradient[:, 2].any()


class ByArea(nn.Module):
    """Scores of a box are its area, and its label, times a weight each."""

    @nn.compact
    def __call__(self, images, sizes, train, example_ids, boxes=None, box_labels=None):
        weight = self.param("weight", nn.initializers.ones_init(), (2, 3))
        area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
        seen = jnp.stack([area, box_labels], -1).astype(jnp.float32)
        return {"class_scores": seen @ weight}


@pytest.mark.parametrize("accumulate", (1, 2))
def test_a_step_hands_boxes_on(accumulate):
    """Of scores that are all alike the gradient is (1/3 - hit) times what is seen."""
    boxes = jnp.array([[[0, 0, 1, 2]], [[0, 0, 2, 3]]], jnp.int32)
    optimizer = optax.sgd(1.0)
    variables = {"params": {"weight": jnp.ones((2, 3))}}
    state, _ = training.train_step(
        training.create_state(variables, optimizer),
        {
            "image": jnp.zeros((2, 4, 4, 3), jnp.uint8),
            "boxes": boxes,
            "box_labels": jnp.array([[1], [2]], jnp.int32),
        },
        model=ByArea(),
        optimizer=optimizer,
        seed=0,
        loss=BoxClasses(),
        accumulate=accumulate,
    )
    # Areas of 2 and 6, of the classes 1 and 2.
    hit = np.array([[0, 2, 6], [0, 1, 2]]) / 2
    share = np.array([[8 / 3] * 3, [1.0] * 3]) / 2
    np.testing.assert_allclose(1 - state.params["weight"], share - hit, atol=1e-5)


def test_a_network_without_boxes(batch):
    message = "BoxMasks compares mask_logits of boxes, and the network gave none; train"
    with pytest.raises(ValueError, match=message):
        BoxMasks()(jnp.zeros((2, 4, 4, 3)), batch, jnp.zeros(2))
    with pytest.raises(ValueError, match="BoxClasses compares class_scores of boxes"):
        BoxClasses()({"semantic": jnp.zeros((2, 4, 4, 3))}, batch, jnp.zeros(2))
