"""Where a classifier sees a class."""

import numpy as np
import pytest

from fcn_jax.inference import heat
from fcn_jax.preprocessing import CAFFE
from tests.support import cases, classifiers


def test_a_cell_is_the_crop_that_it_sees():
    """But for what the convolutions pad it with."""
    model = classifiers.create("vgg16")
    variables = cases.random_variables(model)
    image = np.random.default_rng(0).integers(0, 256, (256, 224, 3), np.uint8)
    seen = heat.heat_map(model, variables, CAFFE, image)
    assert (seen.scores.shape, seen.stride, seen.first) == ((2, 1, 10), 32, 111.5)
    crop = heat.heat_map(model, variables, CAFFE, image[:224])
    # The lower 32 rows are in the upper cell's field, and zeros in the crop's.
    far = np.abs(seen.scores[0] - crop.scores[0]).max() / np.abs(crop.scores).max()
    assert 0 < far < 0.5


def test_probabilities_of_classes_add_up():
    scores = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    seen = heat.HeatMap(scores, 32, 111.5)
    total = sum(seen.of_class(number) for number in range(4))
    np.testing.assert_allclose(total, np.ones((2, 3)), rtol=1e-6)
    largest = seen.of_class(2)[0, 1]
    expected = np.exp(scores[0, 1, 2]) / np.exp(scores[0, 1]).sum()
    np.testing.assert_allclose(largest, expected, rtol=1e-6)


@pytest.mark.parametrize("number", (-1, 4))
def test_a_class_that_is_not_there(number):
    seen = heat.HeatMap(np.zeros((1, 1, 4), np.float32), 32, 111.5)
    with pytest.raises(ValueError, match=f"class {number} is not .* numbered 0 to 3"):
        seen.of_class(number)
