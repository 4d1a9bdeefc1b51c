"""Gradients and updates against the same net, loss and rule in PyTorch, float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F

import fcn_jax.models
from benchmarks.peers import pytorch_nets
from fcn_jax.training import losses, optim

pytestmark = pytest.mark.parity

NUM_CLASSES = 5
MOMENTUM, DECAY, RATE = 0.9, 5e-4, 0.01


def make(padding, batch_norm):
    options = {
        "width": 1 / 16,
        "fc_features": 128,
        "padding": padding,
        "batch_norm": batch_norm,
        "dropout_rate": 0.0,
    }
    net = pytorch_nets.create("fcn8s", NUM_CLASSES, **options).double().train()
    pytorch_nets.draw_weights(net, seed=1)
    model = fcn_jax.models.create(
        "fcn8s", NUM_CLASSES, param_dtype="float64", **options
    )
    return net, model


def example(rows=8, size=(33, 65)):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(rows, *size, 3))
    labels = rng.integers(0, NUM_CLASSES, (rows, *size))
    labels[rng.random(labels.shape) < 0.1] = 255
    return image, labels


@pytest.mark.parametrize("batch_norm", (False, True), ids=("plain", "bn"))
@pytest.mark.parametrize("padding", ("caffe", "same"))
def test_gradients_and_ten_updates_match_pytorch(padding, batch_norm):
    with jax.enable_x64(True):
        net, model = make(padding, batch_norm)
        image, labels = example()
        variables = jax.tree.map(jnp.asarray, pytorch_nets.variables_of(net))
        params, stats = variables["params"], variables["batch_stats"]
        lr, decay = optim.multipliers(params)
        optimizer = optim.caffe_sgd(RATE, MOMENTUM, DECAY, lr, decay)
        state = optimizer.init(params)

        # Ten steps pay for the compilation that other tests save.
        @functools.partial(
            jax.jit,
            compiler_options={
                "xla_backend_optimization_level": 3,
                "xla_llvm_disable_expensive_passes": False,
            },
        )
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
        their_optimizer = pytorch_nets.CaffeSGD(net, RATE, MOMENTUM, DECAY)
        for number in range(10):
            params, stats, state, loss, grads = step(params, stats, state)
            net.zero_grad()
            expected = F.cross_entropy(net(x), y, ignore_index=255)
            expected.backward()
            assert float(loss) == pytest.approx(expected.item(), rel=1e-9)
            if number == 0:
                for name, layer in pytorch_nets.params_of(net, gradients=True).items():
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
            their_optimizer.step()
        for name, layer in pytorch_nets.params_of(net).items():
            for kind, theirs in layer.items():
                np.testing.assert_allclose(
                    params[name][kind], theirs, rtol=0, atol=1e-8, err_msg=name
                )
