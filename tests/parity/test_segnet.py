"""SegNet against an independent PyTorch build of the published layer list."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import fcn_jax
from benchmarks.peers import pytorch_nets
from fcn_jax.training import losses

pytestmark = pytest.mark.parity

NUM_CLASSES = 5
# segnet_train.prototxt: every convolution with its outputs, by the pooling or unpooling
# between them; each but the last is followed by BN and ReLU.
ENCODER = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
DECODER = {
    5: ((3, 512), (2, 512), (1, 512)),
    4: ((3, 512), (2, 512), (1, 256)),
    3: ((3, 256), (2, 256), (1, 128)),
    2: ((2, 128), (1, 64)),
    1: ((2, 64),),
}


class SegNet(nn.Module):
    """SegNet, line by line; layers have the names of the prototxt, BN before them."""

    def __init__(self, width):
        super().__init__()
        channels = 3
        for stage, widths in enumerate(ENCODER, start=1):
            for i, features in enumerate(widths, start=1):
                channels = self.add(f"{stage}_{i}", channels, round(features * width))
        for stage, listed in DECODER.items():
            for i, features in listed:
                channels = self.add(f"{stage}_{i}_D", channels, round(features * width))
        self.add_module("conv1_1_D", nn.Conv2d(channels, NUM_CLASSES, 3, padding=1))

    def add(self, tag, channels, features):
        self.add_module(f"conv{tag}", nn.Conv2d(channels, features, 3, padding=1))
        self.add_module(f"bn{tag}", nn.BatchNorm2d(features, eps=1e-9))
        return features

    def block(self, x, tag):
        return F.relu(getattr(self, f"bn{tag}")(getattr(self, f"conv{tag}")(x)))

    def forward(self, x):
        indices, sizes = {}, {}
        for stage, widths in enumerate(ENCODER, start=1):
            for i in range(1, len(widths) + 1):
                x = self.block(x, f"{stage}_{i}")
            sizes[stage] = x.shape[2:]
            x, indices[stage] = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
        for stage, listed in DECODER.items():
            x = F.max_unpool2d(x, indices[stage], 2, output_size=sizes[stage])
            for i, _ in listed:
                x = self.block(x, f"{stage}_{i}_D")
        return self.conv1_1_D(x)


def build(width):
    net = SegNet(width).to(torch.float64)
    pytorch_nets.draw_weights(net)
    model = fcn_jax.create("segnet", NUM_CLASSES, width=width, param_dtype="float64")
    return net, model


@pytest.mark.parametrize("shape", ((64, 96), (61, 83)))
def test_float64_logits(shape):
    net, model = build(1 / 16)
    net.eval()
    image = np.random.default_rng(0).normal(size=(2, *shape, 3))
    with torch.no_grad():
        theirs = net(torch.tensor(image).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    theirs = theirs.numpy()
    with jax.enable_x64(True):
        variables = pytorch_nets.variables_of(net)
        shapes = jax.eval_shape(model.init, jax.random.key(0), image)
        assert variables["params"].keys() == shapes["params"].keys()
        ours = jax.jit(model.apply)(variables, image)
    scale = np.abs(theirs).max()
    assert scale > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * scale)


def test_gradients_of_a_training_step_in_float64():
    """BatchNorm over 4 images; the mean cross-entropy with void."""
    net, model = build(1 / 16)
    net.train()
    rng = np.random.default_rng(2)
    image = rng.normal(size=(4, 64, 96, 3))
    labels = rng.integers(0, NUM_CLASSES, (4, 64, 96))
    labels[rng.random(labels.shape) < 0.1] = 255
    logits = net(torch.tensor(image).permute(0, 3, 1, 2))
    their_loss = F.cross_entropy(logits, torch.tensor(labels), ignore_index=255)
    their_loss.backward()
    with jax.enable_x64(True):
        variables = pytorch_nets.variables_of(net)

        @jax.jit
        def loss_and_grad(params):
            def loss(params):
                logits, _ = model.apply(
                    variables | {"params": params},
                    image,
                    train=True,
                    mutable=["batch_stats"],
                )
                found = losses.cross_entropy(logits, jnp.asarray(labels, jnp.int32))
                return found.total / found.weight

            return jax.value_and_grad(loss)(params)

        our_loss, grads = loss_and_grad(variables["params"])
    np.testing.assert_allclose(our_loss, their_loss.item(), rtol=1e-12)
    largest = max(float(p.grad.abs().max()) for p in net.parameters())
    for name, theirs in pytorch_nets.params_of(net, gradients=True).items():
        for part, value in theirs.items():
            scale = max(np.abs(value).max(), 1e-6 * largest)
            np.testing.assert_allclose(
                grads[name][part], value, rtol=0, atol=1e-8 * scale, err_msg=name
            )
