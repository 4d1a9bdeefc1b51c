"""ZF-5's layers and geometry, as SPP-net has them."""

import jax
import pytest

from fcn_jax.models.encoders import ZF5, layer, zf5


def test_its_maps_lie_as_in_spp_net():
    """Centres 20 + 16 i; sizes of the maps of SPP-net's five scales, and of 224."""
    net = ZF5()
    centres = net.coordinate_maps()["conv5"].inverse()
    assert (centres.shift, centres.scale) == (20, 16)
    assert net.stride == 16
    counts = layer.cells_along(net.layers(), 1200)
    sides = (224, 480, 576, 688, 874, 1200)
    assert [counts[side] for side in sides] == [13, 29, 35, 42, 53, 74]
    assert counts[net.smallest_image] == 1
    assert counts[net.smallest_image - 1] == 0


def test_its_parameters_are_the_published_ones():
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), "float32")
    shapes = jax.eval_shape(ZF5().init, jax.random.key(0), image)["params"]
    assert {name: p["kernel"].shape for name, p in shapes.items()} == {
        "conv1": (7, 7, 3, 96),
        "conv2": (5, 5, 96, 256),
        "conv3": (3, 3, 256, 384),
        "conv4": (3, 3, 384, 384),
        "conv5": (3, 3, 384, 256),
    }


def test_widths_are_positive():
    with pytest.raises(ValueError, match="width=0 and fc_features=4096 must be"):
        zf5.layer_list(width=0)
