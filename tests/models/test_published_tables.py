"""The nets against the layer tables of the papers, copied out by hand.

FCN: Long et al. 2015 and the authors' net definitions (VGG-16 by Simonyan and Zisserman
2015, configuration D). DeconvNet: Noh et al. 2015, table 2 of the appendix, and the
authors' net definitions; its "deconv" ends with fewer channels where unpooling follows.
"""

import math

import jax
import pytest

import fcn_jax
from tests.support import cases

# Layer: side of the kernel, channels in, channels out.
VGG16 = {
    "conv1_1": (3, 3, 64),
    "conv1_2": (3, 64, 64),
    "conv2_1": (3, 64, 128),
    "conv2_2": (3, 128, 128),
    "conv3_1": (3, 128, 256),
    "conv3_2": (3, 256, 256),
    "conv3_3": (3, 256, 256),
    "conv4_1": (3, 256, 512),
    "conv4_2": (3, 512, 512),
    "conv4_3": (3, 512, 512),
    "conv5_1": (3, 512, 512),
    "conv5_2": (3, 512, 512),
    "conv5_3": (3, 512, 512),
    "fc6": (7, 512, 4096),
    "fc7": (1, 4096, 4096),
}
SCORE_FR = {"score_fr": (1, 4096, 21)}
SCORE_POOL4 = {"score_pool4": (1, 512, 21)}
SCORE_POOL3 = {"score_pool3": (1, 256, 21)}
DECONVNET = VGG16 | {
    "fc6-deconv": (7, 4096, 512),
    "deconv5_1": (3, 512, 512),
    "deconv5_2": (3, 512, 512),
    "deconv5_3": (3, 512, 512),
    "deconv4_1": (3, 512, 512),
    "deconv4_2": (3, 512, 512),
    "deconv4_3": (3, 512, 256),
    "deconv3_1": (3, 256, 256),
    "deconv3_2": (3, 256, 256),
    "deconv3_3": (3, 256, 128),
    "deconv2_1": (3, 128, 128),
    "deconv2_2": (3, 128, 64),
    "deconv1_1": (3, 64, 64),
    "deconv1_2": (3, 64, 64),
    "seg-score": (1, 64, 21),
}
TABLES = {
    "fcn32s": VGG16 | SCORE_FR,
    "fcn16s": VGG16 | SCORE_FR | SCORE_POOL4,
    "fcn8s": VGG16 | SCORE_FR | SCORE_POOL4 | SCORE_POOL3,
    "deconvnet": DECONVNET,
}
# What the papers and the sizes of the released files say of the convolutions.
TOTALS = {"fcn32s": 134_346_581, "deconvnet": 251_772_245}


def shapes_of(name):
    params = cases.variable_shapes(fcn_jax.create(name))["params"]
    return {
        layer: {part: leaf.shape for part, leaf in parts.items()}
        for layer, parts in params.items()
    }


@pytest.mark.parametrize("name", TABLES)
def test_every_layer_is_that_of_the_table(name):
    found = shapes_of(name)
    convolutions = {layer: parts for layer, parts in found.items() if "kernel" in parts}
    assert convolutions == {
        layer: {"kernel": (side, side, given, made), "bias": (made,)}
        for layer, (side, given, made) in TABLES[name].items()
    }
    # What is left is BatchNorm: a scale and a shift for every channel.
    normalised = {
        layer: parts for layer, parts in found.items() if layer not in convolutions
    }
    channels = {
        layer: made
        for layer, (_, _, made) in TABLES[name].items()
        if layer != "seg-score"
    }
    assert len(normalised) == (len(channels) if name == "deconvnet" else 0)
    for parts in normalised.values():
        assert parts.keys() == {"scale", "bias"}
    if normalised:
        total = sum(parts["scale"][0] for parts in normalised.values())
        assert total == sum(channels.values()) == 33_408 // 2


@pytest.mark.parametrize("name", TOTALS)
def test_the_tables_count_what_was_published(name):
    layers = TABLES[name].values()
    assert (
        sum(side**2 * given * made + made for side, given, made in layers)
        == (TOTALS[name])
    )


def test_the_shares_of_fcn():
    """Of the convolutions, the two large layers and the scores, each by itself."""
    count = {
        layer: sum(math.prod(shape) for shape in parts.values())
        for layer, parts in shapes_of("fcn8s").items()
    }
    convolutions = sum(n for layer, n in count.items() if layer.startswith("conv"))
    assert convolutions == 14_714_688
    assert (count["fc6"], count["fc7"]) == (102_764_544, 16_781_312)
    assert count["score_fr"] == 86_037
    assert (count["score_pool4"], count["score_pool3"]) == (10_773, 5_397)


def test_the_maps_of_deconvnet():
    """The sides of the maps of a 224x224 image, by the table: 7 at pool5, 1 at fc6."""
    model = fcn_jax.create("deconvnet")
    shape = (1, 224, 224, 3)

    def run(variables, image):
        return model.apply(
            variables, image, capture_intermediates=True, mutable=["intermediates"]
        )[1]

    variables = cases.variable_shapes(model)
    found = jax.eval_shape(run, variables, jax.ShapeDtypeStruct(shape, "float32"))
    maps = found["intermediates"]
    sides = {"fc6-deconv": 7, "deconv5_1": 14, "deconv4_1": 28, "deconv3_1": 56}
    for layer, side in (sides | {"deconv2_1": 112, "deconv1_2": 224}).items():
        assert maps[layer]["__call__"][0].shape[1:3] == (side, side), layer
