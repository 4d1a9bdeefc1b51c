"""The layers that hold parameters: convolution, BatchNorm, dropout, score, upscore."""

import fnmatch
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fcn_jax.ops import bilinear, convolution, enlarging, extents, scoring

Array = jax.Array

RESIZINGS = {"nearest": enlarging.nearest, "bilinear": enlarging.linear}
UPSAMPLINGS = ("fixed", "learned", "learned_2x", *RESIZINGS)


class Conv(nn.Module):
    """Convolution with bias, [N, h, w, I] -> [N, h', w', O].

    Weights are drawn as He et al. 2015 (arXiv:1502.01852) propose for nets of ReLUs, a
    normal distribution of variance 2 / fan_in (truncated at two standard deviations);
    biases start at zero. Caffe's nets are not trained from such weights: they copy
    those of VGG-16.
    """

    features: int  # Output channels.
    kernel_size: int  # Side of the kernel.
    pad: int = 0  # Zeros added on every side.
    stride: int = 1  # Step of the window, pixels.
    groups: int = 1  # Parts that the channels are split into.
    dilation: int = 1  # Distance between the taps of a kernel, pixels.
    param_dtype: jnp.dtype = jnp.float32
    precision: jax.lax.Precision | None = None
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: Array, *, train_bias: bool = True) -> Array:
        """Convolve.

        Args:
            x: Maps, [N, h, w, I]; the computation is of its dtype.
            train_bias: False holds the bias out of the gradient.

        Returns:
            Maps, [N, (h + 2 pad - k) // stride + 1, ..., O] with a window of
            k = dilation (kernel_size - 1) + 1.

        Raises:
            ValueError: If the groups do not divide the channels.
        """
        if x.shape[-1] % self.groups or self.features % self.groups:
            raise ValueError(
                f"convolution {self.name!r}: {x.shape[-1]} input and {self.features} "
                f"output channels cannot be split into {self.groups} groups; choose "
                f"counts that the groups divide."
            )
        inputs = x.shape[-1] // self.groups
        shape = (self.kernel_size, self.kernel_size, inputs, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        bias = self.param(
            "bias", nn.initializers.zeros_init(), (self.features,), self.param_dtype
        )
        if not train_bias:
            bias = jax.lax.stop_gradient(bias)
        x = convolution.conv_general_dilated(
            x,
            convolution.cast_kernel(kernel, x.dtype),
            window_strides=(self.stride, self.stride),
            padding=((self.pad, self.pad), (self.pad, self.pad)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=self.precision,
            **self._options(),
        )
        return convolution.add_bias(x, bias.astype(x.dtype))

    def _options(self):
        """Of a convolution that is more than a window moved by a pixel."""
        options = {}
        if self.dilation != 1:
            options["rhs_dilation"] = (self.dilation, self.dilation)
        if self.groups != 1:
            options["feature_group_count"] = self.groups
        return options


class Deconv(nn.Module):
    """Transposed convolution of stride 1 with bias, [N, h, w, I] -> [N, h', w', O].

    Weights start as in the DeconvNet release: normal of standard deviation 0.01, biases
    zero. Kernels are Caffe's [I, O, k, k] transposed by (2, 3, 0, 1), without a flip.
    """

    features: int  # Output channels.
    kernel_size: int  # Side of the kernel.
    pad: int = 0  # Rows and columns cut off the result on every side.
    param_dtype: jnp.dtype = jnp.float32
    kernel_init: Callable = nn.initializers.normal(0.01)

    @nn.compact
    def __call__(self, x: Array, *, train_bias: bool = True) -> Array:
        """Deconvolve.

        Args:
            x: Maps, [N, h, w, I]; the computation is of its dtype.
            train_bias: False holds the bias out of the gradient.

        Returns:
            Maps, [N, h + kernel_size - 1 - 2 pad, w + ..., O].
        """
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        bias = self.param(
            "bias", nn.initializers.zeros_init(), (self.features,), self.param_dtype
        )
        if not train_bias:
            bias = jax.lax.stop_gradient(bias)
        kernel = convolution.cast_kernel(kernel, x.dtype)
        x = convolution.deconvolution(x, kernel, self.pad)
        return x + bias.astype(x.dtype)[None, None, None]


def is_batch_norm(layer: str) -> bool:
    """Whether a layer of that name normalises (bn1_1, debn5_1, fc6-deconv-bn)."""
    return layer.removeprefix("de").startswith("bn") or layer.endswith("-bn")


def is_frozen(which: bool | Sequence[str], name: str) -> bool:
    """Whether a layer of BatchNorm is frozen.

    Args:
        which: All of them, none, or patterns of names such as "bn1_*".
        name: Of the layer.
    """
    if isinstance(which, bool):
        return which
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in which)


class BatchNorm(nn.Module):
    """Batch normalisation whose statistics count true pixels only.

    In training every channel is normalised by its mean and its (biased) variance over
    the true pixels of the batch, over all devices of `axis_name`. The running averages,
    which are used otherwise, take the same biased variance, as in Flax (PyTorch takes
    the unbiased one): running <- momentum * running + (1 - momentum) * batch.
    Statistics are computed in float32 whatever the dtype of the input (float64 under
    float64).

    References:
        Ioffe and Szegedy 2015, arXiv:1502.03167.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    frozen: bool = False  # Use the running averages in training too; never update them.
    axis_name: str | None = None  # Mapped axis over which statistics are summed.
    param_dtype: jnp.dtype = jnp.float32
    shift: float = 0.0  # At which the bias starts.

    @nn.compact
    def __call__(
        self, x: Array, sizes: Array | None = None, *, train: bool = False
    ) -> Array:
        """Normalise.

        Args:
            x: Maps, [N, h, w, C] floating point.
            sizes: True (height, width) of every example, [N, 2] integer, or None.
            train: Whether to use and record the statistics of this batch.

        Returns:
            Maps, [N, h, w, C] of the dtype of `x`; outside the true extents they
            mean nothing.

        Raises:
            ValueError: If statistics are to be recorded, and cannot be.
        """
        shape = (x.shape[-1],)
        wide = at_least_float32(x.dtype)
        ones, start = nn.initializers.ones_init(), nn.initializers.constant(self.shift)
        scale = self.param("scale", ones, shape, self.param_dtype)
        bias = self.param("bias", start, shape, self.param_dtype)
        running_mean = self.variable(
            "batch_stats", "mean", jnp.zeros, shape, at_least_float32(self.param_dtype)
        )
        running_var = self.variable(
            "batch_stats", "var", jnp.ones, shape, at_least_float32(self.param_dtype)
        )
        if train and not self.frozen and not self.is_initializing():
            mean, var, count = self._statistics(
                x.astype(wide), sizes, running_mean.value.astype(wide)
            )
            if not self.is_mutable_collection("batch_stats"):
                raise ValueError(
                    f"BatchNorm {self.name}: train=True records statistics, and "
                    f"batch_stats cannot be changed; call apply(..., "
                    f"mutable=['batch_stats']) and keep what it returns, or freeze "
                    f"the layer (freeze_batch_norm=True)."
                )
            # A batch without a single true pixel leaves the averages alone.
            rate = jnp.where(count > 0, 1 - self.momentum, 0.0)
            for running, batch in ((running_mean, mean), (running_var, var)):
                old = running.value
                running.value = old + rate.astype(old.dtype)[None] * (
                    batch.astype(old.dtype) - old
                )
        else:
            mean = running_mean.value.astype(wide)
            var = running_var.value.astype(wide)
        factor = scale.astype(wide) * jax.lax.rsqrt(var + self.epsilon)
        shift = bias.astype(wide) - mean * factor
        x_wide = x.astype(wide)
        y = x_wide * factor[None, None, None] + shift[None, None, None]
        return y.astype(x.dtype)

    def _statistics(self, x: Array, sizes: Array | None, origin: Array):
        """Mean and variance of the channels, [C], and the pixels counted, scalar.

        The sums are taken about `origin`, near which the mean is soon found, so that
        the variance does not drown in the square of the mean.
        """
        origin = jax.lax.stop_gradient(origin)
        centred = extents.mask(x - origin[None, None, None], sizes)
        if sizes is None:
            count = jnp.asarray(x.shape[0] * x.shape[1] * x.shape[2], x.dtype)
        else:
            limit = jnp.asarray(x.shape[1:3], sizes.dtype)[None]
            inside = jnp.clip(sizes, 0, limit).astype(x.dtype)
            count = jnp.sum(inside[:, 0] * inside[:, 1])
        total = jnp.sum(centred, axis=(0, 1, 2))
        squares = jnp.sum(centred * centred, axis=(0, 1, 2))
        if self.axis_name is not None:
            total, squares, count = jax.lax.psum(
                (total, squares, count), self.axis_name
            )
        some = jnp.maximum(count, 1)[None]
        mean = total / some
        var = jnp.maximum(squares / some - mean * mean, 0)
        return mean + origin, var, count


class Dropout(nn.Module):
    """Dropout whose draws belong to the example, not to its place in the batch.

    The key of an example is the module's key with `example_ids[n]` folded in: however
    a batch is split over devices, an example with its id loses the same activations.
    """

    rate: float = 0.5

    @nn.compact
    def __call__(
        self, x: Array, example_ids: Array | None = None, *, train: bool = False
    ) -> Array:
        """Drop activations and scale up the rest.

        Args:
            x: Maps, [N, h, w, C].
            example_ids: A number for every example, [N] integer; None: 0 .. N-1.
            train: Whether to drop at all.

        Returns:
            Maps, [N, h, w, C]; `x` itself unless training.

        Raises:
            ValueError: If the rate is no probability.
        """
        if not 0 <= self.rate <= 1:
            raise ValueError(
                f"dropout_rate={self.rate} is not a probability; pass a number between "
                f"0 and 1 (0 drops nothing)."
            )
        if not train or self.rate == 0 or self.is_initializing():
            return x
        if self.rate == 1:
            return jnp.zeros_like(x)
        if example_ids is None:
            example_ids = jnp.arange(x.shape[0])
        key = self.make_rng("dropout")

        def draw(example_id: Array):
            own = jax.random.fold_in(key, example_id)
            return jax.random.bernoulli(own, 1 - self.rate, x.shape[1:])

        keep = jax.vmap(draw)(example_ids)
        return jnp.where(keep, x / (1 - self.rate), jnp.zeros((), x.dtype))


class Score(nn.Module):
    """Class scores of a feature map: a 1x1 convolution that starts at zero.

    Scores are at least float32, whatever the features were computed in; those of
    float32 features are computed at full precision (on GPUs float32 would else mean
    TF32): there are few of them, and all that follows is a sum of them.
    """

    features: int  # Classes.
    param_dtype: jnp.dtype = jnp.float32
    kernel_init: Callable = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: Array, scale: float = 1.0) -> Array:
        """Score features, [N, h, w, F], times `scale`: [N, h, w, features].

        Args:
            x: Features, [N, h, w, F] of any float.
            scale: Factor on the features.
        """
        shape = (1, 1, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        bias = self.param(
            "bias", nn.initializers.zeros_init(), (self.features,), self.param_dtype
        )
        dtype = at_least_float32(x.dtype)
        if x.dtype == dtype and scale != 1.0:
            x, scale = x * scale, 1.0
        scores = scoring.score(x, kernel[0, 0].astype(dtype))
        if scale != 1.0:  # Narrow features stay so: their scores are scaled.
            scores = scores * scale
        return scores + bias.astype(dtype)[None, None, None]


class Upscore(nn.Module):
    """Upsampling of class scores: Caffe's deconvolution, no padding, no bias.

    Kernels are bilinear: for ever, and then no parameter holds them, or (`learned`) at
    the start, [kernel_size, kernel_size, C, C] with zeros between different classes.
    A resizing of the same frame may take its place.
    """

    kernel_size: int
    factor: int
    learned: bool = False
    param_dtype: jnp.dtype = jnp.float32
    resizing: str = ""  # A key of RESIZINGS; "": the transposed convolution.

    @nn.compact
    def __call__(self, x: Array, sizes: Array | None = None) -> Array:
        """[N, h, w, C] -> [N, (h - 1) factor + kernel_size, (w - 1) ..., C].

        Args:
            x: Scores.
            sizes: True (height, width) of every example, [N, 2] integer, or None.
        """
        if self.resizing:
            resize = RESIZINGS[self.resizing]
            return resize(x, self.factor, self.kernel_size, sizes)
        if not self.learned:
            return bilinear.bilinear_upsample(x, self.factor, self.kernel_size)

        def bilinear_init(key: Array, shape: tuple[int, ...], dtype: jnp.dtype):
            del key
            kernel = bilinear.bilinear_kernel(self.kernel_size, shape[-1])
            return jnp.asarray(np.asarray(kernel), dtype)

        channels = x.shape[-1]
        shape = (self.kernel_size, self.kernel_size, channels, channels)
        kernel = self.param("kernel", bilinear_init, shape, self.param_dtype)
        return bilinear.conv_transpose(x, kernel.astype(x.dtype), self.factor)


def at_least_float32(dtype: jnp.dtype) -> jnp.dtype:
    """float64 for float64, float32 for everything narrower."""
    return jnp.dtype(jnp.float64 if dtype == jnp.float64 else jnp.float32)


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """A channel count times the width of a net, at least `multiple`.

    Args:
        channels: At width 1.
        width: The factor.
        multiple: Of what it has to be one, such as the groups of a convolution.
    """
    return multiple * max(1, round(channels * width / multiple))


def check_widths(net: str, width: float, fc_features: int | None = None) -> None:
    """Refuse factors on channels, and channels of fc6 and fc7, that make no net.

    Args:
        net: Which net they are of.
        width: Factor on all channels.
        fc_features: Channels of fc6 and fc7 before that factor; None: it has none.

    Raises:
        ValueError: If one is not positive.
    """
    if fc_features is None and width <= 0:
        raise ValueError(f"width={width} must be positive; width=1 makes {net}.")
    if fc_features is not None and (width <= 0 or fc_features <= 0):
        raise ValueError(
            f"width={width} and fc_features={fc_features} must be positive; width=1, "
            f"fc_features=4096 make {net}."
        )
