"""DeconvNet against an independent PyTorch build of the published layer list."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import fcn_jax.models
from fcn_jax import losses
from fcn_jax.ops import pooling

pytestmark = pytest.mark.parity

NUM_CLASSES = 5
# stage_2_train.prototxt: output channels, encoder and decoder.
ENCODER = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
DECODER = ((512,) * 3, (512, 512, 256), (256, 256, 128), (128, 64), (64, 64))
FC = 4096


class TorchDeconvNet(nn.Module):
    """The prototxt, line by line, in PyTorch; all channels divided by `divisor`."""

    def __init__(self, divisor, fc_divisor, padding):
        super().__init__()
        channels = 3
        pad = 0 if padding == "valid" else 3

        def add(name, bn, layer):
            self.add_module(name, layer)
            self.add_module(bn, nn.BatchNorm2d(layer.out_channels, eps=1e-9))
            return layer.out_channels

        for stage, widths in enumerate(ENCODER, start=1):
            for i, features in enumerate(widths, start=1):
                conv = nn.Conv2d(channels, features // divisor, 3, padding=1)
                channels = add(f"conv{stage}_{i}", f"bn{stage}_{i}", conv)
        fc = FC // fc_divisor
        add("fc6", "bnfc6", nn.Conv2d(channels, fc, 7, padding=pad))
        add("fc7", "bnfc7", nn.Conv2d(fc, fc, 1))
        deconv = nn.ConvTranspose2d(fc, channels, 7, padding=pad)
        channels = add("fc6-deconv", "fc6-deconv-bn", deconv)
        for stage, widths in zip((5, 4, 3, 2, 1), DECODER, strict=True):
            for i, features in enumerate(widths, start=1):
                features //= divisor
                deconv = nn.ConvTranspose2d(channels, features, 3, padding=1)
                channels = add(f"deconv{stage}_{i}", f"debn{stage}_{i}", deconv)
        self.add_module("seg-score", nn.Conv2d(channels, NUM_CLASSES, 1))

    def block(self, x, layer, bn):
        return F.relu(getattr(self, bn)(getattr(self, layer)(x)))

    def forward(self, x):
        """The logits, and the flat indices of every pooling."""
        indices, sizes = {}, {}
        for stage, widths in enumerate(ENCODER, start=1):
            for i in range(1, len(widths) + 1):
                x = self.block(x, f"conv{stage}_{i}", f"bn{stage}_{i}")
            sizes[stage] = x.shape[2:]
            x, indices[stage] = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
        x = self.block(x, "fc6", "bnfc6")
        x = self.block(x, "fc7", "bnfc7")
        x = self.block(x, "fc6-deconv", "fc6-deconv-bn")
        for stage, widths in zip((5, 4, 3, 2, 1), DECODER, strict=True):
            x = F.max_unpool2d(x, indices[stage], 2, output_size=sizes[stage])
            for i in range(1, len(widths) + 1):
                x = self.block(x, f"deconv{stage}_{i}", f"debn{stage}_{i}")
        return getattr(self, "seg-score")(x), indices, sizes


def build(divisor, fc_divisor, padding, dtype):
    torch.manual_seed(0)
    net = TorchDeconvNet(divisor, fc_divisor, padding).to(dtype)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fan_in = module.in_channels * module.kernel_size[0] ** 2
            nn.init.normal_(module.weight, std=(2 / fan_in) ** 0.5)
            nn.init.normal_(module.bias, std=0.3)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    name = "float64" if dtype == torch.float64 else "float32"
    model = fcn_jax.models.create(
        "deconvnet",
        NUM_CLASSES,
        width=1 / divisor,
        fc_features=FC * divisor // fc_divisor,
        padding=padding,
        param_dtype=name,
    )
    return net, model


def values(tensors, kernel):
    """{kernel: ..., bias: ...} of a module's weights or gradients, in our layout."""
    weight, bias = (t.detach() for t in tensors)
    return {kernel: weight.numpy().copy(), "bias": bias.numpy().copy()}


def layout(module, weight):
    if isinstance(module, nn.Conv2d):
        return weight.permute(2, 3, 1, 0)
    if isinstance(module, nn.ConvTranspose2d):
        return weight.permute(2, 3, 0, 1)
    return weight


