"""Losses for rare classes against segmentation_models_pytorch 0.6, live."""

import importlib
import importlib.util
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from fcn_jax.training import focal, lovasz, overlaps

pytestmark = pytest.mark.parity


def losses_alone(package):
    """Its losses, without its networks, which need torchvision and timm."""
    found = types.ModuleType(package)
    found.__path__ = importlib.util.find_spec(package).submodule_search_locations
    sys.modules[package] = found
    return importlib.import_module(f"{package}.losses")


smp_losses = losses_alone("segmentation_models_pytorch")

CLASSES = 7
COMMON = {"mode": "multiclass", "ignore_index": 255}
CASES = {
    "dice": (smp_losses.DiceLoss(**COMMON), overlaps.tversky, {}),
    "tversky": (
        smp_losses.TverskyLoss(**COMMON, alpha=0.2, beta=0.9),
        overlaps.tversky,
        {"alpha": 0.2, "beta": 0.9},
    ),
    "lovasz": (smp_losses.LovaszLoss(**COMMON), lovasz.lovasz, {}),
    "lovasz per image": (
        smp_losses.LovaszLoss(**COMMON, per_image=True),
        lovasz.lovasz,
        {"per_image": True},
    ),
}


def example(void):
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(3, 13, 11, CLASSES))
    labels = rng.integers(0, CLASSES - 2, (3, 13, 11))  # Two classes are nowhere.
    labels[0][labels[0] == 2] = 1
    labels[rng.random(labels.shape) < void] = 255
    return logits, labels


@pytest.mark.parametrize("void", (0.0, 0.3))
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient(name, void):
    theirs, ours, options = CASES[name]
    logits, labels = example(void)
    single = "lovasz" in name  # In float64 theirs raises.
    logits = logits.astype(np.float32) if single else logits
    x = torch.tensor(logits, requires_grad=True)
    expected = theirs(x.permute(0, 3, 1, 2), torch.tensor(labels))
    expected.backward()
    # They divide by all classes, also by those that are true nowhere.
    factor = CLASSES / (CLASSES - 2) if ours is overlaps.tversky else 1.0
    with jax.enable_x64(True):
        value, gradient = jax.value_and_grad(
            lambda x: ours(x, jnp.asarray(labels), **options).share
        )(jnp.asarray(logits, float))
    rtol = 1e-5 if single else 1e-10
    assert float(value) == pytest.approx(factor * expected.item(), rel=rtol)
    scale = np.abs(x.grad.numpy()).max()
    np.testing.assert_allclose(
        gradient, factor * x.grad.numpy(), atol=rtol * factor * scale
    )


@pytest.mark.parametrize("gamma", (0.5, 2.0))
def test_focal_of_two_classes_is_their_binary_form(gamma):
    logits, labels = example(0.3)
    logits, labels = logits[..., :2], np.where(labels == 255, 255, labels % 2)
    x = torch.tensor(logits, requires_grad=True)
    theirs = smp_losses.FocalLoss(
        "binary", alpha=0.25, gamma=gamma, ignore_index=255, reduction="sum"
    )
    expected = theirs(x[..., 1] - x[..., 0], torch.tensor(labels))
    expected.backward()
    with jax.enable_x64(True):
        weights = jnp.array([0.75, 0.25])
        value, gradient = jax.value_and_grad(
            lambda x: (
                focal.focal(
                    x, jnp.asarray(labels), gamma=gamma, class_weights=weights
                ).total
            )
        )(jnp.asarray(logits))
    assert float(value) == pytest.approx(expected.item(), rel=1e-6)
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-5, atol=1e-9)
