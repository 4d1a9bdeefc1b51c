"""A classifier's map of an image in one pass, against window after window.

python -m benchmarks.heatmap                      # AlexNet, 500x500, full width
python -m benchmarks.heatmap --net vgg16 --side 384 --rounds 3
python -m benchmarks.heatmap --smoke              # narrow

As section 3.1 of Long et al. 2015 measures it, with random weights. The windows are
those of the map's cells, a stride apart; those that reach over the edge are moved
inside. They are classified by the same network, one by one and in batches of
`--batch`. All are timed in turns in one run. Prints JSON: medians in ms, and
`ratio_*`, the medians of the windows' time / the map's, round by round.
"""

import argparse
import json
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.common import machine
from fcn_jax import runtime
from fcn_jax.models import classifier


def corners(cells, size, side, stride):
    """Row and column of every window's first pixel, [cells, 2]."""
    height, width = size
    return np.array(
        [
            (min(row * stride, height - side), min(column * stride, width - side))
            for row, column in np.ndindex(*cells)
        ]
    )


def sides(model, variables, image, batch):
    """Functions that give all scores once, by name; and how many cells there are."""
    run = jax.jit(model.apply)
    stride = int(1 / model.cells().scale)
    found = jax.eval_shape(model.apply, variables, image).shape[1:3]
    at = corners(found, image.shape[1:3], model.side, stride)
    cut = np.asarray(image)

    def windows(count):
        def classify():
            for first in range(0, len(at), count):
                part = at[first : first + count]
                part = np.pad(part, ((0, count - len(part)), (0, 0)), mode="edge")
                crops = [
                    cut[0, r : r + model.side, c : c + model.side] for r, c in part
                ]
                scores = run(variables, jnp.asarray(np.stack(crops)))
            jax.block_until_ready(scores)

        return classify

    return found, {
        "map": lambda: jax.block_until_ready(run(variables, image)),
        "windows_one_by_one": windows(1),
        f"windows_in_batches_of_{batch}": windows(batch),
    }


def random_variables(model):
    """He-normal kernels and small biases, by NumPy: nothing is compiled for them."""
    rng = np.random.default_rng(0)
    image = jax.ShapeDtypeStruct((1, model.side, model.side, 3), jnp.float32)

    def draw(leaf):
        fan_in = int(np.prod(leaf.shape[:-1])) or 1
        return jnp.asarray(rng.standard_normal(leaf.shape, np.float32) / fan_in**0.5)

    return jax.tree.map(draw, jax.eval_shape(model.init, jax.random.key(0), image))


def measure(functions, rounds):
    """Milliseconds of every function, round by round, after one that is not counted."""
    times = {name: [] for name in functions}
    for count in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if count:
                times[name].append(1e3 * (time.perf_counter() - start))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--net", default="caffenet", choices=classifier.KINDS)
    parser.add_argument("--side", type=int, default=500, help="of the image, pixels")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    runtime.prepare()
    width = 1 / 16 if options.smoke else 1.0
    rounds = 1 if options.smoke else options.rounds
    model = classifier.create_classifier(options.net, width=width)
    rng = np.random.default_rng(1)
    shape = (1, options.side, options.side, 3)
    image = jnp.asarray(rng.uniform(-123, 151, shape), jnp.float32)
    cells, functions = sides(model, random_variables(model), image, options.batch)
    times = measure(functions, rounds)
    found = {name: round(statistics.median(each), 2) for name, each in times.items()}
    ratios = {
        f"ratio_{name}": round(
            statistics.median(a / b for a, b in zip(each, times["map"], strict=True)),
            2,
        )
        for name, each in times.items()
        if name != "map"
    }
    told = {"net": options.net, "image": list(shape[1:3]), "cells": list(cells)}
    print(json.dumps(told | found | ratios | {"machine": machine.describe()}, indent=2))


if __name__ == "__main__":
    main()
