"""Gradients and updates against the same net, loss and rule in PyTorch, float64."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F

import fcn_jax.models
from fcn_jax import losses, optim

sys.path.insert(0, str(Path(__file__).parent))
from test_models import FC_FEATURES, NUM_CLASSES, WIDTH, TorchFCN, variables_of

pytestmark = pytest.mark.parity

MOMENTUM, DECAY, RATE = 0.9, 5e-4, 0.01


def make(padding, batch_norm):
    torch.manual_seed(1)
    net = TorchFCN("fcn8s", padding, batch_norm).double().train()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    model = fcn_jax.models.create(
        "fcn8s",
        NUM_CLASSES,
        width=WIDTH,
        fc_features=FC_FEATURES,
        padding=padding,
        batch_norm=batch_norm,
        dropout_rate=0.0,
        param_dtype="float64",
    )
    return net, model


def example(rows=8, size=(33, 65)):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(rows, *size, 3))
    labels = rng.integers(0, NUM_CLASSES, (rows, *size))
    labels[rng.random(labels.shape) < 0.1] = 255
    return image, labels


def gradients(net):
    grads = {}
    for name, module in net.named_children():
        weight = module.weight.grad
        if weight.ndim == 4:
            weight = weight.permute(2, 3, 1, 0)
        kind = "kernel" if weight.ndim == 4 else "scale"
        bias = module.bias.grad.numpy().copy()
        grads[name] = {kind: weight.numpy().copy(), "bias": bias}
    return grads


@pytest.mark.parametrize("batch_norm", (False, True), ids=("plain", "bn"))
@pytest.mark.parametrize("padding", ("caffe", "same"))
def test_gradients_and_ten_updates_match_pytorch(padding, batch_norm):
    with jax.enable_x64(True):
        net, model = make(padding, batch_norm)
        image, labels = example()
        # Copies: the parameters of the PyTorch net are about to be updated in place.
        variables = jax.tree.map(lambda x: jnp.asarray(np.array(x)), variables_of(net))
        params, stats = variables["params"], variables["batch_stats"]
        lr, decay = optim.multipliers(params)
        optimizer = optim.caffe_sgd(RATE, MOMENTUM, DECAY, lr, decay)
        state = optimizer.init(params)

        @jax.jit
        def step(params, stats, state):
            def loss_fn(params):
                variables = {"params": params, "batch_stats": stats}
                logits, updates = model.apply(
                    variables, jnp.asarray(image), train=True, mutable=["batch_stats"]
                )
                loss = losses.cross_entropy(logits, jnp.asarray(labels))
                return losses.reduce_loss(loss.total, loss.weight, 8), updates

            (loss, updates), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
            changes, new_state = optimizer.update(grads, state, params)
            params = optax.apply_updates(params, changes)
            return params, updates.get("batch_stats", stats), new_state, loss, grads

        x = torch.tensor(image).permute(0, 3, 1, 2)
        y = torch.tensor(labels)
        velocity = {}
        for number in range(10):
            params, stats, state, loss, grads = step(params, stats, state)
            net.zero_grad()
            expected = F.cross_entropy(net(x), y, ignore_index=255)
            expected.backward()
            assert float(loss) == pytest.approx(expected.item(), rel=1e-9)
            if number == 0:
                for name, layer in gradients(net).items():
                    for kind, theirs in layer.items():
                        # Biases before BatchNorm have no gradient but rounding.
                        scale = max(np.abs(theirs).max(), 1e-3)
                        np.testing.assert_allclose(
                            grads[name][kind],
                            theirs,
                            rtol=0,
                            atol=1e-8 * scale,
                            err_msg=f"{name}/{kind}",
                        )
            with torch.no_grad():
                for name, parameter in net.named_parameters():
                    layer, kind = name.rsplit(".", 1)
                    normalises = layer.startswith("bn")
                    rate = RATE * (2 if kind == "bias" and not normalises else 1)
                    decays = DECAY * (kind == "weight" and not normalises)
                    g = parameter.grad + decays * parameter
                    velocity[name] = MOMENTUM * velocity.get(name, 0) + rate * g
                    parameter -= velocity[name]
        for name, layer in variables_of(net)["params"].items():
            for kind, theirs in layer.items():
                np.testing.assert_allclose(
                    params[name][kind], theirs, rtol=0, atol=1e-8, err_msg=name
                )
