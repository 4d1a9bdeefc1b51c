"""The nets, and the tables that are recorded of them, against those of the papers."""

import ast
import math
from pathlib import Path

import jax
import pytest

import fcn_jax
from tests.support import cases, published
from tests.support.paths import GOLDEN

TABLES = published.CONVOLUTIONS
# What the papers and the sizes of the released files say of the convolutions.
TOTALS = {
    "fcn32s": 134_346_581,
    "deconvnet": 251_772_245,
    "segnet": 29_439_253,
    "fcn_alexnet": 56_954_261,
    "fcn_googlenet": 5_995_077,
    # Chen et al. 2015, table 2: 134.3, 65.1 and 20.5 million.
    "deeplab_7x7": 134_346_581,
    "deeplab": 65_140_565,
    "deeplab_largefov": 20_505_429,
    "deeplab_msc": 65_140_565 + 1_206_121,
    "deeplab_msc_largefov": 20_505_429 + 1_206_121,
    # VGG-16, the scores of boxes, and what sees pool3, pool4 and fc7.
    "hypercolumn": 134_260_544 + 86_037 + 3_457_500,
    # VGG-16, its fc6 and fc7 again, and what sees both paths.
    "cfm": 134_260_544 + 102_764_544 + 16_781_312 + 172_053,
    # The convolutions of ZF-5, fc6, fc7 and the scores.
    "cfm_design_b": 3_726_464 + 52_432_896 + 16_781_312 + 86_037,
    "zoomout": 14_714_688 + 102_764_544 + 16_781_312 + 12_736_533,
}
# Of BatchNorm: a scale and a shift for every channel.
NORMALISED = {"deconvnet": 33_408, "segnet": 15_872}


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
        if layer != published.LAST.get(name)
    }
    assert len(normalised) == (len(channels) if name in published.LAST else 0)
    for parts in normalised.values():
        assert parts.keys() == {"scale", "bias"}
    if normalised:
        total = sum(parts["scale"][0] for parts in normalised.values())
        assert total == sum(channels.values()) == NORMALISED[name] // 2


@pytest.mark.parametrize("table", published.TABLES)
def test_the_recorded_tables_are_those_of_the_papers(table):
    recorded = (GOLDEN / f"parameters_{table}.txt").read_text()
    assert published.parameter_table(table) == recorded


def test_every_recorded_table_has_its_net_and_its_paper():
    """What the code is held against is what the papers give, and nothing less."""
    files = {path.stem.partition("_")[2] for path in GOLDEN.glob("parameters_*.txt")}
    assert files == set(published.TABLES) == set(cases.PARAMETER_TABLES)
    for table, (net, learned, normalised) in published.TABLES.items():
        name, options = cases.PARAMETER_TABLES[table]
        assert name == net
        assert learned == ("upsampling" in options)
        assert bool(normalised) == ("batch_norm" in options or net in published.LAST)


def test_the_tables_of_the_papers_know_nothing_of_the_code():
    tree = ast.parse(Path(published.__file__).read_text())
    assert not [x for x in ast.walk(tree) if isinstance(x, ast.Import | ast.ImportFrom)]


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
