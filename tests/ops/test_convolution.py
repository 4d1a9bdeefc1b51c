import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fcn_jax.ops import convolution

LAYOUT = ("NHWC", "HWIO", "NHWC")


def both(pad):
    settings = {
        "window_strides": (1, 1),
        "padding": ((pad, pad), (pad, pad)),
        "dimension_numbers": LAYOUT,
    }
    ours = functools.partial(convolution.conv_general_dilated, **settings)
    native = functools.partial(jax.lax.conv_general_dilated, **settings)
    return ours, native


@pytest.mark.parametrize(
    ("kernel_size", "pad"), ((1, 0), (3, 1), (5, 4), (7, 0), (7, 3))
)
def test_values_and_gradients_are_those_of_the_native_form(key, kernel_size, pad):
    ours, native = both(pad)
    x = jax.random.normal(key, (2, 8, 7, 3))
    kernel = jax.random.normal(jax.random.key(1), (kernel_size, kernel_size, 3, 4))
    for fn in (
        lambda f: f(x, kernel),
        lambda f: jax.vjp(f, x, kernel)[1](native(x, kernel)),
    ):
        for a, b in zip(
            jax.tree.leaves(fn(ours)), jax.tree.leaves(fn(native)), strict=True
        ):
            scale = float(jnp.max(jnp.abs(b)))
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * scale)


def test_large_windows_are_products_on_the_cpu_and_convolutions_elsewhere():
    ours, _ = both(3)
    x, kernel = jnp.zeros((1, 4, 4, 2)), jnp.zeros((7, 7, 2, 3))
    on_cpu = jax.jit(ours).lower(x, kernel).as_text()
    assert "convolution" not in on_cpu
    for platform in ("cuda", "tpu"):
        exported = jax.export.export(jax.jit(ours), platforms=[platform])(x, kernel)
        assert "stablehlo.convolution" in exported.mlir_module()


def test_bfloat16_stays_bfloat16():
    ours, _ = both(3)
    x = jnp.ones((1, 4, 4, 2), jnp.bfloat16)
    assert ours(x, jnp.ones((7, 7, 2, 3), jnp.bfloat16)).dtype == jnp.bfloat16
