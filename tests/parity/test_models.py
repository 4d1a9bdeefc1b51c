"""The networks against an independent PyTorch build of the published layer lists."""

import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import fcn_jax.models

pytestmark = pytest.mark.parity

WIDTH, FC_FEATURES, NUM_CLASSES = 1 / 16, 128, 5
STAGES = ((4, 4), (8, 8), (16, 16, 16), (32, 32, 32), (32, 32, 32))  # 1/16 of VGG-16.

# Typed in, as the prototxts have them (net: upsampling kernels, crops, skip scales).
CAFFE_CROPS = {"fcn32s": 19, "fcn16s": 27, "fcn8s": 31, "fcn8s_atonce": 31}
SKIP_CROPS = {"pool4": 5, "pool3": 9}
SAME_CROPS = {"fcn32s": 16, "fcn16s": 8, "fcn8s": 4, "fcn8s_atonce": 4}
SKIPS = {
    "fcn32s": (),
    "fcn16s": (("pool4", 1.0),),
    "fcn8s": (("pool4", 1.0), ("pool3", 1.0)),
    "fcn8s_atonce": (("pool4", 1e-2), ("pool3", 1e-4)),
}


class TorchFCN(nn.Module):
    """The prototxt, line by line, in PyTorch."""

    def __init__(self, name, padding, batch_norm):
        super().__init__()
        self.model, self.padding = name, padding
        channels = 3
        for stage, widths in enumerate(STAGES, start=1):
            for i, features in enumerate(widths, start=1):
                pad = 100 if padding == "caffe" and stage == i == 1 else 1
                conv = nn.Conv2d(channels, features, 3, padding=pad)
                self.add_module(f"conv{stage}_{i}", conv)
                if batch_norm:
                    self.add_module(f"bn{stage}_{i}", nn.BatchNorm2d(features))
                channels = features
        fc = int(FC_FEATURES * WIDTH)
        pad = 0 if padding == "caffe" else 3
        self.fc6 = nn.Conv2d(channels, fc, 7, padding=pad)
        self.fc7 = nn.Conv2d(fc, fc, 1)
        self.score_fr = nn.Conv2d(fc, NUM_CLASSES, 1)
        for skip, _ in SKIPS[name]:
            features = STAGES[int(skip[-1]) - 1][-1]
            self.add_module(f"score_{skip}", nn.Conv2d(features, NUM_CLASSES, 1))

    def upscore(self, x, factor):
        size = 2 * factor
        taps = 1 - (torch.arange(size) - (factor - 0.5)).abs() / factor
        weight = torch.zeros(NUM_CLASSES, NUM_CLASSES, size, size, dtype=x.dtype)
        for c in range(NUM_CLASSES):
            weight[c, c] = torch.outer(taps, taps)
        return F.conv_transpose2d(x, weight, stride=factor)

    def forward(self, image):
        x, pools = image, {}
        for stage, widths in enumerate(STAGES, start=1):
            for i in range(1, len(widths) + 1):
                x = getattr(self, f"conv{stage}_{i}")(x)
                if hasattr(self, f"bn{stage}_{i}"):
                    x = getattr(self, f"bn{stage}_{i}")(x)
                x = F.relu(x)
            x = F.max_pool2d(x, 2, ceil_mode=True)
            pools[f"pool{stage}"] = x
        x = self.score_fr(F.relu(self.fc7(F.relu(self.fc6(x)))))
        factor = 32
        for skip, scale in SKIPS[self.model]:
            x = self.upscore(x, 2)
            scores = getattr(self, f"score_{skip}")(scale * pools[skip])
            height, width = x.shape[2:]
            if self.padding == "caffe":
                at = SKIP_CROPS[skip]
                scores = scores[:, :, at : at + height, at : at + width]
            else:
                height, width = scores.shape[2:]
                x = x[:, :, 1 : 1 + height, 1 : 1 + width]
            x, factor = x + scores, factor // 2
        crops = CAFFE_CROPS if self.padding == "caffe" else SAME_CROPS
        at, (height, width) = crops[self.model], image.shape[2:]
        x = self.upscore(x, factor)
        return x[:, :, at : at + height, at : at + width]


def variables_of(net):
    """The parameters of the PyTorch net as ours."""
    params, batch_stats = {}, {}
    for name, module in net.named_children():
        if isinstance(module, nn.Conv2d):
            kernel = module.weight.detach().permute(2, 3, 1, 0).numpy()
            params[name] = {"kernel": kernel, "bias": module.bias.detach().numpy()}
        else:
            params[name] = {
                "scale": module.weight.detach().numpy(),
                "bias": module.bias.detach().numpy(),
            }
            batch_stats[name] = {
                "mean": module.running_mean.numpy(),
                "var": module.running_var.numpy(),
            }
    return {"params": params, "batch_stats": batch_stats}


@pytest.mark.parametrize("batch_norm", (False, True), ids=("plain", "bn"))
@pytest.mark.parametrize("padding", ("caffe", "same"))
@pytest.mark.parametrize("name", SKIPS)
def test_logits_match_pytorch(name, padding, batch_norm):
    torch.manual_seed(0)
    net = TorchFCN(name, padding, batch_norm).double().eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):  # He: every layer matters.
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.normal_(module.bias, std=0.5)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        model = fcn_jax.models.create(
            name,
            NUM_CLASSES,
            width=WIDTH,
            fc_features=FC_FEATURES,
            padding=padding,
            batch_norm=batch_norm,
            param_dtype="float64",
        )
        variables = variables_of(net)
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
