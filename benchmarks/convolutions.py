"""The products of a 3x3 convolution's training step, each by itself.

python benchmarks/convolutions.py
python benchmarks/convolutions.py --smoke

For layers of VGG-16 on a 320x320 image: the output, the gradient of the input, and that
of the kernel as XLA takes it, as `fcn_jax.ops.convolution` does, and as PyTorch does,
channels_last. Prints JSON: GFLOP a second, the best of several calls, in turns.
"""

import argparse
import functools
import importlib.util
import json

import jax
import jax.numpy as jnp
import numpy as np

import machine
import timing
from fcn_jax import runtime
from fcn_jax.ops import convolution

# Height and width, channels in and out.
LAYERS = (
    (320, 3, 64),
    (320, 64, 64),
    (160, 64, 128),
    (160, 128, 128),
    (80, 256, 256),
    (40, 512, 512),
    (20, 512, 512),
)
OPTIONS = {"padding": ((1, 1), (1, 1)), "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
native = functools.partial(
    jax.lax.conv_general_dilated, window_strides=(1, 1), **OPTIONS
)
ours = functools.partial(
    convolution.conv_general_dilated, window_strides=(1, 1), **OPTIONS
)


def gradient(convolve, argument):
    """A compiled function of (x, kernel, g): the gradient of one argument."""
    return jax.jit(lambda x, k, g: jax.vjp(convolve, x, k)[1](g)[argument])


def jax_calls(x, kernel, g):
    x, kernel, g = (jnp.asarray(a) for a in (x, kernel, g))
    functions = {
        "output": jax.jit(lambda x, k, g: native(x, k)),
        "input": gradient(native, 0),
        "kernel_xla": gradient(native, 1),
        "kernel_ours": gradient(ours, 1),
    }
    return {
        name: functools.partial(
            lambda run: jax.block_until_ready(run(x, kernel, g)), run
        )
        for name, run in functions.items()
    }


def torch_calls(x, kernel, g, threads):
    import torch

    torch.set_num_threads(threads)
    last = {"memory_format": torch.channels_last}
    x, g = (torch.tensor(a).permute(0, 3, 1, 2).contiguous(**last) for a in (x, g))
    kernel = torch.tensor(kernel).permute(3, 2, 0, 1).contiguous(**last)

    def backward(*wanted):
        return torch.ops.aten.convolution_backward(
            g, x, kernel, [0], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted
        )

    return {
        "output_pytorch": lambda: torch.nn.functional.conv2d(x, kernel, padding=1),
        "input_pytorch": lambda: backward(True, False, False),
        "kernel_pytorch": lambda: backward(False, True, False),
    }


def measure(layer, arguments):
    side, channels, features = layer
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, side, side, channels)).astype(np.float32)
    g = rng.normal(size=(1, side, side, features)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, channels, features)).astype(np.float32)
    calls = jax_calls(x, kernel, g)
    with convolution.fast_gradients():
        calls["kernel_ours"]()  # Compiles.
    if importlib.util.find_spec("torch"):
        calls |= torch_calls(x, kernel, g, arguments.threads)
    for call in calls.values():
        call()
    rounds = [
        {name: timing.seconds(call) for name, call in calls.items()}
        for _ in range(arguments.repeats)
    ]
    flops = 2 * 9 * channels * features * side * side
    best = {name: min(times[name] for times in rounds) for name in calls}
    rates = {name: flops / seconds / 1e9 for name, seconds in best.items()}
    return {"layer": list(layer), "gflop_rate": rates}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    layers = LAYERS
    if arguments.smoke:
        layers, arguments.repeats = ((8, 3, 4), (8, 16, 4)), 1
    runtime.prepare()
    report = {
        **vars(arguments),
        "layers": [measure(layer, arguments) for layer in layers],
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
