"""True sizes of padded images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import extents


def sizes_of(*pairs):
    return jnp.array(pairs, jnp.int32)


def test_valid_by_hand():
    valid = extents.valid(sizes_of((1, 2), (3, 1)), 3, 3)
    assert (valid.shape, valid.dtype) == ((2, 3, 3, 1), jnp.bool_)
    np.testing.assert_array_equal(
        valid[..., 0],
        [
            [[True, True, False], [False] * 3, [False] * 3],
            [[True, False, False]] * 3,
        ],
    )


def test_mask_zeroes_nan_and_stops_its_gradient():
    x = jnp.array([[1.0, jnp.nan], [jnp.inf, 4.0]]).reshape(1, 2, 2, 1)
    masked = extents.mask(x, sizes_of((1, 1)))
    np.testing.assert_array_equal(masked[0, :, :, 0], [[1.0, 0.0], [0.0, 0.0]])
    gradient = jax.grad(lambda x: extents.mask(x, sizes_of((1, 1))).sum())(x)
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[1.0, 0.0], [0.0, 0.0]])


def test_without_sizes_nothing_happens():
    x = jnp.ones((1, 2, 2, 1))
    assert extents.mask(x, None) is x
    assert extents.after_window(None, 3) is None
    assert extents.after_convolution(None, 3) is None
    assert extents.after_upsampling(None, 4, 2) is None
    extents.check(None, x.shape)


def test_mask_keeps_bfloat16():
    x = jnp.ones((1, 2, 2, 1), jnp.bfloat16)
    assert extents.mask(x, sizes_of((1, 1))).dtype == jnp.bfloat16


def test_extents_of_the_worked_shapes():
    """fcn.berkeleyvision.org's layers on 500x375, 1x1 and 499x333 images."""
    sizes = sizes_of((500, 375), (1, 1), (499, 333))
    sizes = extents.after_convolution(sizes, 3, pad=100)
    np.testing.assert_array_equal(sizes, [[698, 573], [199, 199], [697, 531]])
    for _ in range(5):
        sizes = extents.after_convolution(sizes, 3, pad=1)
        sizes = extents.after_window(sizes, 2, 2)
    np.testing.assert_array_equal(sizes, [[22, 18], [7, 7], [22, 17]])
    sizes = extents.after_convolution(sizes, 7)
    np.testing.assert_array_equal(sizes, [[16, 12], [1, 1], [16, 11]])
    sizes = extents.after_upsampling(sizes, 4, 2)
    np.testing.assert_array_equal(sizes, [[34, 26], [4, 4], [34, 24]])


def test_convolutions_round_down_and_poolings_up():
    sizes = sizes_of((7, 8), (9, 10))
    ours = extents.after_convolution(sizes, 3, stride=2)
    np.testing.assert_array_equal(ours, [[3, 3], [4, 4]])
    ours = extents.after_window(sizes, 3, stride=2)
    np.testing.assert_array_equal(ours, [[3, 4], [4, 5]])


def test_no_pooling_window_lies_in_the_padding_alone():
    """Caffe: 2x2 at stride 2, pad 1 of 2 pixels would be ceil(1) + 1 = 2, then 3."""
    np.testing.assert_array_equal(
        extents.after_window(sizes_of((2, 3)), 2, stride=2, pad=1), [[2, 2]]
    )


def test_check_takes_what_fits():
    extents.check(sizes_of((0, 0), (4, 6), (1, 6)), (3, 4, 6, 3))


@pytest.mark.parametrize("wrong", ((5, 6), (4, 7), (-1, 3)))
def test_sizes_beyond_the_padded_shape(wrong):
    message = (
        rf"sizes\[1\] = \({wrong[0]}, {wrong[1]}\) does not fit images of shape "
        r"\(2, 4, 6, 3\): true sizes lie in 0\.\.4 x 0\.\.6; .* larger shape"
    )
    with pytest.raises(ValueError, match=message):
        extents.check(sizes_of((4, 6), wrong), (2, 4, 6, 3))


def test_sizes_of_another_shape():
    with pytest.raises(ValueError, match=r"sizes has shape \(2,\); .* shape \(2, 2\)"):
        extents.check(jnp.array([4, 6], jnp.int32), (2, 4, 6, 3))


def test_sizes_that_are_not_integers():
    with pytest.raises(TypeError, match="sizes has dtype float32; .* pass int32"):
        extents.check(jnp.ones((2, 2)), (2, 4, 6, 3))


def test_values_are_not_looked_at_under_jit():
    @jax.jit
    def checked(sizes):
        extents.check(sizes, (1, 4, 6, 3))
        return sizes

    np.testing.assert_array_equal(checked(sizes_of((9, 9))), [[9, 9]])
