"""DeepLab's encoder: the layers of the prototxts, and where their cells lie."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.models.encoders import Layer, deeplab, vgg
from fcn_jax.models.encoders.deeplab import DeepLabVGG16
from fcn_jax.models.layers import Conv
from fcn_jax.ops.window_pooling import max_pool_windows
from tests.support import cases

# deeplab-public, DeepLab-LargeFOV/train.prototxt: kernel, stride, pad, hole by layer;
# of the convolutions that are not named 3, 1, 1, 1.
LARGEFOV = {
    **{f"pool{i}": ("pool", 3, 2, 1, 1) for i in (1, 2, 3)},
    **{f"pool{i}": ("pool", 3, 1, 1, 1) for i in (4, 5)},
    **{f"conv5_{i}": ("conv", 3, 1, 2, 2) for i in (1, 2, 3)},
    "pool5a": ("average", 3, 1, 1, 1),
    "fc6": ("conv", 3, 1, 12, 12),
    "fc7": ("conv", 1, 1, 0, 1),
}
# Of the other nets: fc6, and no pool5a.
FC6 = {"4x4": ("conv", 4, 1, 6, 4), "7x7": ("conv", 7, 1, 12, 4)}
# Sides of the maps, by the prototxts: of the crops of training, of those of the test.
SIDES = {
    321: {"pool1": 161, "pool2": 81, "pool3": 41, "pool4": 41, "pool5": 41, "fc7": 41},
    513: {"pool1": 257, "pool2": 129, "pool3": 65, "pool4": 65, "pool5": 65, "fc7": 65},
    # By hand: n // 2 + 1 windows of a side of n, 22 -> 12 -> 7 -> 4, and 1 -> 1.
    22: {"pool1": 12, "pool2": 7, "pool3": 4, "pool4": 4, "pool5": 4, "fc7": 4},
    1: dict.fromkeys(("pool1", "pool2", "pool3", "pool4", "pool5", "fc7"), 1),
}
VARIANTS = pytest.mark.parametrize("variant", deeplab.VARIANTS)


def feature_shapes(encoder, shape):
    images = jax.ShapeDtypeStruct((1, *shape, 3), jnp.float32)
    variables = cases.variable_shapes(encoder)
    return jax.eval_shape(encoder.apply, variables, images).maps


@VARIANTS
def test_layers_are_those_of_the_prototxts(variant):
    found = {
        x.name: (x.kind, x.kernel_size, x.stride, x.pad, x.dilation)
        for x in DeepLabVGG16(variant=variant).layers()
    }
    expected = {name: LARGEFOV.get(name, ("conv", 3, 1, 1, 1)) for name in found}
    if variant != "largefov":
        assert "pool5a" not in found
        expected["fc6"] = FC6[variant]
    assert found == expected
    names = [x for x in found if x != "pool5a"]
    assert names == [x.name for x in vgg.layer_list()]


@VARIANTS
@pytest.mark.parametrize("side", SIDES)
def test_sides_of_maps(variant, side):
    encoder = DeepLabVGG16(variant=variant, width=1 / 64)
    found = feature_shapes(encoder, (side, side))
    assert {name: x.shape[1:3] for name, x in found.items()} == {
        name: (cells, cells) for name, cells in SIDES[side].items()
    }


@VARIANTS
def test_cells_lie_on_pixels(variant):
    """Cell i of fc7 on pixel 8 i: scores are upsampled from there."""
    maps = DeepLabVGG16(variant=variant).coordinate_maps()
    strides = {"pool1": 2, "pool2": 4, "pool3": 8, "pool4": 8, "pool5": 8, "fc7": 8}
    for name, stride in strides.items():
        assert (1 / maps[name].scale, maps[name].shift) == (stride, 0), name
    assert DeepLabVGG16(variant=variant).stride == 8


@VARIANTS
def test_spans_of_fc6(variant):
    """LargeFOV's three taps span what VGG-16's seven do, those of 4x4 half of it."""
    fc6 = next(x for x in DeepLabVGG16(variant=variant).layers() if x.name == "fc6")
    assert fc6.window == {"7x7": 25, "4x4": 13, "largefov": 25}[variant]


def test_holes_see_what_strides_saw():
    """Dense maps hold those of the strided net, away from the padding of its edges.

    Two poolings of stride 2 give way to stride 1, and what follows gets holes.
    """
    x = jax.nn.relu(cases.random_images((1, 65, 65)))
    dense = Conv(4, 3, pad=2, dilation=2)
    variables = dense.init(jax.random.key(0), x)
    ours = dense.apply(variables, max_pool_windows(x, 3, 1, 1))[:, ::2, ::2]
    theirs = Conv(4, 3, pad=1).apply(variables, max_pool_windows(x, 3, 2, 1))
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_true_extents_follow_the_maps():
    encoder = DeepLabVGG16(width=1 / 64)
    sizes = jnp.array([(19, 40), (33, 21)], jnp.int32)
    zeros = jax.tree.map(lambda v: jnp.zeros(v.shape), cases.variable_shapes(encoder))
    features = cases.quick_jit(encoder.apply)(zeros, jnp.zeros((2, 33, 40, 3)), sizes)
    for n, shape in enumerate(sizes.tolist()):
        for name, alone in feature_shapes(encoder, tuple(shape)).items():
            assert tuple(features.sizes[name][n].tolist()) == alone.shape[1:3]


@pytest.mark.parametrize(
    ("options", "message"),
    (
        (
            {"variant": "5x5"},
            "variant='5x5' of DeepLab is not known; choose one of 7",
        ),
        ({"width": 0}, "width=0 must be positive and fc_features=0 not negative"),
        ({"fc_features": -1}, "width=1.0 must be positive and fc_features=-1 not neg"),
    ),
)
def test_options_without_sense(options, message):
    with pytest.raises(ValueError, match=message):
        DeepLabVGG16(**options).layers()


def test_an_average_that_changes_sizes():
    with pytest.raises(
        ValueError, match="layer 'p': an average of windows of 3 at stride 2 with a pad"
    ):
        Layer("p", "average", kernel_size=3, stride=2, pad=1)
    with pytest.raises(ValueError, match="expected stride 1 and a window of 2 pad . 1"):
        Layer("p", "average", kernel_size=3)
