"""The dense CRF: time to build its lattices and to iterate, memory, how both grow.

python -m benchmarks.crf            # 375x500, 21 classes, 10 iterations
python -m benchmarks.crf --smoke    # a small image, once

The image is a mosaic of the built-in shapes, enlarged; the unary is that of labels of
which a third are wrong. Where pydensecrf is installed (`pip install pydensecrf2`, which
needs a C++ compiler), it is timed in turns with ours, and the probabilities are
compared. Prints JSON: medians in seconds, without compilation; `iterate` is the time of
11 iterations less that of 1, `build` the rest; `batches` is the time of an image in a
batch of them.
"""

import argparse
import functools
import importlib.util
import json
import statistics
import time

import jax
import numpy as np
from PIL import Image

from benchmarks.common import machine, timing
from fcn_jax import crf, runtime
from fcn_jax.data.sources import drawing

ITERATIONS = 10
# By bandwidths of the appearance kernel.
SETS = {
    name: {key: v for key, v in crf.PARAMETERS[of].items() if key != "iterations"}
    for name, of in (("80/13", "pydensecrf"), ("20/3", "deconvnet"))
}


def scene(shape, num_classes, seed=0):
    """An image, uint8 [H, W, 3], and a unary, float32 [H, W, C]."""
    rng = np.random.default_rng(seed)
    scenes = [drawing.draw(rng) for _ in range(6)]
    image = np.concatenate(
        [
            np.concatenate([s.image[:80, :96] for s in scenes[i : i + 3]], axis=1)
            for i in (0, 3)
        ]
    )
    labels = np.concatenate(
        [
            np.concatenate([s.labels[:80, :96] for s in scenes[i : i + 3]], axis=1)
            for i in (0, 3)
        ]
    )
    size = shape[::-1]
    image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    labels = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
    wrong = rng.random(shape) < 1 / 3
    labels = np.where(wrong, rng.integers(0, num_classes, shape), labels % num_classes)
    return image, np.asarray(crf.unary_from_labels(labels, num_classes, 0.6))


def ours(image, unary, iterations=ITERATIONS, **options):
    """Run once; returns a function that runs again, and waits."""

    def run():
        return np.asarray(
            crf.mean_field(unary, image, iterations=iterations, **options)
        )

    run()
    return run


def peer(image, unary, options):
    """The published C++ code, both halves: a function -> (probabilities, build)."""
    from pydensecrf import densecrf

    height, width, count = unary.shape
    norm = {
        "no": densecrf.NO_NORMALIZATION,
        "before": densecrf.NORMALIZE_BEFORE,
        "after": densecrf.NORMALIZE_AFTER,
        "symmetric": densecrf.NORMALIZE_SYMMETRIC,
    }[options["normalization"]]
    flat = np.ascontiguousarray(unary.reshape(-1, count).T)
    image = np.array(image)  # It takes no array that may not be written.

    def run():
        start = time.perf_counter()
        model = densecrf.DenseCRF2D(width, height, count)
        model.setUnaryEnergy(flat)
        shared = {"kernel": densecrf.DIAG_KERNEL, "normalization": norm}
        model.addPairwiseGaussian(
            sxy=options["smooth_xy"], compat=options["smooth_weight"], **shared
        )
        model.addPairwiseBilateral(
            sxy=options["bilateral_xy"],
            srgb=options["bilateral_rgb"],
            rgbim=image,
            compat=options["bilateral_weight"],
            **shared,
        )
        built = time.perf_counter() - start
        found = np.array(model.inference(ITERATIONS))
        return found.reshape(count, height, width).transpose(1, 2, 0), built

    return run


def median(call, repeats):
    return statistics.median(timing.seconds(call) for _ in range(repeats))


