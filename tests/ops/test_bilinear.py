import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fcn_jax.ops import bilinear
from tests.support.paths import GOLDEN


@pytest.mark.parametrize(
    ("kernel_size", "taps"),
    [
        (4, [1 / 4, 3 / 4, 3 / 4, 1 / 4]),
        (16, [*(np.arange(1, 16, 2) / 16), *(np.arange(15, 0, -2) / 16)]),
        (63, [*(np.arange(1, 33) / 32), *(np.arange(31, 0, -1) / 32)]),
        (1, [1.0]),
    ],
)
def test_taps(kernel_size, taps):
    np.testing.assert_allclose(bilinear.bilinear_taps(kernel_size), taps, rtol=1e-15)


@pytest.mark.parametrize(
    ("kernel_size", "factor"), [(4, 2), (16, 8), (32, 16), (64, 32), (63, 32)]
)
def test_taps_sum_to_the_factor(kernel_size, factor):
    assert bilinear.bilinear_taps(kernel_size).sum() == pytest.approx(factor, rel=1e-14)


def test_taps_need_a_positive_size():
    with pytest.raises(ValueError, match="kernel_size=0 is not positive; .* pass 2"):
        bilinear.bilinear_taps(0)


def test_the_kernel_keeps_channels_apart():
    kernel = bilinear.bilinear_kernel(4, 3)
    assert kernel.shape == (4, 4, 3, 3)
    np.testing.assert_array_equal(kernel[:, :, 0, 1], 0)
    np.testing.assert_array_equal(kernel[0, :, 2, 2], np.array([1, 3, 3, 1]) / 16)


@pytest.mark.parametrize(
    ("kernel_size", "factor"), [(4, 2), (16, 8), (63, 32), (3, 2), (5, 3), (1, 1)]
)
def test_upsampling_is_the_transposed_convolution_with_that_kernel(
    key, kernel_size, factor
):
    x = jax.random.normal(key, (2, 3, 4, 2))
    kernel = jnp.asarray(bilinear.bilinear_kernel(kernel_size, 2), jnp.float32)
    ours = bilinear.bilinear_upsample(x, factor, kernel_size)
    theirs = bilinear.conv_transpose(x, kernel, factor)
    assert ours.shape == (2, 2 * factor + kernel_size, 3 * factor + kernel_size, 2)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_constant_stays_constant_inside_and_fades_at_the_border():
    up = bilinear.bilinear_upsample(jnp.ones((1, 4, 4, 1)), 32, 64)[0, :, :, 0]
    np.testing.assert_allclose(up[32:-32, 32:-32], 1, rtol=1e-6)
    assert float(up[19, 64]) == 0.609375  # The first row that FCN-32s keeps.


@pytest.mark.parametrize("case", ((4, 2), (3, 2), (3, 1), (2, 3)))
def test_recorded_pytorch_values(case):
    golden = np.load(GOLDEN / "ops.npz")
    name = f"deconv_{case[0]}_{case[1]}"
    kernel = jnp.asarray(golden[f"{name}_kernel"]).transpose(2, 3, 0, 1)
    ours = bilinear.conv_transpose(jnp.asarray(golden[f"{name}_x"]), kernel, case[1])
    np.testing.assert_allclose(ours, golden[f"{name}_y"], atol=1e-5)


def test_by_hand_without_a_flip():
    kernel = jnp.asarray([[1.0, 10.0, 100.0]]).reshape(1, 3, 1, 1)
    x = jnp.asarray([1.0, 2.0]).reshape(1, 1, 2, 1)
    # The row axis has kernel size 1 and the same stride.
    ours = bilinear.conv_transpose(x, kernel, 2)
    np.testing.assert_array_equal(ours[0, 0, :, 0], [1, 10, 102, 20, 200])


@pytest.mark.long
def test_gradients(key):
    x = jax.random.normal(key, (1, 2, 3, 2))
    kernel = jax.random.normal(key, (3, 3, 2, 2))
    tolerance = {"order": 1, "modes": ("rev",), "atol": 1e-2, "rtol": 1e-2}
    check_grads(lambda x, k: bilinear.conv_transpose(x, k, 2), (x, kernel), **tolerance)
    check_grads(lambda x: bilinear.bilinear_upsample(x, 3), (x,), **tolerance)


def test_few_cells_and_many_give_the_same(key, monkeypatch):
    x = jax.random.normal(key, (2, 2, 3, 5))
    kernel = jax.random.normal(key, (7, 7, 5, 4))

    def run(few_cells):
        monkeypatch.setattr(bilinear, "_FEW_CELLS", few_cells)
        fn = functools.partial(bilinear.conv_transpose, stride=1)
        y, vjp = jax.vjp(fn, x, kernel)
        text = jax.jit(fn).lower(x, kernel).as_text()
        return (y, *vjp(jnp.sin(y))), text

    few, few_text = run(few_cells=12)
    many, many_text = run(few_cells=11)
    assert "batching_dims = [0] x [0]" in few_text
    assert "batching_dims" not in many_text
    for a, b in zip(few, many, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


def test_neither_dilates_gathers_nor_scatters(key):
    x = jax.random.normal(key, (1, 4, 4, 2))

    def run(x):
        y, vjp = jax.vjp(lambda x: bilinear.bilinear_upsample(x, 8), x)
        return vjp(y)

    text = jax.jit(run).lower(x).compile().as_text()
    for word in ("gather(", "scatter(", "convolution(", "lhs_dilate"):
        assert f" {word}" not in text


def test_a_kernel_of_other_channels_is_refused():
    with pytest.raises(ValueError, match=r"kernel .* does not fit .* \[kh, kw, 3, O"):
        bilinear.conv_transpose(jnp.ones((1, 2, 2, 3)), jnp.ones((4, 4, 2, 2)), 2)
