"""Transposed convolution and bilinear kernels as Caffe defines them.

A transposed convolution is a matrix product at every input pixel followed by adding up
overlapping blocks (Caffe: col2im). Written so, nothing is multiplied with the zeros
that a dilated input would hold.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

# Up to which a product for each position of the kernel was faster than one for all: on
# a CPU, 2048 to 256 channels in 7x7, at 64 cells 0.8 of the time, at 384 twice.
_FEW_CELLS = 64


def bilinear_taps(kernel_size: int) -> np.ndarray:
    """The 1-D filter whose outer product is Caffe's bilinear upsampling kernel.

    Args:
        kernel_size: Length of the filter in output pixels; 2 * factor - factor % 2.

    Returns:
        Weights, [kernel_size] float64, symmetric; they sum to the upsampling factor.

    Raises:
        ValueError: If `kernel_size` is not positive.

    References:
        Long et al. 2015, arXiv:1411.4038, sec. 3.3; Caffe, "bilinear" weight filler.
    """
    if kernel_size < 1:
        raise ValueError(
            f"bilinear_taps: kernel_size={kernel_size} is not positive; "
            f"for an upsampling factor f pass 2 * f - f % 2."
        )
    factor = (kernel_size + 1) // 2
    centre = factor - 1 if kernel_size % 2 else factor - 0.5
    return 1 - np.abs(np.arange(kernel_size) - centre) / factor


def bilinear_kernel(kernel_size: int, channels: int) -> np.ndarray:
    """The dense kernel that upsamples every channel by itself.

    Args:
        kernel_size: Side, pixels.
        channels: C.

    Returns:
        [kernel_size, kernel_size, channels, channels] float64, zero off the diagonal.
    """
    taps = bilinear_taps(kernel_size)
    kernel = np.zeros((kernel_size, kernel_size, channels, channels))
    diagonal = np.arange(channels)
    kernel[:, :, diagonal, diagonal] = np.outer(taps, taps)[:, :, None]
    return kernel


def bilinear_upsample(x: Array, factor: int, kernel_size: int | None = None) -> Array:
    """The transposed convolution with a fixed bilinear kernel, a channel at a time.

    Args:
        x: [N, h, w, C] floating.
        factor: Stride, in output pixels per input pixel.
        kernel_size: Of the filter; None: 2 * factor - factor % 2.

    Returns:
        [N, (h - 1) * factor + kernel_size, (w - 1) * factor + kernel_size, C].
    """
    for axis in (1, 2):
        x = upsample_axis(x, factor, kernel_size, axis)
    return x


def upsample_axis(
    x: Array, factor: int, kernel_size: int | None = None, axis: int = 1
) -> Array:
    """`bilinear_upsample` along one axis alone.

    Output pixel factor * m + r is the sum over blocks b of taps[b, r] * x[m - b].

    Args:
        x: Floating, with `axis`.
        factor: Stride, in output pixels per input pixel.
        kernel_size: Of the filter; None: 2 * factor - factor % 2.
        axis: That becomes (its length - 1) * factor + kernel_size.
    """
    if kernel_size is None:
        kernel_size = 2 * factor - factor % 2
    blocks = -(-kernel_size // factor)
    taps = bilinear_taps(kernel_size)
    taps = np.pad(taps, (0, blocks * factor - kernel_size)).reshape(blocks, factor)
    length = (x.shape[axis] - 1) * factor + kernel_size
    x = jnp.expand_dims(x, axis + 1)
    terms = []
    for b in range(blocks):
        pads = [(0, 0)] * x.ndim
        pads[axis] = (b, blocks - 1 - b)
        weight = jnp.asarray(taps[b], x.dtype)
        shape = [1] * x.ndim
        shape[axis + 1] = factor
        terms.append(jnp.pad(x, pads) * weight.reshape(shape))
    total = functools.reduce(jnp.add, terms)
    shape = list(total.shape)
    shape[axis : axis + 2] = [shape[axis] * factor]
    return jax.lax.slice_in_dim(total.reshape(shape), 0, length, axis=axis)


def conv_transpose(
    x: Array,
    kernel: Array,
    stride: int,
    precision: jax.lax.Precision | None = jax.lax.Precision.HIGHEST,
) -> Array:
    """Transposed convolution without padding: y[stride * i + a] += x[i] @ kernel[a].

    Args:
        x: [N, h, w, I] floating.
        kernel: [kh, kw, I, O]; a Caffe or PyTorch kernel [I, O, kh, kw] transposed by
            (2, 3, 0, 1), without a flip.
        stride: In output pixels per input pixel.
        precision: Of the products; the highest by default, as there are few of them
            where scores are upsampled.

    Returns:
        [N, (h - 1) * stride + kh, (w - 1) * stride + kw, O] of x's dtype.

    Raises:
        ValueError: If the kernel does not fit the input.
    """
    if kernel.ndim != 4 or kernel.shape[2] != x.shape[3]:
        raise ValueError(
            f"conv_transpose: kernel {kernel.shape} does not fit input {x.shape}; "
            f"expected [kh, kw, {x.shape[3]}, O]."
        )
    kh, kw = kernel.shape[:2]
    h, w = x.shape[1:3]
    pads = ((0, -kh % stride), (0, -kw % stride), (0, 0), (0, 0))
    blocks = _blocks(x, jnp.pad(kernel, pads), stride, precision)
    # First the rows that overlap, then the columns: kh + kw sums, not kh * kw.
    total = _overlap_add(blocks, 1, stride)  # [N, H, w, kw, O]
    total = _overlap_add(total, 2, stride)  # [N, H, W, O]
    return total[:, : (h - 1) * stride + kh, : (w - 1) * stride + kw]


def _blocks(
    x: Array, kernel: Array, stride: int, precision: jax.lax.Precision | None
) -> Array:
    """What every cell adds to the result, [N, h, kh, w, kw, O]."""
    cells = math.prod(x.shape[:3])  # No int in an export.
    symbolic = not isinstance(cells, int)  # pyright: ignore[reportUnnecessaryIsInstance]
    if stride > 1 or symbolic or cells > _FEW_CELLS:
        return jnp.einsum("nhwi,abio->nhawbo", x, kernel, precision=precision)
    # The kernel is all there is to read (fc6-deconv, one cell an image: 411 MB). A
    # product for each of its positions takes it as it lies; one would rearrange it.
    kh, kw, channels, features = kernel.shape
    rows = jnp.broadcast_to(x.reshape(cells, channels), (kh * kw, cells, channels))
    products = jax.lax.dot_general(
        rows,
        kernel.reshape(kh * kw, channels, features),
        (((2,), (1,)), ((0,), (0,))),
        precision=precision,
    )
    products = products.reshape(kh, kw, *x.shape[:3], features)
    return products.transpose(2, 3, 0, 4, 1, 5)


def _overlap_add(blocks: Array, axis: int, stride: int) -> Array:
    """Sum blocks, [..., h, k, ...] at `axis`, that start `stride` after each other."""
    length, size = blocks.shape[axis : axis + 2]
    count = size // stride
    shape = (*blocks.shape[:axis], length * stride, *blocks.shape[axis + 2 :])
    parts = []
    for i in range(count):
        part = jax.lax.slice_in_dim(blocks, i * stride, (i + 1) * stride, axis=axis + 1)
        pads = [(0, 0)] * len(shape)
        pads[axis] = (i * stride, (count - 1 - i) * stride)
        parts.append(jnp.pad(part.reshape(shape), pads))
    return functools.reduce(jnp.add, parts)
