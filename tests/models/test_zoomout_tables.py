"""Zoom-out as it is published: dimensions and parameters; nothing is computed."""

import jax
import numpy as np
import pytest

import fcn_jax.models
from fcn_jax.ops import region_statistics
from tests.support import cases


def shapes_of(name, **options):
    net = fcn_jax.models.create(name, **options)
    return net, cases.variable_shapes(net)


def size(shapes, *layers):
    return sum(
        int(np.prod(x.shape))
        for layer in layers
        for x in jax.tree.leaves(shapes["params"][layer])
    )


def test_dimensions_and_parameters_are_the_published_ones():
    net, shapes = shapes_of("zoomout")
    assert shapes["batch_stats"]["standardize"]["mean"].shape == (12_416,)
    assert size(shapes, "hidden", "score") == 12_736_533
    convolutions = [x for x in shapes["params"] if x.startswith("conv")]
    assert len(convolutions) == 13
    channels = [shapes["params"][x]["bias"].shape[0] for x in convolutions]
    assert sum(channels) == 4_224
    assert (net.side, net.hidden, net.room) == (224, 1024, 750)
    _, linear = shapes_of("zoomout", hidden=0)
    assert size(linear, "score") == 260_757
    assert "hidden" not in linear["params"]


@pytest.mark.parametrize(
    ("name", "levels", "count"),
    (
        ("zoomout", ("convolutions",), 4_224),
        ("zoomout", ("convolutions", "global"), 8_320),  # The later release.
        ("zoomout_v1", (), 2 * region_statistics.FEATURES + 2 * 4096),
    ),
)
def test_levels_say_what_is_known(name, levels, count):
    _, shapes = shapes_of(name, levels=levels)
    assert shapes["batch_stats"]["standardize"]["var"].shape == (count,)
