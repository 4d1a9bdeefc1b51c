"""Convolution as the networks call it, and the one place where backends differ.

On the CPU, XLA computes a convolution with a large window (fc6: 7x7) over a small map
by its slowest path: 1 GFLOP/s was measured for 256 -> 1024 channels on 6x8 cells where
the same product as a matrix multiplication reaches 80. There such a convolution is
written as that multiplication (Caffe's im2col).

Also on the CPU, XLA computes the gradient of a 3x3 kernel at a third of the speed of
the convolution itself (`benchmarks/convolutions.py`). Within `fast_gradients`,
as in `training.train_step`, it is a sum over blocks of rows: the product of the block's
output gradient and of its windows. In the body of a loop, as where gradients are
accumulated, XLA does not bring gradients of convolutions into the form that its fast
path takes; they ran at a fiftieth of the speed. There every gradient is written in that
form. Models do not see the difference. Elsewhere gradients are left to JAX, which then
differentiates forward too (`jax.jvp`, Hessians).

On GPUs and TPUs XLA takes the gradient of a kernel for a convolution whose window is
the whole map where the padding is as wide as the kernel (conv1_1 of padding "caffe":
500x500). There the map is padded first. `benchmarks.aot` shows what XLA makes of both.
"""

import contextlib
import contextvars
import dataclasses
import functools
import math
from collections.abc import Generator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import layout

from fcn_jax.ops import bilinear, choices

Array = jax.Array

# The fewest channels of a convolution that has its gradients of this module.
_FAST = contextvars.ContextVar("fast_gradients", default=math.inf)

# The 3x3 windows of the trunk are fast as they are.
_LARGEST_NATIVE_WINDOW = 9

# Rows of a map whose windows are laid out at a time for the gradient of a kernel, the
# fewest: on wide maps 4 are as fast as 8 or faster, 1 to 2 megabytes being what the
# cache of a core holds. On narrow ones a product of 4 rows is shorter than its result
# is wide, and adding that up takes the time (14x14x512: 53 GFLOP/s, 71 at once).
_FEWEST_ROWS = 4
# With fewer channels laying out the windows costs as much as it saves: a step of FCN-8s
# took 0.85 of its time at full width, and 1.08 at a quarter of it.
_FEWEST_CHANNELS = 64


@contextlib.contextmanager
def fast_gradients(in_loop: bool = False) -> Generator[None, None, None]:
    """Within it, convolutions that are traced have faster gradients on a CPU.

    They can be differentiated in reverse only, as training does.

    Args:
        in_loop: Whether what is traced is the body of a loop (`jax.lax.scan`).
    """
    token = _FAST.set(1 if in_loop else _FEWEST_CHANNELS)
    try:
        yield
    finally:
        _FAST.reset(token)


def differentiates_in_reverse() -> bool:
    """Whether what is traced is differentiated in reverse alone, as training does."""
    return _FAST.get() < math.inf


def conv_general_dilated(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    **options: Any,
) -> Array:
    """`jax.lax.conv_general_dilated` for NHWC maps and HWIO kernels.

    Args:
        lhs: Maps, [N, H, W, I].
        rhs: Kernel, [kh, kw, I, O].
        window_strides: (rows, columns).
        padding: ((top, bottom), (left, right)).
        **options: As of `jax.lax.conv_general_dilated`.

    Returns:
        [N, H', W', O].
    """
    asked = choices.current()
    missing = asked.image_channels - rhs.shape[2]
    if missing > 0 and "feature_group_count" not in options:

        def as_they_are(lhs: Array, rhs: Array):
            with choices.using(dataclasses.replace(asked, image_channels=0)):
                return conv_general_dilated(
                    lhs, rhs, window_strides, padding, **options
                )

        def filled(lhs: Array, rhs: Array):
            none = (0, 0)
            lhs = jnp.pad(lhs, (none, none, none, (0, missing)))
            rhs = jnp.pad(rhs, (none, none, (0, missing), none))
            return as_they_are(lhs, rhs)

        return jax.lax.platform_dependent(lhs, rhs, cpu=as_they_are, default=filled)

    def native(lhs: Array, rhs: Array):
        return jax.lax.conv_general_dilated(
            lhs, rhs, window_strides, padding, **options
        )

    kh, kw, channels, _ = rhs.shape
    if max(map(max, padding)) >= min(kh, kw) and min(map(min, padding)) >= 0:

        def padded(lhs: Array, rhs: Array):
            none = ((0, 0), (0, 0))
            return conv_general_dilated(
                _padded(lhs, padding), rhs, window_strides, none, **options
            )

        return jax.lax.platform_dependent(lhs, rhs, cpu=native, default=padded)
    plain = not options.keys() & {"rhs_dilation", "feature_group_count"}
    if tuple(window_strides) != (1, 1) or not plain:
        return native(lhs, rhs)
    if kh * kw <= _LARGEST_NATIVE_WINDOW:
        sides = tuple((before, after) for before, after in padding)
        cuts = min(map(min, sides)) < 0
        # Without a loop a 1x1 convolution is a product, its gradients too.
        few = channels < _FAST.get() or (kh * kw == 1 and _FAST.get() > 1)
        if few or cuts:
            return native(lhs, rhs)
        return _convolution(lhs, rhs, sides, tuple(sorted(options.items())))

    def as_product(lhs: Array, rhs: Array):
        return _im2col_convolution(lhs, rhs, padding)

    return jax.lax.platform_dependent(lhs, rhs, cpu=as_product, default=native)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolution(x: Array, kernel: Array, padding: tuple, options: tuple) -> Array:
    """A stride-1 convolution with gradients of its own on the CPU."""
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), padding, **dict(options))


