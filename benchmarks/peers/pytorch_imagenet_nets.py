"""AlexNet and GoogLeNet in plain PyTorch, fully convolutional and as classifiers.

Written from the prototxts alone, without fcn_jax: `tests/parity` holds the networks
against these. Layers have the names of Caffe, an underscore for its slash.

References:
    fcn.berkeleyvision.org, voc-fcn-alexnet/train.prototxt;
    BVLC/caffe, models/bvlc_alexnet, bvlc_reference_caffenet and bvlc_googlenet.
"""

import torch
import torch.nn.functional as F
from torch import nn

# GoogLeNet: 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; after the pooling.
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
CROPS = {"fcn_alexnet": 18, "fcn_googlenet": 98}


def pool(x):
    """3x3 windows at stride 2, sizes rounded up."""
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


def norm(x):
    """LRN over five channels; PyTorch divides alpha by them, as Caffe does."""
    return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)


def upscore(x):
    """Bilinear upsampling by 32 with a kernel of 63, every class by itself."""
    place = torch.arange(63, dtype=x.dtype)
    taps = 1 - (place - 31).abs() / 32
    kernel = torch.outer(taps, taps).repeat(x.shape[1], 1, 1, 1)
    return F.conv_transpose2d(x, kernel, stride=32, groups=x.shape[1])


class _Net(nn.Module):
    """What both have: layers by name, each before a ReLU; scores of the last map."""

    def __init__(self, model, num_classes, width):
        super().__init__()
        self.model, self.num_classes, self.width = model, num_classes, width
        self.is_fcn = model in CROPS

    def add(self, name, given, made, kernel, **options):
        self.add_module(name, nn.Conv2d(given, made, kernel, **options))
        return made

    def block(self, x, name):
        return F.relu(getattr(self, name)(x))

    def last(self, x, image):
        """Logits of pixels, or, of a classifier, the scores of the cells."""
        if not self.is_fcn:
            return self.fc8(x)
        at, (height, width) = CROPS[self.model], image.shape[2:]
        return upscore(self.score_fr(x))[:, :, at : at + height, at : at + width]

    def add_last(self, channels):
        name = "score_fr" if self.is_fcn else "fc8"
        self.add(name, channels, self.num_classes, 1)


class AlexNet(_Net):
    """FCN-AlexNet, or CaffeNet or AlexNet ("alexnet": LRN, then pooling)."""

    def __init__(self, model, num_classes=21, width=1.0, fc_features=4096):
        super().__init__(model, num_classes, width)

        def even(channels):
            return 2 * max(1, round(channels * width / 2))

        pad, fc = 100 if self.is_fcn else 0, max(1, round(fc_features * width))
        c1, c2, c3, c4, c5 = map(even, (96, 256, 384, 384, 256))
        self.add("conv1", 3, c1, 11, stride=4, padding=pad)
        self.add("conv2", c1, c2, 5, padding=2, groups=2)
        self.add("conv3", c2, c3, 3, padding=1)
        self.add("conv4", c3, c4, 3, padding=1, groups=2)
        self.add("conv5", c4, c5, 3, padding=1, groups=2)
        self.add("fc6", c5, fc, 6)
        self.add("fc7", fc, fc, 1)
        self.add_last(fc)

    def forward(self, image):
        """Logits or scores, [N, C, h, w], of images [N, 3, H, W]."""
        x = image
        for name in ("conv1", "conv2"):
            x = self.block(x, name)
            x = pool(norm(x)) if self.model == "alexnet" else norm(pool(x))
        for name in ("conv3", "conv4", "conv5"):
            x = self.block(x, name)
        x = pool(x)
        for name in ("fc6", "fc7"):
            x = self.block(x, name)
        return self.last(x, image)


class GoogLeNet(_Net):
    """FCN-GoogLeNet, or the classifier with its average pooling."""

    def __init__(self, model, num_classes=21, width=1.0):
        super().__init__(model, num_classes, width)

        def scaled(channels):
            return max(1, round(channels * width))

        pad = 100 if self.is_fcn else 3
        c1 = self.add("conv1_7x7_s2", 3, scaled(64), 7, stride=2, padding=pad)
        reduced = self.add("conv2_3x3_reduce", c1, scaled(64), 1)
        given = self.add("conv2_3x3", reduced, scaled(192), 3, padding=1)
        for block, channels in INCEPTION.items():
            one, to3, three, to5, five, proj = map(scaled, channels)
            name = f"inception_{block}"
            self.add(f"{name}_1x1", given, one, 1)
            self.add(f"{name}_3x3_reduce", given, to3, 1)
            self.add(f"{name}_3x3", to3, three, 3, padding=1)
            self.add(f"{name}_5x5_reduce", given, to5, 1)
            self.add(f"{name}_5x5", to5, five, 5, padding=2)
            self.add(f"{name}_pool_proj", given, proj, 1)
            given = one + three + five + proj
        self.add_last(given)

    def inception(self, x, name):
        """The four branches of a block, side by side."""
        pooled = F.max_pool2d(x, 3, 1, padding=1, ceil_mode=True)
        branches = (
            self.block(x, f"{name}_1x1"),
            self.block(self.block(x, f"{name}_3x3_reduce"), f"{name}_3x3"),
            self.block(self.block(x, f"{name}_5x5_reduce"), f"{name}_5x5"),
            self.block(pooled, f"{name}_pool_proj"),
        )
        return torch.cat(branches, 1)

    def forward(self, image):
        """Logits or scores, [N, C, h, w], of images [N, 3, H, W]."""
        x = norm(pool(self.block(image, "conv1_7x7_s2")))
        x = self.block(self.block(x, "conv2_3x3_reduce"), "conv2_3x3")
        x = pool(norm(x))
        for block in INCEPTION:
            x = self.inception(x, f"inception_{block}")
            x = pool(x) if block in ("3b", "4e") else x
        if not self.is_fcn:
            x = F.avg_pool2d(x, 7, 1)
        return self.last(x, image)


def create(model, num_classes=21, **options):
    """A net by its name in fcn_jax, or a classifier by its kind."""
    cls = GoogLeNet if model.endswith("googlenet") else AlexNet
    return cls(model, num_classes, **options)
