"""Whether an accelerator computes the logits that the CPU computes.

python -m benchmarks.device_parity            # FCN-8s on VGG-16, one 320x320 image
python -m benchmarks.device_parity --smoke    # a tiny net

One net with random weights, one random image, four ways: float32 with the highest
precision of products, on the CPU (what the others are held against) and on the default
device; float32 with this device's default precision; and bfloat16. Prints JSON: for
each the largest and the mean difference from the reference, as fractions of the range
of its logits, and the share of pixels that get another class. Exit status 1 where a
difference is above its tolerance; the default precision has none. Without an
accelerator it compares the CPU with itself.
"""

import argparse
import json
import sys

import jax
import numpy as np

import fcn_jax
from benchmarks.common import machine
from fcn_jax import runtime, training

NUM_CLASSES = 21
# Fractions of the range. float32: 25,088 products in the longest sum, in another
# order. bfloat16: 8 bits in each of the 15 layers before the scores.
WAYS = {
    "float32_highest": ("float32", "highest", 1e-4),
    "float32_default": ("float32", None, None),
    "bfloat16": ("bfloat16", None, 0.05),
}


def random_variables(arguments):
    """Variables of the net in NumPy; none is zero, as the scores of a fresh net are."""
    cpu = jax.local_devices(backend="cpu")[0]
    with jax.default_device(cpu):
        variables = training.init_variables(make_model(arguments, "float32"), 0)
    rng = np.random.default_rng(0)

    def fill(leaf):
        leaf = np.asarray(leaf)
        if leaf.any():
            return leaf
        fan_in = np.prod(leaf.shape[:-1]) if leaf.ndim > 1 else 100
        return rng.normal(size=leaf.shape, scale=fan_in**-0.5).astype(leaf.dtype)

    return jax.tree.map(fill, variables)


def make_model(arguments, dtype):
    return fcn_jax.create(
        "fcn8s",
        NUM_CLASSES,
        width=arguments.width,
        padding=arguments.padding,
        dtype=jax.numpy.dtype(dtype),
    )


def logits_on(device, dtype, precision, arguments, variables, photo):
    """The logits of a photograph, float32 [1, H, W, C]."""
    model = make_model(arguments, dtype)

    @jax.jit
    def run(variables, photo):
        return model.apply(variables, fcn_jax.preprocess(photo), train=False)

    with jax.default_matmul_precision(precision):
        return np.asarray(run(*jax.device_put((variables, photo), device)))


def compare(logits, reference, tolerance):
    """How far apart two maps of logits are."""
    scale = float(reference.max() - reference.min())
    difference = np.abs(logits - reference) / scale
    other = logits.argmax(axis=-1) != reference.argmax(axis=-1)
    largest = float(difference.max())
    return {
        "largest": largest,
        "mean": float(difference.mean()),
        "other_class": float(other.mean()),
        "tolerance": tolerance,
        "good": bool(np.isfinite(logits).all())
        and (tolerance is None or largest <= tolerance),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=320, help="of the image's sides")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--padding", choices=("caffe", "same"), default="caffe")
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.size, arguments.width = 32, 1 / 32
    runtime.prepare()
    cpu, device = jax.local_devices(backend="cpu")[0], jax.local_devices()[0]
    variables = random_variables(arguments)
    shape = (1, arguments.size, arguments.size, 3)
    photo = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    run = (arguments, variables, photo)
    reference = logits_on(cpu, "float32", "highest", *run)
    report = {
        **vars(arguments),
        "range": [float(reference.min()), float(reference.max())],
        "reference_device": cpu.device_kind,
    }
    for name, (dtype, precision, tolerance) in WAYS.items():
        logits = logits_on(device, dtype, precision, *run)
        report[name] = compare(logits, reference, tolerance)
    report.update(machine.describe())
    print(json.dumps(report, indent=2))
    sys.exit(not all(report[name]["good"] for name in WAYS))


if __name__ == "__main__":
    main()
