import contextlib
import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import convolution

pytestmark = pytest.mark.usefixtures("fast_gradients")

LAYOUT = ("NHWC", "HWIO", "NHWC")


@pytest.fixture
def fast_gradients():
    with convolution.fast_gradients():
        yield


def both(pad):
    settings = {
        "window_strides": (1, 1),
        "padding": ((pad, pad), (pad, pad)),
        "dimension_numbers": LAYOUT,
    }
    ours = functools.partial(convolution.conv_general_dilated, **settings)
    native = functools.partial(jax.lax.conv_general_dilated, **settings)
    return ours, native


# 64 channels are enough for the gradient of a 3x3 kernel to be taken by blocks of rows;
# 6 and 11 rows leave some of the last block empty, 3 are less than one.
@pytest.mark.parametrize("in_loop", (False, True))
@pytest.mark.parametrize(
    ("kernel_size", "pad", "rows", "channels"),
    (
        (1, 0, 8, 64),
        (3, 1, 8, 3),
        (3, 1, 8, 64),
        (3, 1, 6, 64),
        (3, 0, 13, 64),
        (3, 1, 3, 64),
        (3, 100, 5, 3),
        (5, 4, 8, 3),
        (7, 0, 8, 3),
        (7, 3, 8, 3),
    ),
)
def test_values_and_gradients_are_those_of_the_native_form(
    key, kernel_size, pad, rows, channels, in_loop
):
    ours, native = both(pad)
    x = jax.random.normal(key, (2, rows, 7, channels))
    shape = (kernel_size, kernel_size, channels, 4)
    kernel = jax.random.normal(jax.random.key(1), shape)
    for fn in (
        lambda f: f(x, kernel),
        lambda f: jax.vjp(f, x, kernel)[1](native(x, kernel)),
    ):
        with convolution.fast_gradients(in_loop):
            found = jax.tree.leaves(fn(ours))
        for a, b in zip(found, jax.tree.leaves(fn(native)), strict=True):
            scale = float(jnp.max(jnp.abs(b)))
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize(("height", "rows"), ((20, 7), (8, 8), (2, 2)))
def test_blocks_of_narrow_maps_are_as_many_rows_as_there_are_features(height, rows):
    """64 features are nine rows of seven columns; blocks share the height evenly."""
    ours, native = both(1)
    x = jax.random.normal(jax.random.key(0), (2, height, 7, 64))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 64, 64))

    def of_kernel(convolve):
        return jax.grad(lambda kernel: (convolve(x, kernel) ** 2).sum())

    with convolution.fast_gradients():
        found = of_kernel(ours)(kernel)
        text = jax.jit(of_kernel(ours)).lower(kernel).as_text()
    wanted = of_kernel(native)(kernel)
    scale = float(jnp.max(jnp.abs(wanted)))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * scale)
    assert f"(tensor<{7 * rows}x64xf32>, tensor<{7 * rows}x576xf32>)" in text


def test_large_windows_are_products_on_the_cpu_and_convolutions_elsewhere():
    ours, _ = both(3)
    x, kernel = jnp.zeros((1, 4, 4, 2)), jnp.zeros((7, 7, 2, 3))
    on_cpu = jax.jit(ours).lower(x, kernel).as_text()
    assert "convolution" not in on_cpu
    for platform in ("cuda", "tpu"):
        exported = jax.export.export(jax.jit(ours), platforms=[platform])(x, kernel)
        assert "stablehlo.convolution" in exported.mlir_module()


def test_gradients_of_3x3_kernels_are_products_on_the_cpu_and_convolutions_elsewhere():
    ours, _ = both(1)
    x, kernel = jnp.zeros((1, 4, 4, 64)), jnp.zeros((3, 3, 64, 3))

    def of_kernel(x, kernel):
        return jax.grad(lambda kernel: ours(x, kernel).sum())(kernel)

    def text(platform):
        exported = jax.export.export(jax.jit(of_kernel), platforms=[platform])
        return exported(x, kernel).mlir_module()

    def of_image(x):
        return jax.vjp(ours, x, kernel[:, :, :3])[1](jnp.zeros((1, 4, 4, 3)))[1]

    assert "stablehlo.while" in text("cpu")
    for platform in ("cuda", "tpu"):
        assert "stablehlo.while" not in text(platform)
    # Three channels, those of an image, are left to XLA.
    assert "stablehlo.while" not in jax.jit(of_image).lower(x[..., :3]).as_text()


@pytest.mark.parametrize("channels", (3, 64))
@pytest.mark.parametrize(("kernel_size", "pad"), ((1, 0), (3, 1)))
def test_in_a_loop_every_convolution_is_in_the_form_that_xla_is_fast_at(
    channels, kernel_size, pad
):
    """XLA brings it into this form outside of loops only."""
    ours, native = both(pad)
    kernel = jnp.zeros((kernel_size, kernel_size, channels, channels))

    def forms(f, in_loop):
        def total(kernel, maps):
            def add_gradients(so_far, x):
                with convolution.fast_gradients(in_loop):
                    found = jax.grad(lambda k, x: (f(f(x, k), k) ** 2).sum())(kernel, x)
                return so_far + found, None

            return jax.lax.scan(add_gradients, jnp.zeros_like(kernel), maps)[0]

        maps = jnp.zeros((2, 1, 6, 6, channels))
        text = jax.jit(total).lower(kernel, maps).compile().as_text()
        return set(re.findall(r" convolution\(.*dim_labels=([^,]*),", text))

    assert forms(ours, in_loop=True) <= {"b01f_01io->b01f"}
    assert not forms(native, in_loop=True) <= {"b01f_01io->b01f"}


