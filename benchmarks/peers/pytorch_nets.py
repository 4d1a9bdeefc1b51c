"""FCN and DeconvNet in plain PyTorch, from the published layer lists.

Written from the prototxts alone, without fcn_jax: `tests/parity` and `parity.py` hold
the networks against these, and the other scripts time them against these.

References:
    fcn.berkeleyvision.org, voc-fcn*/train.prototxt;
    HyeonwooNoh/DeconvNet, training/002_stage_2/stage_2_train.prototxt.
"""

import torch
import torch.nn.functional as F
from torch import nn

# Output channels of the convolutions of every stage.
ENCODER = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
DECODER = {
    5: (512, 512, 512),
    4: (512, 512, 256),
    3: (256, 256, 128),
    2: (128, 64),
    1: (64, 64),
}
FC_FEATURES = 4096

# Of the FCNs: the skips with the factors on them, and where maps are cropped.
SKIPS = {
    "fcn32s": (),
    "fcn16s": (("pool4", 1.0),),
    "fcn8s": (("pool4", 1.0), ("pool3", 1.0)),
    "fcn8s_atonce": (("pool4", 1e-2), ("pool3", 1e-4)),
}
CAFFE_CROPS = {"fcn32s": 19, "fcn16s": 27, "fcn8s": 31, "fcn8s_atonce": 31}
SAME_CROPS = {"fcn32s": 16, "fcn16s": 8, "fcn8s": 4, "fcn8s_atonce": 4}
SKIP_CROPS = {"pool4": 5, "pool3": 9}
LAST_UPSCORE = {32: "upscore", 16: "upscore16", 8: "upscore8"}


def scaled(channels, width):
    return max(1, round(channels * width))


class Upscore(nn.Module):
    """Bilinear upsampling of class scores, every class by itself."""

    def __init__(self, num_classes, factor):
        super().__init__()
        place = torch.arange(2 * factor, dtype=torch.float64)
        taps = 1 - (place - (factor - 0.5)).abs() / factor
        kernel = torch.outer(taps, taps).repeat(num_classes, 1, 1, 1)
        kernel = kernel.to(torch.get_default_dtype())
        self.register_buffer("kernel", kernel, persistent=False)
        self.factor, self.num_classes = factor, num_classes

    def forward(self, x):
        """[N, C, h, w] -> [N, C, (h + 1) factor, (w + 1) factor]."""
        return F.conv_transpose2d(
            x, self.kernel, stride=self.factor, groups=self.num_classes
        )


class _Net(nn.Module):
    """What both families share: layers by their Caffe names, each before a ReLU."""

    def add(self, name, layer, batch_norm=None, eps=1e-5):
        """A layer and its BatchNorm; returns its output channels."""
        self.add_module(name, layer)
        if batch_norm:
            self.add_module(batch_norm, nn.BatchNorm2d(layer.out_channels, eps=eps))
        return layer.out_channels

    def block(self, x, name, batch_norm):
        """Layer, BatchNorm where the net has it, ReLU."""
        x = getattr(self, name)(x)
        if hasattr(self, batch_norm):
            x = getattr(self, batch_norm)(x)
        return F.relu(x, inplace=True)


