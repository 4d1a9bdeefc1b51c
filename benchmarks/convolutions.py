"""The products of a 3x3 convolution's training step, each by itself.

python -m benchmarks.convolutions
python -m benchmarks.convolutions --smoke

For layers of VGG-16 on a 320x320 image, and its last ones on 224x224: the output, the
gradient of the input, and that of the kernel as XLA takes it, as
`fcn_jax.ops.convolution` does, and as PyTorch does, channels_last; and both gradients
in the body of a loop. Prints JSON: GFLOP a second, the best of several calls, in turns.
"""

import argparse
import functools
import importlib.util
import json

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.common import machine, timing
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
    (14, 512, 512),
)
IN_LOOP = (40, 64, 64)  # Small: there XLA alone takes a second for it.
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


def measure_in_loop(layer, repeats):
    """Both gradients of two examples, one after the other, as where they accumulate."""
    side, channels, features = layer
    rng = np.random.default_rng(0)
    maps = jnp.asarray(rng.normal(size=(2, 1, side, side, channels)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, channels, features)), jnp.float32)

    def gradients(convolve, kernel, maps):
        def loss(kernel, x):
            return (convolve(x, kernel) ** 2).sum()

        def add(total, x):
            of_kernel, of_x = jax.grad(loss, argnums=(0, 1))(kernel, x)
            return total + of_kernel, of_x

        return jax.lax.scan(add, jnp.zeros_like(kernel), maps)

    calls = {}
    for name, convolve in (("xla", native), ("ours", ours)):
        run = jax.jit(functools.partial(gradients, convolve))
        with convolution.fast_gradients(in_loop=True):
            jax.block_until_ready(run(kernel, maps))  # Compiles.
        calls[name] = functools.partial(
            lambda run: jax.block_until_ready(run(kernel, maps)), run
        )
    flops = 2 * 3 * 2 * 9 * channels * features * side * side
    rounds = [
        {name: flops / timing.seconds(call) / 1e9 for name, call in calls.items()}
        for _ in range(repeats)
    ]
    best = {name: max(rates[name] for rates in rounds) for name in calls}
    return {"layer": list(layer), "gflop_rate": best}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    layers, in_loop = LAYERS, IN_LOOP
    if arguments.smoke:
        layers, in_loop, arguments.repeats = ((8, 3, 4), (8, 16, 4)), (8, 3, 4), 1
    runtime.prepare()
    report = {
        **vars(arguments),
        "layers": [measure(layer, arguments) for layer in layers],
        "in_loop": measure_in_loop(in_loop, arguments.repeats),
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