def test_without_fast_gradients_all_is_left_to_jax():
    """Elsewhere than in training, forward differentiation works."""
    ours, native = both(1)
    x = jax.random.normal(jax.random.key(0), (1, 4, 4, 64))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 64, 3))

    def hessian_times(f):
        def loss(kernel):
            return jnp.sum(jnp.sin(f(x, kernel)))

        return jax.jvp(jax.grad(loss), (kernel,), (kernel,))[1]

    with pytest.raises(TypeError, match="forward-mode"):
        hessian_times(ours)
    token = convolution._FAST.set(math.inf)
    np.testing.assert_allclose(hessian_times(ours), hessian_times(native), rtol=1e-5)
    convolution._FAST.reset(token)


def test_a_kernel_gradient_in_bfloat16_is_summed_in_float32():
    ours, _ = both(0)
    x = jnp.ones((1, 66, 66, 64), jnp.bfloat16)
    kernel = jnp.zeros((3, 3, 64, 1), jnp.bfloat16)
    (gradient,) = jax.grad(lambda k: ours(x, k[0]).sum().astype(jnp.float32))((kernel,))
    assert gradient.dtype == jnp.bfloat16
    # 64 x 64 ones: a bfloat16 sum of them ends at 256.
    np.testing.assert_array_equal(np.asarray(gradient, np.float32), 64.0 * 64.0)


def test_bfloat16_stays_bfloat16():
    ours, _ = both(3)
    x = jnp.ones((1, 4, 4, 2), jnp.bfloat16)
    assert ours(x, jnp.ones((7, 7, 2, 3), jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize("pad", (3, 10))
def test_a_padding_as_wide_as_the_kernel_is_no_window_elsewhere(monkeypatch, pad):
    """Elsewhere the map is padded first; values and gradients are the same."""
    ours, native = both(pad)
    x = jax.random.normal(jax.random.key(0), (2, 5, 7, 3))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 3, 4))

    def squared(convolve):
        return lambda x, kernel: jnp.sum(convolve(x, kernel) ** 2)

    expected = jax.grad(squared(native), (0, 1))(x, kernel)

    def elsewhere(*arrays, default, cpu):
        del cpu
        return default(*arrays)

    monkeypatch.setattr(jax.lax, "platform_dependent", elsewhere)
    np.testing.assert_allclose(ours(x, kernel), native(x, kernel), atol=1e-4)
    for found, by_native in zip(
        jax.grad(squared(ours), (0, 1))(x, kernel), expected, strict=True
    ):
        np.testing.assert_allclose(found, by_native, rtol=1e-4)
    text = jax.jit(jax.grad(squared(ours), 1)).lower(x, kernel).as_text()
    assert "optimization_barrier" in text


def test_a_padding_that_cuts_is_left_as_it_is():
    settings = {
        "window_strides": (1, 1),
        "padding": ((5, -1), (0, 0)),
        "dimension_numbers": LAYOUT,
    }
    x, kernel = jnp.ones((1, 4, 5, 3)), jnp.ones((3, 3, 3, 2))
    np.testing.assert_array_equal(
        convolution.conv_general_dilated(x, kernel, **settings),
        jax.lax.conv_general_dilated(x, kernel, **settings),
    )


def test_a_kernel_is_cast_and_its_gradient_back():
    kernel = jax.random.normal(jax.random.key(0), (3, 3, 2, 4), jnp.float32)
    weights = jax.random.normal(jax.random.key(1), (3, 3, 2, 4), jnp.bfloat16)

    def total(kernel, cast):
        low = cast(kernel, jnp.bfloat16)
        assert low.dtype == jnp.bfloat16
        return jnp.sum((low * weights).astype(jnp.float32))

    found = jax.grad(total)(kernel, convolution.cast_kernel)
    expected = jax.grad(total)(kernel, lambda k, dtype: k.astype(dtype))
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, expected)
    assert convolution.cast_kernel(kernel, jnp.float32) is kernel
    # Of the order in which it is written its values do not depend.
    np.testing.assert_array_equal(jax.jit(convolution._in_order)(weights), weights)


def test_the_gradient_of_a_cast_is_in_order_on_a_gpu():
    kernel = jax.ShapeDtypeStruct((3, 3, 2, 4), jnp.float32)

    def total(kernel):
        return jnp.sum(convolution.cast_kernel(kernel, jnp.bfloat16), dtype=jnp.float32)

    for platform, is_in_order in (("cuda", True), ("cpu", False), ("tpu", False)):
        traced = jax.jit(jax.grad(total)).trace(kernel)
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert ("LayoutConstraint" in text) == is_in_order


def test_without_fast_gradients_a_cast_is_differentiated_forward_too():
    kernel = jnp.ones((1, 1, 2, 2), jnp.float32)
    with contextlib.ExitStack() as stack:
        stack.callback(convolution._FAST.reset, convolution._FAST.set(math.inf))
        cast = functools.partial(convolution.cast_kernel, dtype=jnp.bfloat16)
        _, tangent = jax.jvp(cast, (kernel,), (2 * kernel,))
    np.testing.assert_array_equal(tangent, 2)