def of_parameters(name, shape, num_classes, arguments):
    """One set of bandwidths: times, memory, and the peer."""
    options = SETS[name]
    image, unary = scene(shape, num_classes, arguments.seed)
    before = timing.peak_mib()
    calls = {n: ours(image, unary, n, **options) for n in (1, ITERATIONS + 1)}
    whole = ours(image, unary, **options)
    sides = {"whole": whole, "once": calls[1], "more": calls[ITERATIONS + 1]}
    peak = timing.peak_mib()
    compare = arguments.peer and importlib.util.find_spec("pydensecrf")
    if compare:
        theirs = peer(image, unary, options)
        sides["pydensecrf"] = theirs
    rounds = [
        {side: timing.seconds(call) for side, call in sides.items()}
        for _ in range(arguments.repeats)
    ]
    times = {side: statistics.median(r[side] for r in rounds) for side in sides}
    iterate = times["more"] - times["once"]
    report = {
        "parameters": options,
        "build_s": round(times["once"] - iterate / ITERATIONS, 4),
        "iterate_s": round(iterate, 4),
        "total_s": round(times["whole"], 4),
        "peak_mib": peak,
        "peak_mib_before": before,
    }
    if compare:
        probs, _ = theirs()
        found = whole()
        away = np.abs(found - probs)
        report["pydensecrf"] = {
            "build_s": round(statistics.median(theirs()[1] for _ in range(3)), 4),
            "total_s": round(times["pydensecrf"], 4),
            "ratio_total": round(
                statistics.median(r["whole"] / r["pydensecrf"] for r in rounds), 3
            ),
            "max_difference": float(away.max()),
            "mean_difference": float(away.mean()),
            "equal_labels": float((found.argmax(-1) == probs.argmax(-1)).mean()),
        }
    return report


def growth(shape, num_classes, repeats):
    """Total time by pixels, classes and iterations, everything else as it is."""
    options = SETS["80/13"]
    height, width = shape
    found = {"pixels": {}, "classes": {}, "iterations": {}}
    for parts in (1, 2, 4):
        image, unary = scene((height, width // parts), num_classes)
        call = ours(image, unary, **options)
        found["pixels"][height * (width // parts)] = median(call, repeats)
    for count in (num_classes, 2 * num_classes, 4 * num_classes):
        call = ours(*scene(shape, count), **options)
        found["classes"][count] = median(call, repeats)
    image, unary = scene(shape, num_classes)
    for iterations in (5, 10, 20):
        call = ours(image, unary, iterations, **options)
        found["iterations"][iterations] = median(call, repeats)
    return found


def batches(shape, num_classes, arguments):
    """By bandwidths: milliseconds of an image in a batch of so many."""
    count = arguments.batch
    scenes = [scene(shape, num_classes, seed) for seed in range(count)]
    images, unaries = (np.stack(each) for each in zip(*scenes, strict=True))
    images, unaries = jax.device_put((images, unaries))
    found = {"images": count}
    for name, options in SETS.items():

        def run(options=options):
            jax.block_until_ready(
                crf.mean_field(unaries, images, iterations=ITERATIONS, **options)
            )

        run()
        found[name] = round(1e3 * median(run, arguments.repeats) / count, 3)
    return found


def compilations(shape, num_classes):
    """How often it compiles for images of eight sizes, padded to one shape."""
    image, unary = scene(shape, num_classes)
    run = jax.jit(functools.partial(crf.mean_field, iterations=1, **SETS["80/13"]))
    for step in range(8):
        sizes = np.array([[shape[0] - 2 * step, shape[1] - 3 * step]], np.int32)
        jax.block_until_ready(run(unary[None], image[None], sizes=sizes))
    return {"sizes": 8, "compilations": run._cache_size()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(375, 500))
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch", type=int, default=8, help="images of a batch")
    parser.add_argument("--seed", type=int, default=0, help="of the scene compared")
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--smoke", action="store_true", help="tiny")
    arguments = parser.parse_args()
    shape, num_classes = tuple(arguments.size), arguments.classes
    if arguments.smoke:
        shape, num_classes, arguments.repeats = (24, 36), 3, 1
        arguments.batch = 2
    runtime.prepare()
    report = {
        "size": list(shape),
        "classes": num_classes,
        "iterations": ITERATIONS,
        "repeats": arguments.repeats,
        "by_bandwidths": {
            name: of_parameters(name, shape, num_classes, arguments) for name in SETS
        },
        "batches": batches(shape, num_classes, arguments),
        "growth_s": growth(shape, num_classes, min(3, arguments.repeats)),
        "one_compilation": compilations(shape, num_classes),
        **machine.describe(),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
