"""How fast a device multiplies matrices, and how fast it copies.

python -m benchmarks.roofline.rates
python -m benchmarks.roofline.rates --side 8192 --dtype bfloat16    # a GPU
python -m benchmarks.roofline.rates --smoke

A product of two square matrices, and a copy of a large array; floors and shares of the
peak are counted at these rates. Prints JSON: FLOP and bytes a second.
"""

import argparse
import json
import statistics

import jax
import jax.numpy as jnp

from benchmarks.common import machine, timing
from fcn_jax import runtime

COPIED = 2**28  # Bytes.


def median_seconds(call, repeats):
    call()
    return statistics.median(timing.seconds(call) for _ in range(repeats))


def measured_rates(side, copied, dtype, repeats):
    """FLOP a second of a matrix product, and bytes a second of a copy."""
    # Noise: a GPU takes less power for ones, and is faster then.
    a = jax.random.normal(jax.random.key(0), (side, side), dtype)
    product = jax.jit(jnp.matmul)
    seconds = median_seconds(lambda: jax.block_until_ready(product(a, a)), repeats)
    x = jnp.ones(copied, jnp.uint8)
    copy = jax.jit(jnp.copy)
    copying = median_seconds(lambda: jax.block_until_ready(copy(x)), repeats)
    return 2 * side**3 / seconds, 2 * copied / copying


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048, help="of the matrices")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    copied = COPIED
    if arguments.smoke:
        arguments.side, copied, arguments.repeats = 64, 2**16, 1
    runtime.prepare()
    dtype = jnp.dtype(arguments.dtype)
    rates = measured_rates(arguments.side, copied, dtype, arguments.repeats)
    report = {
        **vars(arguments),
        "flop_rate": rates[0],
        "bandwidth": rates[1],
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
