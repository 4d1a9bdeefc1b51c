"""DeconvNet against an independent PyTorch build of the published layer list."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import fcn_jax.models
from benchmarks.peers import pytorch_nets
from fcn_jax.ops import pooling
from fcn_jax.training import losses

pytestmark = pytest.mark.parity

NUM_CLASSES = 5


def build(width, fc_features, padding, dtype):
    options = {"width": width, "fc_features": fc_features, "padding": padding}
    net = pytorch_nets.create("deconvnet", NUM_CLASSES, **options).to(dtype)
    pytorch_nets.draw_weights(net)
    name = "float64" if dtype == torch.float64 else "float32"
    model = fcn_jax.models.create("deconvnet", NUM_CLASSES, param_dtype=name, **options)
    return net, model


def run_torch(net, image):
    with torch.no_grad():
        logits, indices, sizes = net.with_indices(
            torch.tensor(image).permute(0, 3, 1, 2)
        )
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
    net, model = build(1 / 16, 2048, padding, torch.float64)
    net.eval()
    image = np.random.default_rng(0).normal(size=(1, *shape, 3))
    theirs, their_switches = run_torch(net, image)
    with jax.enable_x64(True):
        variables = pytorch_nets.variables_of(net)
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
    net, model = build(1 / 4, 2048, "valid", torch.float32)
    net.eval()
    image = np.random.default_rng(1).normal(size=(1, 224, 224, 3)).astype(np.float32)
    theirs, their_switches = run_torch(net, image)
    variables = pytorch_nets.variables_of(net)
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
    net, model = build(1 / 32, 2048, "same", torch.float64)
    net.train()
    rng = np.random.default_rng(2)
    image = rng.normal(size=(8, 64, 96, 3))
    labels = rng.integers(0, NUM_CLASSES, (8, 64, 96))
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
