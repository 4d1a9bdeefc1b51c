"""The networks against an independent PyTorch build of the published layer lists."""

import jax
import numpy as np
import pytest
import torch

import fcn_jax.models
from benchmarks.peers import pytorch_nets

pytestmark = pytest.mark.parity

NUM_CLASSES = 5
SMALL = {"width": 1 / 16, "fc_features": 128}


@pytest.mark.parametrize("batch_norm", (False, True), ids=("plain", "bn"))
@pytest.mark.parametrize("padding", ("caffe", "same"))
@pytest.mark.parametrize("name", pytorch_nets.SKIPS)
def test_logits_match_pytorch(name, padding, batch_norm):
    options = {"padding": padding, "batch_norm": batch_norm, **SMALL}
    net = pytorch_nets.create(name, NUM_CLASSES, **options).double().eval()
    pytorch_nets.draw_weights(net)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        model = fcn_jax.models.create(
            name, NUM_CLASSES, param_dtype="float64", **options
        )
        variables = pytorch_nets.variables_of(net)
        shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 1, 1, 3)))
        assert variables["params"].keys() == shapes["params"].keys()
        for height, width in ((97, 130), (33, 65), (1, 1)):
            image = rng.uniform(-123, 151, (1, height, width, 3)) / 50
            ours = np.asarray(model.apply(variables, image, train=False))
            with torch.no_grad():
                theirs = net(torch.tensor(image).permute(0, 3, 1, 2))
            theirs = theirs.permute(0, 2, 3, 1).numpy()
            assert ours.shape == (1, height, width, NUM_CLASSES)
            assert ours.dtype == np.float64
            scale = np.abs(theirs).max()
            assert scale > 0.01
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * scale)
