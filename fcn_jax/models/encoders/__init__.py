"""Encoders: image -> named features."""

from fcn_jax.models.encoders.encoder import Encoder, Features
from fcn_jax.models.encoders.layer import Layer
from fcn_jax.models.encoders.vgg import VGG16, VGG16Trunk

ENCODERS: dict[str, type[Encoder]] = {"vgg16": VGG16}

__all__ = ["ENCODERS", "VGG16", "Encoder", "Features", "Layer", "VGG16Trunk"]