def _convolution_forward(x: Array, kernel: Array, padding: tuple, options: tuple):
    return _convolution(x, kernel, padding, options), (x, kernel)


def _convolution_backward(
    padding: tuple, options: tuple, residual: tuple[Array, Array], g: Array
):
    x, kernel = residual

    def native(x: Array, kernel: Array) -> Array:
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), padding, **dict(options))

    def of_x_by_jax(x: Array, kernel: Array, g: Array):
        return jax.vjp(lambda x: native(x, kernel), x)[1](g)[0]

    def as_convolution(x: Array, kernel: Array, g: Array):
        flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
        rest = [
            (side - 1 - before, side - 1 - after)
            for side, (before, after) in zip(kernel.shape, padding, strict=False)
        ]
        return jax.lax.conv_general_dilated(g, flipped, (1, 1), rest, **dict(options))

    def by_blocks(x: Array, g: Array):
        precision = dict(options).get("precision")
        return _kernel_gradient_by_blocks(x, g, kernel.shape, padding, precision)

    def by_convolution(x: Array, g: Array):
        return jax.vjp(functools.partial(native, x), kernel)[1](g)[0]

    of_x = jax.lax.platform_dependent(
        x, kernel, g, cpu=as_convolution, default=of_x_by_jax
    )
    of_kernel = jax.lax.platform_dependent(x, g, cpu=by_blocks, default=by_convolution)
    return of_x, of_kernel


_convolution.defvjp(_convolution_forward, _convolution_backward)


def _padded(x: Array, padding: Sequence[tuple[int, int]]) -> Array:
    """Maps with zeros around them, which no compiler takes for a convolution's own."""
    wide = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    return jax.lax.optimization_barrier(wide)


