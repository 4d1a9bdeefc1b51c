"""The floor and the time of every stage of FCN-8s and DeconvNet.

python -m benchmarks.roofline.stages
python -m benchmarks.roofline.stages --smoke

The floors are counted (`roofline.py`) at the rates that `rates.py` measures here. A
stage is timed by itself, its convolutions with ReLU and its pooling or unpooling,
forward, and forward with backward to its input and kernels. Prints JSON.
"""

import argparse
import json

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.common import machine
from benchmarks.roofline import roofline
from benchmarks.roofline.rates import COPIED, measured_rates, median_seconds
from fcn_jax import runtime
from fcn_jax.models import deconvnet
from fcn_jax.models.encoders import vgg
from fcn_jax.models.layers import scaled
from fcn_jax.ops import convolution, pooling

LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(x, kernel, pad):
    padding = ((pad, pad), (pad, pad))
    return convolution.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=LAYOUT
    )


def encoder_stages(size, batch, padding, width, fc_features, dtype):
    """By stage: a function of (x, kernels), and their shapes."""
    found, layers, shapes, channels = {}, [], [], 3
    shape = (batch, *size, 3)

    def close(name):
        nonlocal layers, shapes, shape

        def run(x, kernels, layers=tuple(layers)):
            kernels = iter(kernels)
            for layer in layers:
                if layer.kind == "pool":
                    x = pooling.max_pool(x, layer.kernel_size)
                else:
                    x = jax.nn.relu(convolve(x, next(kernels), layer.pad))
            return x

        found[name] = (run, shape, tuple(shapes))
        arrays = [jax.ShapeDtypeStruct(s, dtype) for s in (shape, *shapes)]
        shape = jax.eval_shape(run, arrays[0], arrays[1:]).shape
        layers, shapes = [], []

    for layer in vgg.layer_list(padding, width, fc_features):
        layers.append(layer)
        if layer.kind == "conv":
            side = layer.kernel_size
            shapes.append((side, side, channels, layer.features))
            channels = layer.features
        if layer.kind == "pool" or layer.name.startswith("fc"):
            pooled = layer.name.replace("pool", "conv")
            close(pooled)
    return found, shape


def decoder_stages(side, batch, width, fc_features):
    """The same of DeconvNet's decoder; unpooling by switches that are all 0."""
    channels = scaled(vgg.STAGES[-1][-1], width)
    cells = side // 32
    fc = scaled(fc_features, width)
    found = {
        "fc6-deconv": (
            lambda x, kernels: jax.nn.relu(convolution.deconvolution(x, *kernels, 0)),
            (batch, cells - 6, cells - 6, fc),
            ((7, 7, fc, channels),),
        )
    }
    for stage, widths in deconvnet.STAGES.items():
        shape, shapes = (batch, cells, cells, channels), []
        for features in widths:
            shapes.append((3, 3, channels, scaled(features, width)))
            channels = shapes[-1][-1]

        def run(x, kernels):
            x = pooling.max_unpool(x, jnp.zeros(x.shape, jnp.uint8))
            for kernel in kernels:
                x = jax.nn.relu(convolution.deconvolution(x, kernel, 1))
            return x

        found[f"deconv{stage}"] = (run, shape, tuple(shapes))
        cells *= 2
    return found


def time_stage(run, shape, shapes, dtype, repeats):
    """Seconds forward, and forward and backward."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=shape), dtype)
    kernels = [
        jnp.asarray(rng.normal(size=s) * (2 / np.prod(s[:-1])) ** 0.5, dtype)
        for s in shapes
    ]
    forward = jax.jit(run)
    g = jnp.ones(jax.eval_shape(run, x, kernels).shape, dtype)
    first = shape[-1] == 3  # Nobody wants the gradient of the image.

    @jax.jit
    def both(x, kernels, g):
        y, vjp = jax.vjp(run, x, kernels)
        of_x, of_kernels = vjp(g)
        return y, of_kernels, (None if first else of_x)

    return {
        "forward": median_seconds(
            lambda: jax.block_until_ready(forward(x, kernels)), repeats
        ),
        "training": median_seconds(
            lambda: jax.block_until_ready(both(x, kernels, g)), repeats
        ),
    }


def report_net(layers, stages, rates, dtype, repeats):
    """Counts, floors and times by stage; stages that are not timed have no time."""
    forward = roofline.floor_seconds(layers, *rates, training=False)
    training = roofline.floor_seconds(layers, *rates, training=True)
    found = {}
    for name, counts in roofline.totals(layers).items():
        found[name] = {
            **counts,
            "floor": {"forward": forward[name], "training": training[name]},
            "seconds": None,
        }
        if name in stages:
            found[name]["seconds"] = time_stage(*stages[name], dtype, repeats)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(320, 320))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    runtime.prepare()
    # What a CPU multiplies in a tenth of a second is too little for a GPU.
    matrix = 8192 if machine.on_gpu() else 2048
    copied, fc = COPIED, vgg.FC_FEATURES
    if arguments.smoke:
        arguments.size, arguments.width, arguments.repeats = (32, 48), 1 / 64, 1
        matrix, copied = 64, 2**16
    batch, width, dtype = arguments.batch, arguments.width, jnp.dtype(arguments.dtype)
    rates = measured_rates(matrix, copied, dtype, arguments.repeats)
    shared = {"scale": width, "value": dtype.itemsize}
    fcn_layers = roofline.fcn8s(*arguments.size, batch, **shared)
    fcn_stages, _ = encoder_stages(arguments.size, batch, "caffe", width, fc, dtype)
    layers = roofline.deconv_net(224, batch, **shared)
    stages, _ = encoder_stages((224, 224), batch, "valid", width, fc, dtype)
    stages |= decoder_stages(224, batch, width, fc)
    rest = (rates, dtype, arguments.repeats)
    report = {
        **vars(arguments),
        "flop_rate": rates[0],
        "bandwidth": rates[1],
        "fcn8s": report_net(fcn_layers, fcn_stages, *rest),
        "deconvnet": report_net(layers, stages, *rest),
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
