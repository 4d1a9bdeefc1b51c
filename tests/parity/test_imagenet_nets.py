"""FCN-AlexNet, FCN-GoogLeNet and the classifiers against independent PyTorch builds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import fcn_jax.models
from benchmarks.peers import pytorch_imagenet_nets, pytorch_nets
from fcn_jax.models import classifier

pytestmark = pytest.mark.parity

NUM_CLASSES = 5
SMALL = {
    "fcn_alexnet": {"width": 1 / 16, "fc_features": 512},
    "alexnet": {"width": 1 / 16, "fc_features": 512},
    "caffenet": {"width": 1 / 16, "fc_features": 512},
    "fcn_googlenet": {"width": 1 / 8},
    "googlenet": {"width": 1 / 8},
}


def both(name, dtype):
    """PyTorch's net and ours, with the same weights."""
    net = pytorch_imagenet_nets.create(name, NUM_CLASSES, **SMALL[name])
    net = pytorch_nets.draw_weights(net).to(getattr(torch, dtype)).eval()
    if name in fcn_jax.models.MODELS:
        options = {"param_dtype": dtype, **SMALL[name]}
        model = fcn_jax.models.create(name, NUM_CLASSES, **options)
    else:
        model = classifier.create_classifier(name, NUM_CLASSES, **SMALL[name])
    params = pytorch_nets.params_of(net)
    image = np.zeros((1, model.smallest_image, model.smallest_image, 3))
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)["params"]
    assert params.keys() == shapes.keys()
    return net, model, params


def close(ours, theirs, tolerance):
    scale = np.abs(theirs).max()
    assert ours.shape == theirs.shape
    assert scale > 1e-3
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)


def nchw(images):
    return torch.tensor(images).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", ("fcn_alexnet", "fcn_googlenet"))
@pytest.mark.parametrize(
    ("dtype", "tolerance", "sizes"),
    (("float64", 1e-10, ((97, 130), (1, 1))), ("float32", 1e-5, ((65, 34),))),
)
def test_logits_match_pytorch(name, dtype, tolerance, sizes):
    rng = np.random.default_rng(0)
    with jax.enable_x64(dtype == "float64"):
        net, model, params = both(name, dtype)
        for height, width in sizes:
            image = rng.uniform(-2.5, 3, (1, height, width, 3)).astype(dtype)
            ours = np.asarray(model.apply({"params": params}, image, train=False))
            assert ours.dtype == dtype
            with torch.no_grad():
                theirs = net(nchw(image)).permute(0, 2, 3, 1).numpy()
            close(ours, theirs, tolerance)


@pytest.mark.parametrize("name", ("fcn_alexnet", "fcn_googlenet"))
def test_gradients_match_pytorch(name):
    """Of cross-entropy: every parameter of every layer."""
    rng = np.random.default_rng(1)
    image = rng.uniform(-2.5, 3, (1, 48, 37, 3))
    labels = rng.integers(0, NUM_CLASSES, (1, 48, 37))
    with jax.enable_x64(True):
        net, model, params = both(name, "float64")

        def loss(params):
            log_probs = jax.nn.log_softmax(model.apply({"params": params}, image))
            taken = jnp.take_along_axis(log_probs, jnp.asarray(labels)[..., None], -1)
            return -taken.mean()

        ours = jax.jit(jax.grad(loss))(params)
    torch.nn.functional.cross_entropy(net(nchw(image)), torch.tensor(labels)).backward()
    theirs = pytorch_nets.params_of(net, gradients=True)
    assert ours.keys() == theirs.keys()
    for layer, parts in theirs.items():
        for part, expected in parts.items():
            scale = np.abs(expected).max()
            assert scale > 0, layer
            np.testing.assert_allclose(
                ours[layer][part], expected, atol=1e-9 * scale, err_msg=layer
            )


@pytest.mark.parametrize("kind", ("alexnet", "caffenet", "googlenet"))
def test_classifiers_match_pytorch(kind):
    """At the side that it was trained with one cell, and on a larger image several."""
    rng = np.random.default_rng(2)
    net, model, params = both(kind, "float32")
    for more in (0, 40):
        shape = (1, model.side + more, model.side, 3)
        image = rng.uniform(-2.5, 3, shape).astype(np.float32)
        ours = np.asarray(model.apply({"params": params}, image))
        assert (ours.shape == (1, 1, 1, NUM_CLASSES)) == (more == 0)
        with torch.no_grad():
            theirs = net(nchw(image)).permute(0, 2, 3, 1).numpy()
        close(ours, theirs, 1e-5)
