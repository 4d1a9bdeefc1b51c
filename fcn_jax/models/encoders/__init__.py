"""Encoders: image -> named features."""

from fcn_jax.models.encoders.alexnet import AlexNet
from fcn_jax.models.encoders.deeplab import DeepLabVGG16
from fcn_jax.models.encoders.encoder import Encoder, Features
from fcn_jax.models.encoders.googlenet import GoogLeNet
from fcn_jax.models.encoders.layer import Layer
from fcn_jax.models.encoders.vgg import VGG16, VGG16Convolutions, VGG16Trunk
from fcn_jax.models.encoders.zf5 import ZF5

ENCODERS: dict[str, type[Encoder]] = {
    "vgg16": VGG16,
    "alexnet": AlexNet,
    "googlenet": GoogLeNet,
    "deeplab": DeepLabVGG16,
    "zf5": ZF5,
}

__all__ = [
    "ENCODERS",
    "VGG16",
    "ZF5",
    "AlexNet",
    "DeepLabVGG16",
    "Encoder",
    "Features",
    "GoogLeNet",
    "Layer",
    "VGG16Convolutions",
    "VGG16Trunk",
]
