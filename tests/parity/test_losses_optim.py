"""Loss, its gradient and the updates against PyTorch, live."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
import torch.nn.functional as F

from fcn_jax.training import losses, optim, schedules

pytestmark = pytest.mark.parity


def example(seed, num_classes=11, void=0.2):
    rng = np.random.default_rng(seed)
    logits = 5 * rng.normal(size=(2, 13, 17, num_classes))
    labels = rng.integers(0, num_classes, (2, 13, 17))
    labels[rng.random(labels.shape) < void] = 255
    return logits, labels, rng.uniform(0.1, 4, num_classes)


@pytest.mark.parametrize("weighted", (False, True))
@pytest.mark.parametrize("reduction", losses.REDUCTIONS)
@pytest.mark.parametrize("void", (0.0, 0.2, 0.99))
def test_loss_and_gradient(weighted, reduction, void):
    logits, labels, weights = example(0, void=void)
    x = torch.tensor(logits, requires_grad=True)
    expected = F.cross_entropy(
        x.permute(0, 3, 1, 2),
        torch.tensor(labels),
        torch.tensor(weights) if weighted else None,
        ignore_index=255,
        reduction=reduction,
    )
    if reduction == "sum":
        expected = expected / len(labels)  # Caffe's unnormalised form.
    expected.backward()
    with jax.enable_x64(True):

        def loss_of(logits):
            loss = losses.cross_entropy(
                logits,
                jnp.asarray(labels),
                class_weights=jnp.asarray(weights) if weighted else None,
            )
            return losses.reduce_loss(loss.total, loss.weight, len(labels), reduction)

        value, gradient = jax.value_and_grad(loss_of)(jnp.asarray(logits))
    assert float(value) == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_at_a_constant_rate_caffe_and_pytorch_update_alike():
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(3, 4)), rng.normal(size=4)
    grads = rng.normal(size=(20, 3, 4)), rng.normal(size=(20, 4))
    w, b = (torch.nn.Parameter(torch.tensor(x)) for x in (kernel, bias))
    theirs = torch.optim.SGD(
        [{"params": [w]}, {"params": [b], "lr": 0.02, "weight_decay": 0}],
        lr=0.01,
        momentum=0.99,
        weight_decay=5e-4,
    )
    with jax.enable_x64(True):
        params = {"conv": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}
        ours = optim.caffe_sgd(0.01, 0.99, 5e-4, *optim.multipliers(params))
        state = ours.init(params)
        for grad_w, grad_b in zip(*grads, strict=True):
            w.grad, b.grad = torch.tensor(grad_w), torch.tensor(grad_b)
            theirs.step()
            tree = {"conv": {"kernel": jnp.asarray(grad_w), "bias": grad_b}}
            updates, state = ours.update(tree, state, params)
            params = optax.apply_updates(params, updates)
    for name, theirs in (("kernel", w), ("bias", b)):
        np.testing.assert_allclose(
            params["conv"][name], theirs.detach().numpy(), rtol=1e-12
        )


def test_adamw():
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(3, 4)), rng.normal(size=4)
    grads = rng.normal(size=(20, 3, 4)), rng.normal(size=(20, 4))
    w, b = (torch.nn.Parameter(torch.tensor(x)) for x in (kernel, bias))
    theirs = torch.optim.AdamW(
        [{"params": [w]}, {"params": [b], "weight_decay": 0.0}],
        lr=0.01,
        weight_decay=0.1,
    )
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        params = {"conv": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}
        schedule = schedules.make_schedule("constant", learning_rate=0.01, num_steps=20)
        ours = optim.make_optimizer("adamw", schedule, params, weight_decay=0.1)
        state = ours.init(params)
        for grad_w, grad_b in zip(*grads, strict=True):
            w.grad, b.grad = torch.tensor(grad_w), torch.tensor(grad_b)
            theirs.step()
            tree = {"conv": {"kernel": jnp.asarray(grad_w), "bias": grad_b}}
            updates, state = ours.update(tree, state, params)
            params = optax.apply_updates(params, updates)
    for name, theirs in (("kernel", w), ("bias", b)):
        # optax forms its bias corrections in float32.
        np.testing.assert_allclose(
            params["conv"][name], theirs.detach().numpy(), rtol=1e-5
        )
