"""Every operation of fcn_jax.ops against PyTorch's own, live, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fcn_jax.ops import bilinear, convolution, pooling

pytestmark = pytest.mark.parity

# Sums of a few hundred products of unit size, added up in another order.
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def nchw(x):
    """A leaf tensor in PyTorch's order, which records its gradient."""
    return torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy(), requires_grad=True)


def nhwc(x):
    return x.detach().permute(0, 2, 3, 1).numpy()


def draw_map(shape, ties):
    """A random map, [N, H, W, C]; with ties, what ReLU makes of whole numbers."""
    x = np.random.default_rng(0).normal(size=shape)
    return np.maximum(np.round(x), 0) if ties else x


@pytest.mark.parametrize("ties", (False, True), ids=("distinct", "ties"))
@pytest.mark.parametrize("size", ((6, 12), (5, 7), (7, 4), (1, 1), (2, 13)))
@pytest.mark.parametrize("window", (2, 3))
def test_pooling_and_unpooling(window, size, ties):
    x = draw_map((2, *size, 3), ties)
    theirs_x = nchw(x)
    maxima, indices = nn.MaxPool2d(window, ceil_mode=True, return_indices=True)(
        theirs_x
    )
    ours, vjp, switches = jax.vjp(
        lambda x: pooling.max_pool_with_switches(x, window),
        jnp.asarray(x),
        has_aux=True,
    )
    np.testing.assert_array_equal(ours, nhwc(maxima))
    np.testing.assert_array_equal(
        pooling.switches_to_indices(switches, window, size), nhwc(indices)
    )
    np.testing.assert_array_equal(
        pooling.indices_to_switches(jnp.asarray(nhwc(indices)), window, size), switches
    )
    np.testing.assert_array_equal(
        pooling.max_pool(jnp.asarray(x), window), nhwc(maxima)
    )

    g = np.random.default_rng(1).normal(size=ours.shape)
    (theirs_gradient,) = torch.autograd.grad(maxima, theirs_x, nchw(g))
    (gradient,) = vjp(jnp.asarray(g))
    np.testing.assert_array_equal(gradient, nhwc(theirs_gradient))
    _, vjp = jax.vjp(lambda x: pooling.max_pool(x, window), jnp.asarray(x))
    np.testing.assert_array_equal(vjp(jnp.asarray(g))[0], nhwc(theirs_gradient))

    # Other values than the maxima, as a decoder has them.
    values = np.random.default_rng(2).normal(size=ours.shape)
    theirs_values = nchw(values)
    theirs_back = nn.MaxUnpool2d(window)(theirs_values, indices, output_size=size)
    back, vjp = jax.vjp(
        lambda v: pooling.max_unpool(v, switches, window, size), jnp.asarray(values)
    )
    np.testing.assert_array_equal(back, nhwc(theirs_back))
    g = np.random.default_rng(3).normal(size=x.shape)
    (theirs_gradient,) = torch.autograd.grad(theirs_back, theirs_values, nchw(g))
    np.testing.assert_array_equal(vjp(jnp.asarray(g))[0], nhwc(theirs_gradient))


def compare(ours, theirs, x, kernel, kernel_axes):
    """Values and both gradients of a function of a map and a kernel.

    Args:
        ours: Function of (x, kernel), [N, H, W, C] and in our order.
        theirs: The same of tensors in PyTorch's order.
        x: [N, H, W, C].
        kernel: In our order.
        kernel_axes: Transposition that turns PyTorch's kernel into ours.
    """
    theirs_x = nchw(x)
    to_theirs = np.argsort(kernel_axes)
    theirs_kernel = torch.tensor(
        np.ascontiguousarray(kernel.transpose(to_theirs)), requires_grad=True
    )
    expected = theirs(theirs_x, theirs_kernel)
    y, vjp = jax.vjp(ours, jnp.asarray(x), jnp.asarray(kernel))
    assert y.dtype == jnp.float64
    np.testing.assert_allclose(y, nhwc(expected), **ROUNDING)
    g = np.random.default_rng(9).normal(size=y.shape)
    of_x, of_kernel = torch.autograd.grad(expected, (theirs_x, theirs_kernel), nchw(g))
    ours_of_x, ours_of_kernel = vjp(jnp.asarray(g))
    np.testing.assert_allclose(ours_of_x, nhwc(of_x), **ROUNDING)
    np.testing.assert_allclose(
        ours_of_kernel, of_kernel.numpy().transpose(kernel_axes), **ROUNDING
    )


