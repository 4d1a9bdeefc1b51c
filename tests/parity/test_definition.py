"""A definition in Caffe's text form, executed: by hand, and as our networks are."""

import functools

import numpy as np
import pytest
import torch

from benchmarks import definition

pytestmark = pytest.mark.parity

ONE = """
layer {{ name: "one" type: "{kind}" bottom: "data" {more} top: "one"
  # A remark, and a string that holds braces.
  python_param {{ param_str: "{{'seed': 1}}" }}
  {part} }}
"""


def of(kind, part, x, params=None, more=""):
    layers = definition.parsed(ONE.format(kind=kind, part=part, more=more))
    x = torch.tensor(np.asarray(x, np.float64))
    return definition.executed(layers, params or {}, x).numpy()


def line(*values):
    """A map of one row, [1, 1, 1, W]."""
    return np.asarray(values, np.float64)[None, None, None]


def test_poolings_round_up():
    pool = functools.partial(of, "Pooling")
    part = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
    np.testing.assert_array_equal(pool(part, line(1, 5, 2)), line(5, 2))


def test_lrn_divides_alpha_by_the_channels_it_sums():
    x = np.array([1.0, 2, 3, 4])[None, :, None, None]
    found = of("LRN", "lrn_param { local_size: 3 alpha: 3 beta: 0.5 }", x)
    squares = np.array([1 + 4, 1 + 4 + 9, 4 + 9 + 16, 9 + 16])
    np.testing.assert_allclose(found[0, :, 0, 0], x[0, :, 0, 0] / np.sqrt(1 + squares))


def test_deconvolution_is_bilinear():
    part = "convolution_param { kernel_size: 4 stride: 2 bias_term: false }"
    found = of("Deconvolution", part, np.ones((1, 2, 3, 3)))
    assert found.shape == (1, 2, 8, 8)
    np.testing.assert_allclose(found[0, :, 2:6, 2:6], 1)


def test_convolution_has_groups():
    kernel = torch.ones(1, 1, 1, 2, dtype=torch.float64)
    params = {"one": {"kernel": kernel, "bias": torch.tensor([0.0, 10.0])}}
    params["one"]["bias"] = params["one"]["bias"].double()
    part = "convolution_param { num_output: 2 kernel_size: 1 group: 2 }"
    x = np.array([1.0, 2.0])[None, :, None, None]
    found = of("Convolution", part, x, params)
    np.testing.assert_array_equal(found[0, :, 0, 0], [1, 12])
    with pytest.raises(ValueError, match="one: ours is"):
        of("Convolution", part.replace("num_output: 2", "num_output: 3"), x, params)


def test_crop_takes_the_size_of_the_other():
    part = "crop_param { axis: 2 offset: 1 }"
    with pytest.raises(ValueError, match="is too small"):
        of("Crop", part, np.zeros((1, 1, 3, 3)), more='bottom: "data"')


def test_a_layer_that_is_not_known():
    with pytest.raises(ValueError, match="one is a Unpooling, which is not known here"):
        of("Unpooling", "", line(1))
