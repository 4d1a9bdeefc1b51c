"""Maxima of bins, windows of boxes and the loss of masks, as PyTorch computes them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional

from fcn_jax.ops import roi
from fcn_jax.training.box_losses import BoxMasks

pytestmark = pytest.mark.parity

BOXES = np.array([[0, 0, 80, 112], [17, 9, 65, 90], [40, 60, 80, 112], [3, 3, 5, 9]])
STRIDE = 8


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(10, 14, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def pull():
    return np.random.default_rng(1).normal(size=(4, 7, 7, 5)).astype(np.float32)


def value_and_gradient(layer, x, pull):
    def loss(x):
        found = layer(x)
        return jnp.vdot(found, pull), found

    return jax.jit(jax.grad(loss, has_aux=True))(x)


def compare(layer, theirs, x, pull, boxes=BOXES):
    tensor = torch.tensor(x.transpose(2, 0, 1)[None], requires_grad=True)
    found = torch.stack([theirs(tensor, box)[0] for box in boxes.tolist()])
    found.backward(torch.tensor(pull.transpose(0, 3, 1, 2)))
    gradient, ours = value_and_gradient(layer, jnp.asarray(x), pull)
    expected = found.detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    np.testing.assert_allclose(
        gradient, tensor.grad[0].numpy().transpose(1, 2, 0), atol=1e-4
    )


def test_bins_are_those_of_an_adaptive_pooling(x, pull):
    def theirs(x, box):
        top, left = (int(np.floor(n / STRIDE + 0.5)) for n in box[:2])
        bottom, right = (int(np.floor((n - 1) / STRIDE + 0.5)) for n in box[2:])
        # Corners that are rounded up beyond the map have empty bins in Caffe.
        assert bottom < x.shape[2]
        assert right < x.shape[3]
        cells = x[:, :, top : bottom + 1, left : right + 1]
        return functional.adaptive_max_pool2d(cells, 7)

    inside = np.minimum(BOXES, [76, 108, 76, 108])
    boxes = jnp.asarray(inside, jnp.int32)
    compare(lambda x: roi.roi_pool(x, boxes, STRIDE), theirs, x, pull, inside)


def test_windows_are_sampled_bilinearly_with_edges_that_go_on(x, pull):
    def theirs(x, box):
        places = []
        for k, length in enumerate(x.shape[2:]):
            centre = (torch.arange(7) + 0.5) / 7
            pixel = box[k] + centre * (box[k + 2] - box[k])
            places.append(2 * pixel / STRIDE / length - 1)
        rows, columns = torch.meshgrid(*places, indexing="ij")
        grid = torch.stack([columns, rows], dim=-1)[None]
        return functional.grid_sample(
            x, grid, "bilinear", padding_mode="border", align_corners=False
        )

    boxes = jnp.asarray(BOXES, jnp.int32)
    compare(lambda x: roi.box_upsample(x, boxes, STRIDE, 7), theirs, x, pull)


def test_masks_are_compared_by_logistic_losses():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(2, 3, 4, 4)).astype(np.float32) * 5
    targets = rng.integers(0, 2, size=logits.shape)
    weights = rng.random((2, 3)).astype(np.float32) + 0.1
    batch = {"box_targets": jnp.asarray(targets, jnp.uint8), "box_weights": weights}
    batch = {name: jnp.asarray(value) for name, value in batch.items()}
    (part,) = BoxMasks()({"mask_logits": jnp.asarray(logits)}, batch, jnp.zeros(2))
    theirs = functional.binary_cross_entropy_with_logits(
        torch.tensor(logits),
        torch.tensor(targets, dtype=torch.float32),
        weight=torch.tensor(weights)[..., None, None],
        reduction="sum",
    )
    np.testing.assert_allclose(part.total, theirs.item(), rtol=1e-5)