def variables_of(net):
    params, batch_stats = {}, {}
    for name, module in net.named_children():
        kernel = "scale" if isinstance(module, nn.BatchNorm2d) else "kernel"
        weight = layout(module, module.weight)
        params[name] = values((weight, module.bias), kernel)
        if kernel == "scale":
            batch_stats[name] = {
                "mean": module.running_mean.numpy().copy(),
                "var": module.running_var.numpy().copy(),
            }
    return {"params": params, "batch_stats": batch_stats}


def run_torch(net, image):
    with torch.no_grad():
        logits, indices, sizes = net(torch.tensor(image).permute(0, 3, 1, 2))
    switches = {
        f"pool{stage}": pooling.indices_to_switches(
            jnp.asarray(found.permute(0, 2, 3, 1).numpy()), 2, tuple(sizes[stage])
        )
        for stage, found in indices.items()
    }
    return logits.permute(0, 2, 3, 1).numpy(), switches


def run_ours(model, variables, image):
    logits, found = jax.jit(lambda v, x: model.apply(v, x, mutable=["intermediates"]))(
        variables, image
    )
    maps = found["intermediates"]
    return np.asarray(logits), {
        f"pool{stage}": np.asarray(maps[f"pool{stage}_mask"][0])
        for stage in range(1, 6)
    }


@pytest.mark.parametrize(
    ("padding", "shape"),
    (("valid", (224, 224)), ("valid", (193, 257)), ("same", (65, 98))),
)
def test_float64_switches_and_logits(padding, shape):
    net, model = build(16, 32, padding, torch.float64)
    net.eval()
    image = np.random.default_rng(0).normal(size=(1, *shape, 3))
    theirs, their_switches = run_torch(net, image)
    with jax.enable_x64(True):
        variables = variables_of(net)
        shapes = jax.eval_shape(model.init, jax.random.key(0), image)
        assert variables["params"].keys() == shapes["params"].keys()
        ours, switches = run_ours(model, variables, image)
    for name, found in switches.items():
        np.testing.assert_array_equal(found, their_switches[name], name)
    assert ours.dtype == np.float64
    scale = np.abs(theirs).max()
    assert scale > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * scale)


def test_float32_switches_and_logits():
    """Rounding may part near-ties: 1e-5 of them; by the same switches, logits agree."""
    net, model = build(4, 8, "valid", torch.float32)
    net.eval()
    image = np.random.default_rng(1).normal(size=(1, 224, 224, 3)).astype(np.float32)
    theirs, their_switches = run_torch(net, image)
    variables = variables_of(net)
    _, switches = run_ours(model, variables, image)
    different = sum(
        int((found != np.asarray(their_switches[name])).sum())
        for name, found in switches.items()
    )
    total = sum(found.size for found in switches.values())
    assert different <= 1e-5 * total
    ours = jax.jit(lambda v, x, s: model.apply(v, x, switches=s))(
        variables, image, their_switches
    )
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * scale)


def test_gradients_of_a_training_step_in_float64():
    """BatchNorm over 8 images; the mean cross-entropy with void."""
    net, model = build(32, 64, "same", torch.float64)
    net.train()
    rng = np.random.default_rng(2)
    image = rng.normal(size=(8, 64, 96, 3))
    labels = rng.integers(0, NUM_CLASSES, (8, 64, 96))
    labels[rng.random(labels.shape) < 0.1] = 255
    logits, _, _ = net(torch.tensor(image).permute(0, 3, 1, 2))
    their_loss = F.cross_entropy(logits, torch.tensor(labels), ignore_index=255)
    their_loss.backward()
    with jax.enable_x64(True):
        variables = variables_of(net)

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
    for name, module in net.named_children():
        kernel = "scale" if isinstance(module, nn.BatchNorm2d) else "kernel"
        theirs = values((layout(module, module.weight.grad), module.bias.grad), kernel)
        for part, value in theirs.items():
            scale = max(np.abs(value).max(), 1e-6 * largest)
            np.testing.assert_allclose(
                grads[name][part], value, rtol=0, atol=1e-8 * scale, err_msg=name
            )
