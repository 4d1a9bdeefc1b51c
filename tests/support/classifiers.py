"""Classifiers as Caffe has them: narrow, seeded, their fully connected layers dense."""

import numpy as np

from fcn_jax.models import classifier
from tests.support import foreign_weights as foreign

CLASSES = 10
WIDTH = {"vgg16": 1 / 32, "alexnet": 1 / 16, "caffenet": 1 / 16, "googlenet": 1 / 8}
NETS = {"vgg16": "VGG_ILSVRC_16_layers", "alexnet": "AlexNet", "caffenet": "CaffeNet",
        "googlenet": "GoogleNet"}  # fmt: skip
# Side of the map before fc6, by which that is flattened.
CELLS = {"vgg16": 7, "alexnet": 6, "caffenet": 6}


def create(kind):
    return classifier.create_classifier(kind, CLASSES, WIDTH[kind], fc_features=512)


def blobs(kind, seed=0):
    """Weights and biases by Caffe's layers; fully connected ones are [out, in]."""
    found = {}
    for layer, both in foreign.caffe(foreign.drawn(create(kind), seed)).items():
        name = caffe_name(layer) if kind == "googlenet" else layer
        kernel, bias = both
        if layer.startswith("fc"):
            kernel = kernel.reshape(kernel.shape[0], -1)
        found[name] = (kernel, bias)
    if kind == "googlenet":  # Two losses more, which nothing needs.
        found["loss1/classifier"] = (np.ones((CLASSES, 4)), np.ones(CLASSES))
        found["loss2/fc"] = (np.ones((4, 4)), np.ones(4))
    return found


def caffe_name(layer):
    """bvlc_googlenet's name: "inception_3a_3x3_reduce" -> "inception_3a/3x3_reduce"."""
    if layer == "fc8":
        return "loss3/classifier"
    parts = layer.split("_")
    first = 2 if layer.startswith("inception") else 1
    return "_".join(parts[:first]) + "/" + "_".join(parts[first:])


def write(path, kind, net=None, seed=0, leave_out=()):
    """A `.caffemodel` of a classifier; returns its blobs."""
    found = {n: x for n, x in blobs(kind, seed).items() if n not in leave_out}
    name = NETS[kind] if net is None else net
    path.write_bytes(foreign.caffemodel(found, net=name))
    return found