def cast_kernel(kernel: Array, dtype: jnp.dtype) -> Array:
    """A kernel in the dtype of the computation.

    Within `fast_gradients` the gradient is finished in that dtype and in the kernel's
    own order before anything is made of it: else XLA for GPUs takes the optimiser's
    pass over parameters and velocities into the order that cuDNN gives gradients in,
    and copies both back (FCN-8s: 1.1 GB a step).

    Args:
        kernel: [kh, kw, I, O].
        dtype: Of the computation.
    """
    ordered = choices.current().ordered_gradients and differentiates_in_reverse()
    if kernel.dtype == dtype or not ordered:
        return kernel.astype(dtype)
    return _cast_kernel(kernel, dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _cast_kernel(kernel: Array, dtype: jnp.dtype) -> Array:
    return kernel.astype(dtype)


def _cast_forward(kernel: Array, dtype: jnp.dtype):
    return _cast_kernel(kernel, dtype), jnp.zeros((), kernel.dtype)


def _cast_backward(dtype: jnp.dtype, like: Array, g: Array) -> tuple[Array]:
    del dtype
    finished = jax.lax.platform_dependent(g, cuda=_in_order, default=lambda g: g)
    return (finished.astype(like.dtype),)


def _in_order(g: Array) -> Array:
    """An array that is written in the order of its axes before it is used."""
    order = layout.Layout(tuple(range(g.ndim)))
    return jax.lax.optimization_barrier(layout.with_layout_constraint(g, order))


_cast_kernel.defvjp(_cast_forward, _cast_backward)


def add_bias(x: Array, bias: Array) -> Array:
    """Maps plus a bias.

    Args:
        x: [N, h, w, C] floating.
        bias: [C] of x's dtype.
    """
    if choices.current().bias_by_product and differentiates_in_reverse():
        return _add_bias(x, bias)
    return x + bias[None, None, None]


@jax.custom_vjp
def _add_bias(x: Array, bias: Array) -> Array:
    """`add_bias`, the bias's gradient a product with ones."""
    return x + bias[None, None, None]


def _add_bias_forward(x: Array, bias: Array):
    return _add_bias(x, bias), None


def _add_bias_backward(residual: None, g: Array) -> tuple[Array, Array]:
    del residual
    pixels = g.reshape(-1, g.shape[-1])
    ones = jnp.ones((1, pixels.shape[0]), g.dtype)
    wide = jnp.float64 if g.dtype == jnp.float64 else jnp.float32
    of_bias = jax.lax.dot(ones, pixels, preferred_element_type=wide)[0]
    return g, of_bias.astype(g.dtype)


_add_bias.defvjp(_add_bias_forward, _add_bias_backward)


def _kernel_gradient_by_blocks(
    x: Array,
    g: Array,
    shape: Sequence[int],
    padding: Sequence[tuple[int, int]],
    precision: jax.lax.Precision | None,
) -> Array:
    """The gradient of a stride-1 convolution with respect to its kernel.

    Args:
        x: Maps, [N, H, W, I].
        g: Gradient of the output, [N, H', W', O].
        shape: Of the kernel, (kh, kw, I, O).
        padding: ((top, bottom), (left, right)).
        precision: Of the products.

    Returns:
        [kh, kw, I, O] of x's dtype.
    """
    kh, kw, channels, features = shape
    n, height, width = g.shape[:3]
    blocks = -(-height // max(_FEWEST_ROWS, features // width))
    rows = -(-height // blocks)
    missing = blocks * rows - height  # Rows of the last block that have no gradient.
    (top, bottom), columns = padding
    x = jnp.pad(x, ((0, 0), (top, bottom + missing), columns, (0, 0)))
    g = jnp.pad(g, ((0, 0), (0, missing), (0, 0), (0, 0)))

    def add_block(total: Array, index: Array):
        example, row = index // blocks, index % blocks * rows
        start = (example, row, jnp.int32(0), jnp.int32(0))
        size = (1, rows + kh - 1, width + kw - 1, channels)
        block = jax.lax.dynamic_slice(x, start, size)[0]
        windows = [
            block[i : i + rows, j : j + width] for i in range(kh) for j in range(kw)
        ]
        windows = jnp.concatenate(windows, axis=-1).reshape(rows * width, -1)
        of_block = jax.lax.dynamic_slice(g, start, (1, rows, width, features))
        of_block = of_block.reshape(rows * width, features)
        product = jax.lax.dot_general(
            of_block,
            windows,
            (((0,), (0,)), ((), ())),
            precision=precision,
            preferred_element_type=wide,
        )
        return total + product, None

    # A sum of thousands of bfloat16 would soon stand still.
    wide = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
    total = jnp.zeros((features, kh * kw * channels), wide)
    # Zeros either way, but of x and g: within `shard_map` a loop begins with what it
    # goes on with.
    total = jnp.where(jnp.sum(x) > jnp.sum(g), total, total)
    indices = jnp.arange(n * blocks, dtype=jnp.int32)
    total, _ = jax.lax.scan(add_block, total, indices)
    total = total.reshape(features, kh, kw, channels).transpose(1, 2, 3, 0)
    return total.astype(x.dtype)


def _im2col_convolution(
    x: Array, kernel: Array, padding: Sequence[tuple[int, int]]
) -> Array:
    """A stride-1 convolution as one product of the windows with the kernel."""
    kh, kw, _, features = kernel.shape
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    windows = [
        x[:, i : i + rows, j : j + columns] for i in range(kh) for j in range(kw)
    ]
    windows = jnp.concatenate(windows, axis=-1)  # [N, rows, columns, kh * kw * I]
    return windows @ kernel.reshape(-1, features)


def deconvolution(
    x: Array,
    kernel: Array,
    pad: int,
    precision: jax.lax.Precision | None = None,
) -> Array:
    """Transposed convolution of stride 1: y[i + a - pad] += x[i] @ kernel[a].

    Args:
        x: Maps, [N, h, w, I].
        kernel: [k, k, I, O]; a Caffe or PyTorch kernel [I, O, k, k] transposed by
            (2, 3, 0, 1), without a flip.
        pad: Rows and columns that are cut off the result on every side.
        precision: Of the products.

    Returns:
        [N, h + k - 1 - 2 pad, w + k - 1 - 2 pad, O] of x's dtype.
    """
    reach = kernel.shape[0] - 1 - pad
    if kernel.shape[0] * kernel.shape[1] > _LARGEST_NATIVE_WINDOW:
        # fc6-deconv: a map of one cell becomes 7x7; a convolution would multiply 48
        # zeros for every value that counts.
        y = bilinear.conv_transpose(x, kernel, 1, precision)
        return y[:, pad : y.shape[1] - pad, pad : y.shape[2] - pad]
    return conv_general_dilated(
        x,
        kernel[::-1, ::-1],
        window_strides=(1, 1),
        padding=((reach, reach), (reach, reach)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=precision,
    )