class FCN(_Net):
    """FCN-32s, 16s, 8s and 8s at once, line by line."""

    def __init__(
        self,
        name,
        num_classes=21,
        width=1.0,
        fc_features=FC_FEATURES,
        padding="caffe",
        batch_norm=False,
        dropout_rate=0.5,
    ):
        super().__init__()
        self.model, self.padding, self.dropout_rate = name, padding, dropout_rate
        channels, pooled = 3, {}
        for stage, widths in enumerate(ENCODER, start=1):
            for i, features in enumerate(widths, start=1):
                pad = 100 if padding == "caffe" and stage == i == 1 else 1
                conv = nn.Conv2d(channels, scaled(features, width), 3, padding=pad)
                bn = f"bn{stage}_{i}" if batch_norm else None
                channels = self.add(f"conv{stage}_{i}", conv, bn)
            pooled[f"pool{stage}"] = channels
        fc = scaled(fc_features, width)
        pad = 0 if padding == "caffe" else 3
        self.fc6 = nn.Conv2d(channels, fc, 7, padding=pad)
        self.fc7 = nn.Conv2d(fc, fc, 1)
        self.score_fr = nn.Conv2d(fc, num_classes, 1)
        factor, upscore = 32, "upscore2"
        for skip, _ in SKIPS[name]:
            self.add_module(f"score_{skip}", nn.Conv2d(pooled[skip], num_classes, 1))
            self.add_module(upscore, Upscore(num_classes, 2))
            factor, upscore = factor // 2, f"upscore_{skip}"
        self.factor = factor
        self.add_module(LAST_UPSCORE[factor], Upscore(num_classes, factor))

    def forward(self, image):
        """Logits, [N, C, H, W], of images [N, 3, H, W]."""
        x, pools = image, {}
        for stage, widths in enumerate(ENCODER, start=1):
            for i in range(1, len(widths) + 1):
                x = self.block(x, f"conv{stage}_{i}", f"bn{stage}_{i}")
            x = F.max_pool2d(x, 2, ceil_mode=True)
            pools[f"pool{stage}"] = x
        for name in ("fc6", "fc7"):
            x = self.block(x, name, f"bn{name}")
            x = F.dropout(x, self.dropout_rate, self.training)
        x, upscore = self.score_fr(x), "upscore2"
        for skip, scale in SKIPS[self.model]:
            x = getattr(self, upscore)(x)
            upscore = f"upscore_{skip}"
            features = pools[skip] if scale == 1 else scale * pools[skip]
            scores = getattr(self, f"score_{skip}")(features)
            if self.padding == "caffe":
                at, (height, width) = SKIP_CROPS[skip], x.shape[2:]
                scores = scores[:, :, at : at + height, at : at + width]
            else:
                height, width = scores.shape[2:]
                x = x[:, :, 1 : 1 + height, 1 : 1 + width]
            x = x + scores
        x = getattr(self, LAST_UPSCORE[self.factor])(x)
        crops = CAFFE_CROPS if self.padding == "caffe" else SAME_CROPS
        at, (height, width) = crops[self.model], image.shape[2:]
        return x[:, :, at : at + height, at : at + width]


class DeconvNet(_Net):
    """DeconvNet, line by line."""

    def __init__(
        self, num_classes=21, width=1.0, fc_features=FC_FEATURES, padding="valid"
    ):
        super().__init__()
        channels, pad = 3, 0 if padding == "valid" else 3

        def add(name, bn, layer):
            return self.add(name, layer, bn, eps=1e-9)

        for stage, widths in enumerate(ENCODER, start=1):
            for i, features in enumerate(widths, start=1):
                conv = nn.Conv2d(channels, scaled(features, width), 3, padding=1)
                channels = add(f"conv{stage}_{i}", f"bn{stage}_{i}", conv)
        fc = scaled(fc_features, width)
        add("fc6", "bnfc6", nn.Conv2d(channels, fc, 7, padding=pad))
        add("fc7", "bnfc7", nn.Conv2d(fc, fc, 1))
        deconv = nn.ConvTranspose2d(fc, channels, 7, padding=pad)
        add("fc6-deconv", "fc6-deconv-bn", deconv)
        for stage, widths in DECODER.items():
            for i, features in enumerate(widths, start=1):
                features = scaled(features, width)
                deconv = nn.ConvTranspose2d(channels, features, 3, padding=1)
                channels = add(f"deconv{stage}_{i}", f"debn{stage}_{i}", deconv)
        self.add_module("seg-score", nn.Conv2d(channels, num_classes, 1))

    def with_indices(self, x):
        """The logits, and by stage the flat indices of the poolings, and map sizes."""
        indices, sizes = {}, {}
        for stage, widths in enumerate(ENCODER, start=1):
            for i in range(1, len(widths) + 1):
                x = self.block(x, f"conv{stage}_{i}", f"bn{stage}_{i}")
            sizes[stage] = x.shape[2:]
            x, indices[stage] = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
        x = self.block(x, "fc6", "bnfc6")
        x = self.block(x, "fc7", "bnfc7")
        x = self.block(x, "fc6-deconv", "fc6-deconv-bn")
        for stage, widths in DECODER.items():
            x = F.max_unpool2d(x, indices[stage], 2, output_size=sizes[stage])
            for i in range(1, len(widths) + 1):
                x = self.block(x, f"deconv{stage}_{i}", f"debn{stage}_{i}")
        return getattr(self, "seg-score")(x), indices, sizes

    def forward(self, x):
        """Logits, [N, C, H, W], of images [N, 3, H, W]."""
        return self.with_indices(x)[0]


