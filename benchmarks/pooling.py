"""Pooling with switches and unpooling, against PyTorch's and against a plain copy.

python -m benchmarks.pooling                     # DeconvNet's maps, batches of 8
python -m benchmarks.pooling --dtype bfloat16    # on the default device
python -m benchmarks.pooling --smoke             # a few small maps

At each map that DeconvNet pools for a 224x224 image: pool and unpool it, then the
gradient of the whole with respect to the map. PyTorch (where it is installed) does the
same by MaxPool2d(return_indices) and MaxUnpool2d, eagerly, in both of its layouts.
The copy, ours, reads and writes the map once. All are timed in turns in one run.
Prints JSON: medians in ms, and `ratio_*`, the medians of ours / theirs pair by pair.
"""

import argparse
import importlib.util
import json
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.common import machine
from fcn_jax import runtime
from fcn_jax.ops import pooling

# Height, width and channels of what DeconvNet pools, stage by stage.
STAGES = (
    (224, 224, 64),
    (112, 112, 128),
    (56, 56, 256),
    (28, 28, 512),
    (14, 14, 512),
)
LAYOUTS = {"contiguous": "contiguous_format", "channels_last": "channels_last"}


def ours(x, g, dtype):
    """Functions that pool, unpool and differentiate once, and that copy once."""

    def pool_and_unpool(x):
        maxima, switches = pooling.max_pool_with_switches(x)
        return pooling.max_unpool(maxima, switches)

    @jax.jit
    def both(x, g):
        y, vjp = jax.vjp(pool_and_unpool, x)
        return y, *vjp(g)

    copy = jax.jit(jnp.copy)
    x, g = jnp.asarray(x, dtype), jnp.asarray(g, dtype)
    return {
        "ours": lambda: jax.block_until_ready(both(x, g)),
        "copy": lambda: jax.block_until_ready(copy(x)),
    }


def theirs(x, g, dtype, threads):
    """The same by PyTorch, in each of its layouts."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    device = "cuda" if machine.on_gpu() and torch.cuda.is_available() else "cpu"
    pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

    def make(layout):
        memory_format = getattr(torch, LAYOUTS[layout])

        def tensor(array):
            array = torch.tensor(np.moveaxis(array, -1, 1))
            array = array.to(device, getattr(torch, dtype))
            return array.contiguous(memory_format=memory_format)

        leaf, gradient = tensor(x).requires_grad_(), tensor(g)

        def both():
            leaf.grad = None
            unpool(*pool(leaf)).backward(gradient)
            if device == "cuda":
                torch.cuda.synchronize()

        return both

    return {f"pytorch_{layout}": make(layout) for layout in LAYOUTS}


def seconds(call, calls):
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def measure(shape, arguments):
    rng = np.random.default_rng(0)
    # After ReLU: half of it is zero, and whole windows tie.
    x = np.maximum(rng.normal(size=shape), 0).astype(np.float32)
    g = rng.normal(size=shape).astype(np.float32)
    functions = ours(x, g, arguments.dtype)
    if importlib.util.find_spec("torch"):
        functions |= theirs(x, g, arguments.dtype, arguments.threads)
    for call in functions.values():
        seconds(call, 2)
    rounds = [
        {name: seconds(call, arguments.calls) for name, call in functions.items()}
        for _ in range(arguments.repeats)
    ]
    report = {"shape": list(shape)}
    for name in functions:
        median = statistics.median(times[name] for times in rounds)
        report[f"{name}_ms"] = round(1e3 * median, 3)
    for name in list(functions)[1:]:
        ratio = statistics.median(times["ours"] / times[name] for times in rounds)
        report[f"ratio_{name}"] = round(ratio, 3)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--calls", type=int, default=1, help="timed together")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    stages = STAGES
    if arguments.smoke:
        stages, arguments.batch, arguments.repeats = ((8, 8, 4), (4, 4, 8)), 2, 2
    runtime.prepare()
    report = {
        **vars(arguments),
        "stages": [measure((arguments.batch, *shape), arguments) for shape in stages],
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
