"""DeepLab against an independent PyTorch build of the released prototxts.

Written from deeplab-public's train.prototxt and test.prototxt, whose nets are two: that
of training scores every eighth pixel, that of the test upsamples all maps first.
"""

import jax
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import fcn_jax
from fcn_jax.ops import interp
from fcn_jax.training.losses import CrossEntropy, LossOptions

pytestmark = pytest.mark.parity

CLASSES, CHANNELS, FC, BRANCH = 4, (4, 8, 16, 32, 32), 8, 8
SMALL = {"width": 1 / 16, "fc_features": FC * 16}
# fc6 of each net: kernel, hole, pad; whether pool5a is there; whether branches are.
NETS = {
    "deeplab": (4, 4, 6, False, False),
    "deeplab_7x7": (7, 4, 12, False, False),
    "deeplab_largefov": (3, 12, 12, True, False),
    "deeplab_msc": (4, 4, 6, False, True),
    "deeplab_msc_largefov": (3, 12, 12, True, True),
}
# Of the branches: the map, its channels, the stride in training, the zoom in the test.
BRANCHES = (
    ("data", 3, 8, 1),
    ("pool1", CHANNELS[0], 4, 2),
    ("pool2", CHANNELS[1], 2, 4),
    ("pool3", CHANNELS[2], 1, 8),
    ("pool4", CHANNELS[3], 1, 8),
)


class PyTorchDeepLab(nn.Module):
    """The prototxts, layer by layer; Caffe rounds poolings up."""

    def __init__(self, name):
        super().__init__()
        self.kernel, self.hole, self.pad, self.average, self.multi_scale = NETS[name]
        layers, before = {}, 3
        for stage, channels in enumerate(CHANNELS, start=1):
            hole = 2 if stage == 5 else 1
            for i in range(1, (2 if stage < 3 else 3) + 1):
                layers[f"conv{stage}_{i}"] = nn.Conv2d(
                    before, channels, 3, padding=hole, dilation=hole
                )
                before = channels
        layers["fc6"] = nn.Conv2d(
            before, FC, self.kernel, padding=self.pad, dilation=self.hole
        )
        layers["fc7"] = nn.Conv2d(FC, FC, 1)
        layers["fc8_score"] = nn.Conv2d(FC, CLASSES, 1)
        for source, channels, _, _ in BRANCHES if self.multi_scale else ():
            layers[f"{source}_conv"] = nn.Conv2d(channels, BRANCH, 3, padding=1)
            layers[f"{source}_fc"] = nn.Conv2d(BRANCH, BRANCH, 1)
            layers[f"{source}_ms"] = nn.Conv2d(BRANCH, CLASSES, 1)
        self.layers = nn.ModuleDict(layers)

    def forward(self, image, training):
        maps, x = {"data": image}, image
        for stage in range(1, 6):
            for i in range(1, (2 if stage < 3 else 3) + 1):
                x = functional.relu(self.layers[f"conv{stage}_{i}"](x))
            stride = 2 if stage < 4 else 1
            x = functional.max_pool2d(x, 3, stride, 1, ceil_mode=True)
            maps[f"pool{stage}"] = x
        if self.average:
            x = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=True)
        for name in ("fc6", "fc7"):
            x = functional.relu(self.layers[name](x))
        scores = self.layers["fc8_score"](x)
        fused = scores if training else zoom(scores, 8)
        for source, _, stride, factor in BRANCHES if self.multi_scale else ():
            conv = self.layers[f"{source}_conv"]
            steps = stride if training else 1
            y = functional.conv2d(maps[source], conv.weight, conv.bias, steps, 1)
            y = functional.relu(self.layers[f"{source}_fc"](functional.relu(y)))
            y = self.layers[f"{source}_ms"](y)
            fused = fused + (y if training else zoom(y, factor))
        return fused


def zoom(x, factor):
    size = [(side - 1) * factor + 1 for side in x.shape[2:]]
    return functional.interpolate(x, size, mode="bilinear", align_corners=True)


def drawn(name):
    """The net in PyTorch, float64, and our variables of the same numbers."""
    net = PyTorchDeepLab(name).double().eval()
    rng = np.random.default_rng(0)
    params = {}
    for layer, conv in net.layers.items():
        out, given, side, _ = conv.weight.shape
        kernel = rng.normal(size=conv.weight.shape) * np.sqrt(2 / (given * side**2))
        bias = 0.3 * rng.normal(size=out)
        conv.weight.data, conv.bias.data = torch.tensor(kernel), torch.tensor(bias)
        params[layer] = {"kernel": kernel.transpose(2, 3, 1, 0), "bias": bias}
    return net, {"params": params}


def create(name):
    return fcn_jax.create(
        name, CLASSES, param_dtype="float64", dropout_rate=0.0, **SMALL
    )


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("training", (False, True), ids=("test", "train"))
def test_scores_match_pytorch(name, training):
    net, variables = drawn(name)
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        model = create(name)
        shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 1, 1, 3)))
        ours_of, theirs_of = (jax.tree.map(np.shape, x) for x in (variables, shapes))
        assert ours_of == theirs_of
        # As released: n - 1 is a multiple of 8, for scores of every eighth pixel.
        for height, width in ((65, 97), (33, 9), (1, 1)):
            image = rng.uniform(-123, 151, (1, height, width, 3)) / 50
            ours = np.asarray(model.apply(variables, image, train=training))
            with torch.no_grad():
                found = net(torch.tensor(image).permute(0, 3, 1, 2), training)
            theirs = found.permute(0, 2, 3, 1).numpy()
            if training:
                ours = interp.shrink(ours, 8)
            scale = np.abs(theirs).max()
            assert ours.shape == theirs.shape
            assert scale > 0.01
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * scale)


@pytest.mark.parametrize("name", ("deeplab_largefov", "deeplab_msc"))
def test_gradients_of_the_loss_match_pytorch(name):
    """Softmax loss of every eighth pixel, mean over those that are not ignored."""
    net, variables = drawn(name)
    rng = np.random.default_rng(2)
    image = rng.uniform(-2, 2, (2, 33, 25, 3))
    labels = rng.integers(0, CLASSES, (2, 33, 25))
    labels[0, :9] = labels[1, 8, 8] = 255
    scores = net(torch.tensor(image).permute(0, 3, 1, 2), True)
    shrunk = torch.tensor(labels[:, ::8, ::8])
    theirs = functional.cross_entropy(scores, shrunk, ignore_index=255)
    theirs.backward()
    with jax.enable_x64(True):
        model = create(name)
        loss = CrossEntropy(LossOptions(label_shrink=8))

        def of(params):
            logits = model.apply({"params": params}, image, train=True)
            (part,) = loss(logits, {"labels": jax.numpy.asarray(labels)}, None)
            return part.total / part.weight

        ours, gradient = jax.jit(jax.value_and_grad(of))(variables["params"])
    np.testing.assert_allclose(ours, theirs.item(), rtol=1e-10)
    for layer, conv in net.layers.items():
        theirs = {
            "kernel": conv.weight.grad.numpy().transpose(2, 3, 1, 0),
            "bias": conv.bias.grad.numpy(),
        }
        for part, expected in theirs.items():
            scale = np.abs(expected).max()
            assert scale > 0, layer
            found = gradient[layer][part]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * scale)