def create(name, num_classes=21, **options):
    """A net by its name in fcn_jax."""
    if name == "deconvnet":
        return DeconvNet(num_classes, **options)
    return FCN(name, num_classes, **options)


def draw_weights(net, seed=0):
    """Weights of which none is zero; activations keep their size (He et al. 2015).

    Biases and the statistics of BatchNorm are those of a net that has been trained.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor, mean, std):
        nn.init.normal_(tensor, mean, std, generator)

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fan_in = module.in_channels * module.kernel_size[0] ** 2
            normal(module.weight, 0, (2 / fan_in) ** 0.5)
            normal(module.bias, 0, 0.3)
        if isinstance(module, nn.Linear):
            normal(module.weight, 0, (2 / module.in_features) ** 0.5)
            normal(module.bias, 0, 0.3)
        if isinstance(module, nn.BatchNorm2d):
            normal(module.weight, 1, 0.2)
            normal(module.bias, 0, 0.2)
            normal(module.running_mean, 0, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2, generator)
    return net


@torch.no_grad()
def take_statistics(net, images):
    """Give BatchNorm the statistics of a batch, so that no signal dies on its way."""
    normalising = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for module in normalising:
        module.momentum = 1.0
    net.train()(images)
    for module in normalising:
        module.momentum = 0.1
    net.eval()


def in_our_layout(module, weight):
    """A weight, or its gradient, as fcn_jax holds it: a NumPy copy."""
    order = {nn.Conv2d: (2, 3, 1, 0), nn.ConvTranspose2d: (2, 3, 0, 1)}
    if type(module) in order:
        weight = weight.permute(order[type(module)])
    return weight.detach().numpy().copy()


def params_of(net, gradients=False):
    """The parameters, or their gradients, as a tree {layer: {kernel, bias}}."""
    params = {}
    for name, module in net.named_children():
        if isinstance(module, Upscore):
            continue
        kind = "scale" if isinstance(module, nn.BatchNorm2d) else "kernel"
        weight, bias = module.weight, module.bias
        if gradients:
            weight, bias = weight.grad, bias.grad
        params[name] = {
            kind: in_our_layout(module, weight),
            "bias": bias.detach().numpy().copy(),
        }
    return params


def variables_of(net):
    """What fcn_jax's model of the same layers takes."""
    batch_stats = {
        name: {
            "mean": module.running_mean.numpy().copy(),
            "var": module.running_var.numpy().copy(),
        }
        for name, module in net.named_children()
        if isinstance(module, nn.BatchNorm2d)
    }
    return {"params": params_of(net), "batch_stats": batch_stats}


class CaffeSGD:
    """Caffe's rule: v <- momentum v + rate (g + decay w); w <- w - v.

    Biases move at twice the rate and without decay; BatchNorm at the rate, without.
    """

    def __init__(self, net, rate, momentum, decay):
        self.net, self.rate = net, rate
        self.momentum, self.decay = momentum, decay
        self.velocity = {}

    @torch.no_grad()
    def step(self):
        """Update the parameters by their gradients."""
        for layer, module in self.net.named_children():
            normalises = isinstance(module, nn.BatchNorm2d)
            for kind, parameter in module.named_parameters():
                rate = self.rate * (2 if kind == "bias" and not normalises else 1)
                decay = self.decay * (kind == "weight" and not normalises)
                g = parameter.grad + decay * parameter
                before = self.velocity.get((layer, kind), 0)
                self.velocity[layer, kind] = self.momentum * before + rate * g
                parameter -= self.velocity[layer, kind]
