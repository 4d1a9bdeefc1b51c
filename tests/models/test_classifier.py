"""Classifiers whose fully connected layers are convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.models import classifier
from tests.support import cases, classifiers

# ImageNet's nets: parameters that are published, or counted in the released files.
TOTALS = {
    "vgg16": 138_357_544,
    "alexnet": 60_965_224,
    "caffenet": 60_965_224,
    "googlenet": 6_998_552,
}


@pytest.mark.parametrize("kind", TOTALS)
def test_parameters_are_those_of_the_classifiers(kind):
    model = classifier.create_classifier(kind)
    params = cases.variable_shapes(model)["params"]
    assert sum(np.prod(x.shape) for x in jax.tree.leaves(params)) == TOTALS[kind]


@pytest.mark.parametrize("kind", TOTALS)
def test_the_side_that_it_was_trained_with_is_one_cell(kind):
    model = classifier.create_classifier(kind)
    variables = cases.variable_shapes(model)

    def cells(*shape):
        image = jax.ShapeDtypeStruct((1, *shape, 3), jnp.float32)
        return jax.eval_shape(model.apply, variables, image).shape[1:]

    side = {"alexnet": 227, "caffenet": 227}.get(kind, 224)
    assert (cells(side, side), model.smallest_image) == ((1, 1, 1000), side)
    assert cells(side + 64, side)[:2] == (3, 1)


def test_a_map_of_ten_by_ten():
    """Of 500x500 pixels, as AlexNet gives it in section 3.1 of the paper."""
    model = classifier.create_classifier("caffenet")
    image = jax.ShapeDtypeStruct((1, 500, 500, 3), jnp.float32)
    found = jax.eval_shape(model.apply, cases.variable_shapes(model), image)
    assert found.shape == (1, 10, 10, 1000)


def test_cells_lie_a_stride_apart():
    """Of AlexNet by hand: windows of 11 to 355 pixels, centred on 113 + 32 m."""
    cells = classifier.create_classifier("alexnet").cells()
    assert (1 / cells.scale, -cells.shift / cells.scale) == (32, 113)
    cells = classifier.create_classifier("vgg16").cells()
    assert (1 / cells.scale, -cells.shift / cells.scale) == (32, 111.5)


def test_an_image_below_what_it_sees():
    model = classifiers.create("vgg16")
    variables = cases.variable_shapes(model)
    image = jax.ShapeDtypeStruct((1, 300, 223, 3), jnp.float32)
    message = "300x223 pixels; the classifier sees 224x224 at a time: enlarge it"
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(model.apply, variables, image)


def test_an_unknown_classifier():
    with pytest.raises(ValueError, match="classifier 'vgg' is not known; .* 'vgg16'"):
        classifier.create_classifier("vgg")