@pytest.mark.parametrize("stride", (1, 2, 4))
@pytest.mark.parametrize("kernel_size", ((4, 4), (3, 5), (1, 2)))
def test_transposed_convolution(kernel_size, stride):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 5, 3))
    kernel = rng.normal(size=(*kernel_size, 3, 2))  # Nothing symmetric: a flip shows.
    compare(
        lambda x, k: bilinear.conv_transpose(x, k, stride),
        lambda x, k: F.conv_transpose2d(x, k, stride=stride),
        x,
        kernel,
        (2, 3, 0, 1),  # [I, O, kh, kw] -> [kh, kw, I, O]
    )


# The kernels and strides of the FCN nets, and odd ones.
@pytest.mark.parametrize(
    ("kernel_size", "factor"),
    ((4, 2), (16, 8), (32, 16), (64, 32), (63, 32), (5, 3), (3, 2), (1, 1)),
)
def test_bilinear_upsampling(kernel_size, factor):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    # Typed in from Caffe's filler, not taken from ours.
    f = -(-kernel_size // 2)
    centre = f - 1 if kernel_size % 2 else f - 0.5
    taps = 1 - (torch.arange(kernel_size, dtype=torch.float64) - centre).abs() / f
    kernel = torch.outer(taps, taps).expand(5, 1, -1, -1)
    theirs_x = nchw(x)
    expected = F.conv_transpose2d(theirs_x, kernel, stride=factor, groups=5)
    y, vjp = jax.vjp(
        lambda x: bilinear.bilinear_upsample(x, factor, kernel_size), jnp.asarray(x)
    )
    np.testing.assert_allclose(y, nhwc(expected), **ROUNDING)
    g = np.random.default_rng(1).normal(size=y.shape)
    (gradient,) = torch.autograd.grad(expected, theirs_x, nchw(g))
    # A pixel's gradient is a sum over the whole kernel.
    np.testing.assert_allclose(
        vjp(jnp.asarray(g))[0], nhwc(gradient), rtol=1e-12, atol=1e-10
    )


# A window of at most 3x3 or a stride keeps XLA's convolution; the others, fc6 among
# them, are one product on the CPU.
@pytest.mark.parametrize(
    ("kernel_size", "stride", "padding"),
    (
        ((1, 1), (1, 1), (0, 0)),
        ((3, 3), (1, 1), (1, 1)),
        ((3, 3), (1, 1), (100, 100)),
        ((7, 7), (2, 3), (3, 3)),
        ((7, 7), (1, 1), (0, 0)),
        ((7, 7), (1, 1), (3, 3)),
        ((5, 4), (1, 1), (2, 0)),
    ),
)
def test_convolution(kernel_size, stride, padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 9, 3))
    kernel = rng.normal(size=(*kernel_size, 3, 4))
    compare(
        lambda x, k: convolution.conv_general_dilated(
            x,
            k,
            window_strides=stride,
            padding=tuple((pad, pad) for pad in padding),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ),
        lambda x, k: F.conv2d(x, k, stride=stride, padding=padding),
        x,
        kernel,
        (2, 3, 1, 0),  # [O, I, kh, kw] -> [kh, kw, I, O]
    )


# Kernels above 3x3, fc6-deconv's among them, are a product; the others a convolution.
@pytest.mark.parametrize(
    ("kernel_size", "pad"), ((1, 0), (3, 0), (3, 1), (3, 2), (7, 0), (7, 3))
)
def test_deconvolution(kernel_size, pad):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 6, 3))
    kernel = rng.normal(size=(kernel_size, kernel_size, 3, 4))
    compare(
        lambda x, k: convolution.deconvolution(x, k, pad),
        lambda x, k: F.conv_transpose2d(x, k, padding=pad),
        x,
        kernel,
        (2, 3, 0, 1),
    )


@pytest.mark.parametrize(("top", "left"), ((3, 0), (0, 2)))
def test_convolution_with_padding_on_one_side(top, left):
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(1, 8, 9, 2)), rng.normal(size=(4, 4, 2, 3))
    compare(
        lambda x, k: convolution.conv_general_dilated(
            x,
            k,
            window_strides=(1, 1),
            padding=((top, 0), (left, 0)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ),
        lambda x, k: F.conv2d(F.pad(x, (left, 0, top, 0)), k),
        x,
        kernel,
        (2, 3, 1, 0),
    )
