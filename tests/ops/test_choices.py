"""What accelerators are told by each choice; on a CPU nothing differs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import choices, convolution
from fcn_jax.ops.choices import Choices

KERNEL = jnp.ones((3, 3, 3, 4))
IMAGE = jnp.ones((1, 8, 8, 3))


def convolve(image, kernel):
    return convolution.conv_general_dilated(
        image,
        kernel,
        (1, 1),
        ((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def text_for(platform, made, function=convolve, given=(IMAGE, KERNEL)):
    with choices.using(made):
        traced = jax.jit(lambda *given: function(*given)).trace(*given)
    return traced.lower(lowering_platforms=(platform,)).as_text()


def test_images_get_channels_of_zeros_on_accelerators():
    assert "1x8x8x8x" in text_for("cuda", Choices(image_channels=8))
    assert "1x8x8x8x" not in text_for("cpu", Choices(image_channels=8))
    assert "1x8x8x8x" not in text_for("cuda", Choices())


def test_channels_of_zeros_change_no_value():
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.normal(size=(2, 5, 6, 3)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 3, 4)), jnp.float32)
    wide = jnp.pad(image, ((0, 0), (0, 0), (0, 0), (0, 5)))
    filled = convolve(wide, jnp.pad(kernel, ((0, 0), (0, 0), (0, 5), (0, 0))))
    np.testing.assert_allclose(filled, convolve(image, kernel), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("ordered", "barriers"), ((True, 1), (False, 0)))
def test_gradients_of_kernels_are_ordered_before_they_are_used(ordered, barriers):
    def gradient(kernel, g):
        with convolution.fast_gradients():
            pull = jax.vjp(lambda k: convolution.cast_kernel(k, jnp.bfloat16), kernel)
        return pull[1](g)[0]

    given = (KERNEL, KERNEL.astype(jnp.bfloat16))
    made = Choices(ordered_gradients=ordered)
    text = text_for("cuda", made, gradient, given)
    assert text.count("stablehlo.optimization_barrier") == barriers


def test_a_choice_ends_with_its_block():
    with choices.using(Choices(image_channels=8)):
        assert choices.current().image_channels == 8
    assert choices.current() == Choices()


@pytest.mark.parametrize("dtype", (jnp.float32, jnp.bfloat16))
def test_a_bias_has_its_gradient_by_a_product(dtype):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 5, 6, 4)), dtype)
    bias = jnp.asarray(rng.normal(size=4), dtype)
    # Of few bits, so that the sum is exact in any order.
    g = jnp.asarray(rng.integers(-4, 5, x.shape), dtype)

    def gradients(made):
        with choices.using(made), convolution.fast_gradients():
            value, pull = jax.vjp(convolution.add_bias, x, bias)
        return value, *pull(g)

    found, expected = gradients(Choices(bias_by_product=True)), gradients(Choices())
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_bias_by_a_product_is_one():
    def gradient(x, bias):
        with convolution.fast_gradients():
            return jax.grad(lambda b: convolution.add_bias(x, b).sum())(bias)

    given = (IMAGE, jnp.ones(3))
    made = Choices(bias_by_product=True)
    assert "stablehlo.dot_general" in text_for("cuda", made, gradient, given)
    assert "stablehlo.dot_general" not in text_for("cuda", Choices(), gradient, given)
